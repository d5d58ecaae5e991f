/* SPDX-License-Identifier: BSD-2-Clause */
/* Without the CMOS clock its ports are absent, and the FADT says so. */
// cmos: off
#include "tests/guest/guest.h"

enum {
    INDEX = 0x70,
    DATA = 0x71,
    FADT_CENTURY = 108,
    FADT_BOOT_ARCH = 109,
    NO_CMOS_RTC = 1 << 5,
};

void test_main(void)
{
    plan(5);
    is_u64(inw(INDEX), 0xffff, "the ports are absent");
    outb(INDEX, 0x50);
    outb(DATA, 0x5a);
    is_u64(inb(DATA), 0xff, "a write does nothing");
    const struct acpi_table *fadt = acpi_find("FACP");
    is_u64(acpi_u32(fadt, FADT_BOOT_ARCH) & NO_CMOS_RTC, NO_CMOS_RTC, "the FADT says so");
    is_u64(acpi_u32(fadt, FADT_CENTURY) & 0xff, 0, "and knows no century");
    ok(acpi_sum_is_zero(acpi_find("DSDT"), acpi_find("DSDT")->length), "the DSDT adds up");
}
