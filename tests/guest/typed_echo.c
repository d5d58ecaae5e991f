/* SPDX-License-Identifier: BSD-2-Clause */
/* Repeats what is typed, line by line, after a prompt; "end" ends it. With the argument "deaf" it
   never reads. For tests/runner/typed.py. */
#include "tests/guest/guest.h"

enum { COM1 = 0x3f8, LSR = COM1 + 5, LSR_DATA = 1, LINE_MAX = 80 };

static char typed(void)
{
    while (!(inb(LSR) & LSR_DATA))
        pause();
    return (char)inb(COM1);
}

void test_main(void)
{
    char line[LINE_MAX];
    while (!strcmp(argument(), "deaf"))
        pause();
    do {
        unsigned length = 0;
        printf("? ");
        for (char c; (c = typed()) != '\n';)
            if (length < LINE_MAX - 1)
                line[length++] = c;
        line[length] = 0;
        printf("got %s\n", line);
    } while (strcmp(line, "end") != 0);
    guest_exit(0);
}
