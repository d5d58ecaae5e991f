/* SPDX-License-Identifier: BSD-2-Clause */
/* A guest that sleeps and can never wake is ended when its time is over. */
// time_limit: 1s
// expect: time limit
#include "tests/guest/guest.h"

void test_main(void)
{
    plan(1);
    ok(true, "about to halt with interrupts off");
    for (;;)
        asm volatile("cli; hlt");
}
