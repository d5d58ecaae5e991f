/* SPDX-License-Identifier: BSD-2-Clause */
/* A write of v to isa-debug-exit ends the VM with code (v << 1) | 1. */
// expect: debug-exit code 43
#include "tests/guest/guest.h"

void test_main(void)
{
    plan(1);
    ok(true, "about to exit");
    guest_exit(21);
}
