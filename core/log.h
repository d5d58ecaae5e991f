/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The log: lines "[    0.123456] info  text" on the console, stamped with the seconds since start.
 * Callable on any CPU at any time after console_init(); a line is never mixed with another.
 */
#pragma once

enum log_level {
    LOG_ERROR = 0,
    LOG_WARN = 1,
    LOG_INFO = 2,
    LOG_DEBUG = 3,
};

enum { LOG_LINE_MAX = 512 }; /* longer lines are cut and end in "..." */

/* Lines above this level are dropped; LOG_INFO until set. */
void log_set_level(enum log_level level);
enum log_level log_get_level(void);

/* One line; `format` has no trailing newline. */
void log_print(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define log_error(...) log_print(LOG_ERROR, __VA_ARGS__)
#define log_warn(...)  log_print(LOG_WARN, __VA_ARGS__)
#define log_info(...)  log_print(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_print(LOG_DEBUG, __VA_ARGS__)
