/* SPDX-License-Identifier: BSD-2-Clause */
/* Files on the EFI system partition that this application was started from. */
#ifndef LAPWING_BOOT_FILES_H
#define LAPWING_BOOT_FILES_H

#include "boot/efi.h"

/* Opens the volume. Refuses. */
EFI_STATUS files_open_volume(void);

/* Closes it; harmless when it is not open. */
void files_close_volume(void);

struct loaded_file {
    uint64_t base; /* physical address */
    uint64_t size; /* bytes, not 0 */
};

/* Reads a whole file into memory of memory_take(). EFI_NOT_FOUND is left to the caller to report;
 * all other errors are refusals. */
EFI_STATUS file_load(const char *path, struct loaded_file *file);

#endif
