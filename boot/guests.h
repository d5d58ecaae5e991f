/* SPDX-License-Identifier: BSD-2-Clause */
/* The configuration and the files it names: read, and judged as far as that is possible now. */
#ifndef LAPWING_BOOT_GUESTS_H
#define LAPWING_BOOT_GUESTS_H

#include "boot/efi.h"
#include "core/handover.h"

/* Fills handover->config from the configuration file, or with the defaults. Refuses. */
EFI_STATUS guests_read_config(struct handover *handover);

/* Fills handover->files with every file the configuration names, each once. An optional initrd
 * that is not there is taken out of the configuration. Refuses. */
EFI_STATUS guests_load_files(struct handover *handover);

/* Can every VM's files be started in its memory? Refuses. */
EFI_STATUS guests_check_images(const struct handover *handover);

/* The VMs run one after another: is there room for the largest in free bytes of memory, beside what
 * the hypervisor needs? Refuses. */
EFI_STATUS guests_check_memory(const struct handover *handover, uint64_t free);

#endif
