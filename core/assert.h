/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * panic() and ASSERT(): for bugs of our own, never for what a guest or a file says.
 *
 * panic() may be called in any state, on any CPU, with any lock held: it stops every processor,
 * prints the reason, registers and a stack trace, and ends the machine. In host tests it aborts.
 */
#pragma once

#ifdef HOST_TEST

#include <stdio.h>
#include <stdlib.h>

#define panic(...)                                                                                 \
    do {                                                                                           \
        fprintf(stderr, "PANIC: " __VA_ARGS__);                                                    \
        fputc('\n', stderr);                                                                       \
        abort();                                                                                   \
    } while (0)

#else

_Noreturn void panic(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif

/* Always on: the condition is evaluated in every build. */
#define ASSERT(condition)                                                                          \
    do {                                                                                           \
        if (__builtin_expect(!(condition), 0))                                                     \
            panic("%s:%d: assertion failed: %s", __FILE__, __LINE__, #condition);                  \
    } while (0)
