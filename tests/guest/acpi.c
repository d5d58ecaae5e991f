/* SPDX-License-Identifier: BSD-2-Clause */
/* The ACPI tables are found where a PC has them, add up, and describe this machine. */
#include "tests/guest/guest.h"

enum {
    RSDP_V1_LENGTH = 20,
    RSDP_V2_LENGTH = 36,
    FADT_PM1A_CNT = 64,
    FADT_PM_TIMER = 76,
    FADT_FLAGS = 112,
    FADT_RESET_REGISTER = 116,
    FLAG_RESET_SUPPORTED = 1 << 10,
    MADT_LAPIC_ADDRESS = 36,
    MADT_ENTRIES = 44,
    MADT_LAPIC = 0,
    MADT_IOAPIC = 1,
    GAS_SYSTEM_IO = 1,
};

static void sums(const char *signature)
{
    const struct acpi_table *table = acpi_find(signature);
    if (ok(table, "there is a table %s", signature)) {
        ok(!memcmp(table->signature, signature, 4), "it is signed %s", signature);
        ok(acpi_sum_is_zero(table, table->length), "%s adds up", signature);
    }
}

static void fadt(void)
{
    const struct acpi_table *table = acpi_find("FACP");
    if (!table)
        return;
    is_u64(acpi_u32(table, FADT_PM_TIMER), PM_TIMER_PORT, "FADT names the PM timer");
    is_u64(acpi_u32(table, FADT_PM1A_CNT), 0x604, "FADT names PM1a_CNT");
    ok(acpi_u32(table, FADT_FLAGS) & FLAG_RESET_SUPPORTED, "FADT offers a reset register");
    is_u64(acpi_u32(table, FADT_RESET_REGISTER) & 0xff, GAS_SYSTEM_IO, "it is an I/O port");
    is_u64(acpi_u32(table, FADT_RESET_REGISTER + 4), 0xcf9, "namely 0xcf9");
}

static void madt(void)
{
    const struct acpi_table *table = acpi_find("APIC");
    if (!table)
        return;
    is_u64(acpi_u32(table, MADT_LAPIC_ADDRESS), LAPIC_BASE, "MADT names the local APIC");
    unsigned processors = 0, io_apics = 0;
    for (unsigned at = MADT_ENTRIES; at < table->length;) {
        const uint8_t *entry = (const uint8_t *)table + at;
        if (entry[1] == 0)
            break;
        processors += entry[0] == MADT_LAPIC && (acpi_u32(table, at + 4) & 1);
        if (entry[0] == MADT_IOAPIC) {
            io_apics++;
            is_u64(acpi_u32(table, at + 4), IOAPIC_BASE, "MADT names the I/O APIC");
            is_u64(acpi_u32(table, at + 8), 0, "whose interrupts start at 0");
        }
        at += entry[1];
    }
    is_u64(processors, 1, "MADT lists one processor");
    is_u64(io_apics, 1, "MADT lists one I/O APIC");
}

void test_main(void)
{
    const uint8_t *rsdp = acpi_rsdp();
    if (!ok(rsdp, "the root pointer is in the BIOS area"))
        return;
    ok(acpi_sum_is_zero(rsdp, RSDP_V1_LENGTH), "the root pointer adds up");
    is_u64(rsdp[15], 2, "it is of revision 2");
    ok(acpi_sum_is_zero(rsdp, RSDP_V2_LENGTH), "all of it adds up");
    sums("FACP");
    sums("APIC");
    sums("DSDT");
    fadt();
    madt();
    unsigned type;
    ok(acpi_s5_type(&type), "the DSDT says how to power off");
}
