/* SPDX-License-Identifier: BSD-2-Clause */
/* Puts together the lines of the log. */
#include "core/log.h"

#include <stdarg.h>
#include <stdatomic.h>

#include "core/console.h"
#include "core/format.h"
#include "core/string.h"
#include "core/time.h"

#define CUT_MARK "..."

enum { NS_PER_US = 1000, US_PER_SECOND = 1000000 };

static const char *const level_names[] = {
    [LOG_ERROR] = "error", [LOG_WARN] = "warn", [LOG_INFO] = "info", [LOG_DEBUG] = "debug"};

static _Atomic uint32_t threshold = LOG_INFO;

void log_set_level(enum log_level level)
{
    atomic_store_explicit(&threshold, level, memory_order_relaxed);
}

enum log_level log_get_level(void)
{
    return (enum log_level)atomic_load_explicit(&threshold, memory_order_relaxed);
}

void log_print(enum log_level level, const char *format, ...)
{
    char line[LOG_LINE_MAX];
    if (level > log_get_level())
        return;

    uint64_t us = time_now_ns() / NS_PER_US;
    size_t n = format_string(line, sizeof(line), "[%5lu.%06lu] %-5s ", us / US_PER_SECOND,
                             us % US_PER_SECOND, level_names[level]);
    va_list arguments;
    va_start(arguments, format);
    n += format_string_v(line + n, sizeof(line) - n, format, arguments);
    va_end(arguments);

    if (n >= sizeof(line)) {
        n = sizeof(line) - 1;
        memcpy(line + n - strlen(CUT_MARK), CUT_MARK, strlen(CUT_MARK));
    }
    console_write_line(line, n);
}
