/* SPDX-License-Identifier: BSD-2-Clause */
/* File names for the firmware. Pure: no firmware calls. */
#ifndef LAPWING_BOOT_PATH_H
#define LAPWING_BOOT_PATH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Converts UTF-8 to the 16-bit characters of UEFI, with a final 0, in a buffer of max characters.
 * False: not well-formed, a character beyond 0xffff, or the buffer is too small. */
bool path_to_utf16(const char *path, uint16_t *wide, size_t max);

#endif
