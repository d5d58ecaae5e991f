/* SPDX-License-Identifier: BSD-2-Clause */
/* Without port 0x92 it is absent, and resets nothing; the keyboard controller's port is there. */
// port_92: off
#include "tests/guest/guest.h"

void test_main(void)
{
    plan(3);
    is_u64(inb(0x92), 0xff, "the port is absent");
    outb(0x92, 0);
    outb(0x92, 1);
    ok(true, "a write resets nothing");
    is_u64(inb(0x64) & 3, 0, "port 0x64 is there");
}
