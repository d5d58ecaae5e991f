/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A printf of what Lapwing's texts need: d u x c s p and %%, flags - 0 and #, a width, .* before s,
 * lengths l and z. Anything else is printed as it stands.
 */
#pragma once

#include <stdarg.h>
#include <stddef.h>

/*
 * Writes at most `size` bytes, the terminating zero included (none when size is 0). Returns the
 * length the whole text has, as snprintf does.
 */
size_t format_string(char *buffer, size_t size, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
size_t format_string_v(char *buffer, size_t size, const char *format, va_list arguments)
    __attribute__((format(printf, 3, 0)));
