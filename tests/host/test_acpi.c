/* SPDX-License-Identifier: BSD-2-Clause */
/* The MADT reader on tables made here, sound and broken. links: drivers/host/acpi.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "tests/host/acpi_memory.h"

enum {
    RSDP = 0x100,
    RSDT = 0x200,
    XSDT = 0x300,
    FADT = 0x400,
    MADT = 0x500,
    FUZZ_ROUNDS = 20000,
};

static void make_rsdp(uint8_t revision)
{
    memcpy(memory + RSDP, "RSD PTR ", 8);
    memory[RSDP + 15] = revision;
    put(RSDP + 16, RSDT, 4);
    put(RSDP + 20, 36, 4);
    put(RSDP + 24, XSDT, 8);
    fix_checksum(RSDP, 20, 8);
    fix_checksum(RSDP, 36, 32);
}

/* Two I/O APICs, an unknown entry, and overrides of 0 (edge high), 200 and 9 (level low). */
static uint32_t make_madt(void)
{
    static const uint8_t entries[] = {
        0, 8,  0, 0,   1,    0,    0,    0,                   /* local APIC */
        1, 12, 1, 0,   0x00, 0x00, 0xc0, 0xfe, 0,    0, 0, 0, /* I/O APIC at 0xfec00000, GSI 0 */
        1, 12, 2, 0,   0x00, 0x10, 0xc0, 0xfe, 24,   0, 0, 0, /* I/O APIC at 0xfec01000, GSI 24 */
        2, 10, 0, 0,   2,    0,    0,    0,    0x00, 0,       /* 0 -> 2, conforming */
        2, 10, 0, 200, 9,    0,    0,    0,    0x0f, 0,       /* no ISA interrupt */
        2, 10, 0, 9,   9,    0,    0,    0,    0x0f, 0,       /* 9 -> 9, level low */
    };
    uint32_t length = 44 + sizeof(entries);
    memcpy(memory + MADT + 44, entries, sizeof(entries));
    make_table(MADT, "APIC", length);
    return length;
}

static int make_tables(void **state)
{
    (void)state;
    memset(memory, 0, sizeof(memory));
    make_rsdp(2);
    put(RSDT + 36, MADT, 4);
    make_table(RSDT, "RSDT", 40);
    put(XSDT + 36, FADT, 8);
    put(XSDT + 44, MADT, 8);
    make_table(XSDT, "XSDT", 52);
    make_table(FADT, "FACP", 100);
    make_madt();
    return 0;
}

static void assert_madt_used(const struct acpi_interrupts *found)
{
    assert_int_equal(found->n_io_apics, 2);
    assert_int_equal(found->io_apics[0].base, 0xfec00000);
    assert_int_equal(found->io_apics[1].base, 0xfec01000);
    assert_int_equal(found->io_apics[1].gsi_base, 24);
    assert_int_equal(found->isa[0].gsi, 2);
    assert_false(found->isa[0].active_low);
    assert_false(found->isa[0].level_triggered);
    assert_int_equal(found->isa[4].gsi, 4);
    assert_int_equal(found->isa[9].gsi, 9);
    assert_true(found->isa[9].active_low);
    assert_true(found->isa[9].level_triggered);
}

static void assert_defaults(paddr_t rsdp)
{
    struct acpi_interrupts found;
    assert_false(acpi_read_interrupts(rsdp, map, &found));
    assert_int_equal(found.n_io_apics, 1);
    assert_int_equal(found.io_apics[0].base, 0xfec00000);
    assert_int_equal(found.io_apics[0].gsi_base, 0);
    for (uint32_t i = 0; i < ACPI_ISA_INTERRUPTS; i++) {
        assert_int_equal(found.isa[i].gsi, i);
        assert_false(found.isa[i].active_low || found.isa[i].level_triggered);
    }
}

static void the_madt_is_found_through_the_xsdt(void **state)
{
    struct acpi_interrupts found;
    (void)state;
    memory[RSDT]++;
    assert_true(acpi_read_interrupts(RSDP, map, &found));
    assert_madt_used(&found);
}

static void the_madt_is_found_through_the_rsdt(void **state)
{
    struct acpi_interrupts found;
    (void)state;
    make_rsdp(0);
    memory[XSDT]++;
    assert_true(acpi_read_interrupts(RSDP, map, &found));
    assert_madt_used(&found);
}

static void without_tables_the_pc_wiring_is_assumed(void **state)
{
    (void)state;
    assert_defaults(0);
    assert_defaults(MEMORY_SIZE);
    memory[RSDP]++;
    assert_defaults(RSDP);
}

static void a_damaged_table_is_not_used(void **state)
{
    (void)state;
    memory[MADT + 60]++;
    assert_defaults(RSDP);
    make_tables(NULL);
    put(MADT + 4, 35, 4);
    assert_defaults(RSDP);
    put(MADT + 4, UINT32_MAX, 4);
    assert_defaults(RSDP);
    make_tables(NULL);
    memory[XSDT + 9]++;
    assert_defaults(RSDP);
}

static void an_entry_that_ends_outside_stops_the_reading(void **state)
{
    struct acpi_interrupts found;
    uint32_t length = make_madt();
    (void)state;
    make_table(MADT, "APIC", length - 1);
    assert_true(acpi_read_interrupts(RSDP, map, &found));
    assert_int_equal(found.isa[0].gsi, 2);
    assert_false(found.isa[9].active_low || found.isa[9].level_triggered);
    memory[MADT + 45] = 0;
    fix_checksum(MADT, length - 1, 9);
    assert_defaults(RSDP);
}

static void any_damage_is_survived(void **state)
{
    struct acpi_interrupts found;
    (void)state;
    srand(1);
    for (int round = 0; round < FUZZ_ROUNDS; round++) {
        make_tables(NULL);
        for (int i = rand() % 4; i >= 0; i--)
            memory[RSDP + rand() % 0x500] = (uint8_t)rand();
        uint32_t length;
        memcpy(&length, memory + MADT + 4, 4);
        if (length < MEMORY_SIZE - MADT)
            fix_checksum(MADT, length, 9);
        acpi_read_interrupts(RSDP, map, &found);
        assert_in_range(found.n_io_apics, 1, ACPI_IO_APICS_MAX);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(the_madt_is_found_through_the_xsdt, make_tables),
        cmocka_unit_test_setup(the_madt_is_found_through_the_rsdt, make_tables),
        cmocka_unit_test_setup(without_tables_the_pc_wiring_is_assumed, make_tables),
        cmocka_unit_test_setup(a_damaged_table_is_not_used, make_tables),
        cmocka_unit_test_setup(an_entry_that_ends_outside_stops_the_reading, make_tables),
        cmocka_unit_test_setup(any_damage_is_survived, make_tables),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
