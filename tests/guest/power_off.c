/* SPDX-License-Identifier: BSD-2-Clause */
/* Power-off through the ACPI sleep control register ends the VM. */
// expect: power-off
#include "tests/guest/guest.h"

void test_main(void)
{
    plan(1);
    ok(true, "about to power off");
    power_off();
}
