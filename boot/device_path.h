/* SPDX-License-Identifier: BSD-2-Clause */
/* Reading UEFI device paths. Pure: no firmware calls. */
#ifndef LAPWING_BOOT_DEVICE_PATH_H
#define LAPWING_BOOT_DEVICE_PATH_H

#include <stdbool.h>
#include <stddef.h>

/* Does a (multi-instance) device path of size bytes lead through the UART of the first serial port,
 * i.e. a UART node below the ACPI device PNP0501 with UID 0? */
bool device_path_has_first_uart(const void *path, size_t size);

#endif
