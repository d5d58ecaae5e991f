/* SPDX-License-Identifier: BSD-2-Clause */
/* An exception that no gate can take, twice, shuts the processor down. */
// expect: triple fault
#include "tests/guest/guest.h"

void test_main(void)
{
    plan(1);
    ok(true, "about to raise #UD without an IDT");
    lidt(idt, 0);
    asm volatile("ud2");
    ok(false, "the guest survived");
}
