/* SPDX-License-Identifier: BSD-2-Clause */
/* Text out, before the hypervisor has a console of its own: the firmware's console, and the first
 * serial port unless the firmware's console already goes there. */
#ifndef LAPWING_BOOT_CONSOLE_H
#define LAPWING_BOOT_CONSOLE_H

#include "boot/efi.h"

/* Finds out where text goes. Call first. */
void console_start(void);

/* Boot services are gone: text goes to the serial port alone, if there is one. */
void console_leave_firmware(void);

/* As format_string() in core/format.h; '\n' ends a line. A text over 1 KiB is cut. */
void print(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Prints "lapwing: refused: TEXT" and returns status, so that a check can end with
 * "return refuse(...)". Exactly one call per start: whoever gets an error status from a function
 * that refuses passes it on and says nothing. */
EFI_STATUS refuse(EFI_STATUS status, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* "EFI_LOAD_ERROR" and the like. */
const char *status_name(EFI_STATUS status);

#endif
