/* SPDX-License-Identifier: BSD-2-Clause */
/* The reset control register at port 0xcf9 resets the machine. */
// expect: reset
#include "tests/guest/guest.h"

void test_main(void)
{
    plan(1);
    ok(true, "about to reset");
    reset_machine();
}
