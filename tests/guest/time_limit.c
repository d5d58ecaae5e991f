/* SPDX-License-Identifier: BSD-2-Clause */
/* A guest that never gives up the processor is ended when its time is over. */
// time_limit: 1s
// expect: time limit
#include "tests/guest/guest.h"

void test_main(void)
{
    plan(1);
    ok(true, "about to spin with interrupts off");
    cli();
    for (;;)
        ;
}
