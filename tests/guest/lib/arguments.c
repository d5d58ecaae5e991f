/* SPDX-License-Identifier: BSD-2-Clause */
/* The command line, as the Multiboot information gives it. */
#include "tests/guest/guest.h"

enum { INFORMATION_CMDLINE = 16 };

const char *argument(void)
{
    const char *last =
        (const char *)(uintptr_t) * (const uint32_t *)(uintptr_t)(boot_info + INFORMATION_CMDLINE);
    for (const char *c = last; *c; c++)
        if (*c == ' ')
            last = c + 1;
    return last;
}

unsigned argument_number(void)
{
    unsigned value = 0;
    for (const char *c = argument(); *c; c++) {
        if (*c < '0' || *c > '9')
            bail_out("the command line does not end in a number");
        value = value * 10 + (unsigned)(*c - '0');
    }
    return value;
}
