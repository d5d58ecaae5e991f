/* SPDX-License-Identifier: BSD-2-Clause */
/* Without the PM timer its port is absent, and the FADT names none. */
// pm_timer: off
#include "tests/guest/guest.h"

enum {
    FADT_PM_TIMER = 76,
    FADT_PM_TIMER_LENGTH = 91,
    FADT_X_PM_TIMER = 208,
};

void test_main(void)
{
    plan(5);
    is_u64(inl(PM_TIMER_PORT), 0xffffffff, "the port is absent");
    is_u64(inw(0x604), 1, "PM1a_CNT is there");
    const struct acpi_table *fadt = acpi_find("FACP");
    is_u64(acpi_u32(fadt, FADT_PM_TIMER), 0, "the FADT names no port");
    is_u64(acpi_u32(fadt, FADT_PM_TIMER_LENGTH) & 0xff, 0, "of no length");
    is_u64(acpi_u32(fadt, FADT_X_PM_TIMER), 0, "and no address");
}
