/* SPDX-License-Identifier: BSD-2-Clause */
/* Without isa-debug-exit its ports are absent, and writing to them ends nothing. */
// debug_exit: off
// expect: power-off
#include "tests/guest/guest.h"

void test_main(void)
{
    plan(3);
    is_u64(inl(0xf4), 0xffffffff, "the ports are absent");
    outb(0xf4, 0);
    ok(true, "a write does nothing");
    is_u64(inb(0xf1) & inb(0xe0) & inb(0x2000), 0xff, "nor is there a test device");
    power_off();
}
