/* SPDX-License-Identifier: BSD-2-Clause */
/* Without PCI's configuration ports the reset register among them is absent, too, and the FADT
   names none. */
// pci: off
#include "tests/guest/guest.h"

enum {
    ADDRESS = 0xcf8,
    RESET = 0xcf9,
    DATA = 0xcfc,
    RESET_FULL = 6,
    FADT_FLAGS = 112,
    FADT_RESET_REGISTER = 116,
    FLAG_RESET_SUPPORTED = 1 << 10,
};

void test_main(void)
{
    plan(5);
    outl(ADDRESS, 1u << 31);
    is_u64(inl(ADDRESS), 0xffffffff, "the address port is absent");
    is_u64(inl(DATA), 0xffffffff, "and the data port");
    outb(RESET, RESET_FULL);
    is_u64(inb(RESET), 0xff, "the reset register is absent, and resets nothing");
    const struct acpi_table *fadt = acpi_find("FACP");
    is_u64(acpi_u32(fadt, FADT_FLAGS) & FLAG_RESET_SUPPORTED, 0,
           "the FADT offers no reset register");
    is_u64(acpi_u32(fadt, FADT_RESET_REGISTER + 4), 0, "and names none");
}
