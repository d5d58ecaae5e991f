/* SPDX-License-Identifier: BSD-2-Clause */
/* What the FADT and the DSDT say of reset and power-off, in tables made here, sound and broken.
 * links: drivers/host/acpi_power.c drivers/host/acpi.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "drivers/host/acpi_power.h"
#include "tests/host/acpi_memory.h"

enum {
    RSDP = 0x100,
    XSDT = 0x200,
    FADT = 0x400,
    FADT_SIZE = 244,
    DSDT = 0x1000,
    FUZZ_ROUNDS = 50000,
};

/* What iasl makes of a DSDT with \_S5. */
static const uint8_t compiled_dsdt[] = {
#include "dsdt.inc"
};

static void put_dsdt(const uint8_t *aml, uint32_t length)
{
    memcpy(memory + DSDT + 36, aml, length);
    make_table(DSDT, "DSDT", 36 + length);
}

#define AML(...)                                                                                   \
    do {                                                                                           \
        static const uint8_t aml[] = {__VA_ARGS__};                                                \
        put_dsdt(aml, sizeof(aml));                                                                \
    } while (0)

/* As q35's: PM1a at 604h, ACPI mode by writing 2 to port B2h, reset by writing Fh to port CF9h. */
static int make_tables(void **state)
{
    (void)state;
    memset(memory, 0, sizeof(memory));
    memcpy(memory + RSDP, "RSD PTR ", 8);
    memory[RSDP + 15] = 2;
    put(RSDP + 24, XSDT, 8);
    fix_checksum(RSDP, 20, 8);
    fix_checksum(RSDP, 36, 32);
    put(XSDT + 36, FADT, 8);
    make_table(XSDT, "XSDT", 44);
    put(FADT + 40, DSDT, 4);
    put(FADT + 48, 0xb2, 4);
    put(FADT + 52, 2, 1);
    put(FADT + 64, 0x604, 4);
    put(FADT + 112, 1 << 10, 4);
    put(FADT + 116, 0x01000801, 4);
    put(FADT + 120, 0xcf9, 8);
    put(FADT + 128, 0x0f, 1);
    make_table(FADT, "FACP", FADT_SIZE);
    memcpy(memory + DSDT, compiled_dsdt, sizeof(compiled_dsdt));
    return 0;
}

static struct acpi_power read_power(void)
{
    struct acpi_power power;
    fix_checksum(FADT, FADT_SIZE, 9);
    acpi_read_power(RSDP, map, &power);
    return power;
}

static void ports_are_found(void **state)
{
    struct acpi_power power = read_power();
    (void)state;
    assert_true(power.can_reset && power.reset_is_port);
    assert_int_equal(power.reset, 0xcf9);
    assert_int_equal(power.reset_value, 0x0f);
    assert_null(power.no_off);
    assert_int_equal(power.pm1a, 0x604);
    assert_int_equal(power.pm1b, 0);
    assert_int_equal(power.type_a, 0);
    assert_int_equal(power.type_b, 0);
    assert_int_equal(power.smi_command, 0xb2);
    assert_int_equal(power.enable, 2);
}

static void extended_addresses_come_first(void **state)
{
    (void)state;
    put(FADT + 172, 0x02001001, 4);
    put(FADT + 176, 0x1804, 8);
    put(FADT + 184, 0x02001001, 4);
    put(FADT + 188, 0x1904, 8);
    put(FADT + 140, DSDT, 8);
    put(FADT + 40, 0x3, 4);
    struct acpi_power power = read_power();
    assert_null(power.no_off);
    assert_int_equal(power.pm1a, 0x1804);
    assert_int_equal(power.pm1b, 0x1904);
    put(FADT + 172, 0x02001000, 4); /* in memory, which a PC has not: the old field counts */
    assert_int_equal(read_power().pm1a, 0x604);
}

static void a_reset_register_needs_its_flag_and_a_place(void **state)
{
    (void)state;
    put(FADT + 112, 0, 4);
    assert_false(read_power().can_reset);
    put(FADT + 112, 1 << 10, 4);
    put(FADT + 116, 0, 1); /* memory */
    assert_true(read_power().can_reset);
    assert_false(read_power().reset_is_port);
    put(FADT + 116, 2, 1); /* PCI configuration space */
    assert_false(read_power().can_reset);
    put(FADT + 116, 1, 1);
    put(FADT + 120, 0x10000, 8);
    assert_false(read_power().can_reset);
    put(FADT + 120, 0xcf9, 8);
    put(FADT + 4, 116, 4); /* of ACPI 1.0, without these fields */
    fix_checksum(FADT, 116, 9);
    struct acpi_power power;
    acpi_read_power(RSDP, map, &power);
    assert_false(power.can_reset);
    assert_null(power.no_off);
}

/* ACPI, "AML Grammar Definition": numbers as ZeroOp, OneOp and bytes, short and long packages. */
static void sleep_types_are_read(void **state)
{
    (void)state;
    AML(0x5b, 0x80, 0x08, '_', 'S', '5', '_', 0x12, 0x06, 0x04, 0x0a, 0x05, 0x0a, 0x07, 0, 0);
    struct acpi_power power = read_power();
    assert_null(power.no_off);
    assert_int_equal(power.type_a, 5);
    assert_int_equal(power.type_b, 7);
    AML(0x08, '\\', '_', 'S', '5', '_', 0x12, 0x4a, 0x00, 0x02, 0x01, 0x00);
    power = read_power();
    assert_null(power.no_off);
    assert_int_equal(power.type_a, 1);
    assert_int_equal(power.type_b, 0);
}

static void what_is_no_package_of_small_numbers_is_refused(void **state)
{
    (void)state;
    AML(0x14, '_', 'S', '5', '_', 0x12, 0x06, 0x02, 0x01, 0x01); /* a method's name */
    assert_string_equal(read_power().no_off, "the DSDT holds no plain \\_S5");
    AML(0x08, '_', 'S', '5', '_', 0x11, 0x06, 0x02, 0x01, 0x01);
    assert_non_null(read_power().no_off);
    AML(0x08, '_', 'S', '5', '_', 0x12, 0x06, 0x01, 0x01, 0x01);
    assert_non_null(read_power().no_off);
    AML(0x08, '_', 'S', '5', '_', 0x12, 0x06, 0x02, 0x0a, 0x08, 0x01);
    assert_non_null(read_power().no_off);
    AML(0x08, '_', 'S', '5', '_', 0x12, 0x06, 0x02, 0x01); /* ends early */
    assert_non_null(read_power().no_off);
    AML(0x08, '_', 'S', '5', '_', 0x12, 0xff);
    assert_non_null(read_power().no_off);
}

static void what_is_missing_is_named(void **state)
{
    struct acpi_power power;
    (void)state;
    acpi_read_power(0, map, &power);
    assert_string_equal(power.no_off, "there is no sound FADT");
    assert_false(power.can_reset);
    put(FADT + 64, 0, 4);
    assert_string_equal(read_power().no_off, "the FADT names no PM1a control register");
    put(FADT + 64, 0x604, 4);
    memory[DSDT] = 'X';
    assert_string_equal(read_power().no_off, "there is no sound DSDT");
    memory[DSDT] = 'D';
    put(DSDT + 4, MEMORY_SIZE, 4);
    assert_string_equal(read_power().no_off, "there is no sound DSDT");
}

static void any_damage_is_survived(void **state)
{
    struct acpi_power power;
    (void)state;
    srand(1);
    for (int round = 0; round < FUZZ_ROUNDS; round++) {
        make_tables(NULL);
        for (int i = rand() % 8; i >= 0; i--)
            memory[FADT + rand() % FADT_SIZE] = (uint8_t)rand();
        for (int i = rand() % 8; i >= 0; i--)
            memory[DSDT + rand() % sizeof(compiled_dsdt)] = (uint8_t)rand();
        memcpy(memory + FADT, "FACP", 4);
        put(FADT + 4, 100 + (uint32_t)rand() % 200, 4);
        fix_checksum(FADT, *(uint32_t *)(memory + FADT + 4), 9);
        acpi_read_power(RSDP, map, &power);
        assert_true(power.no_off || (power.pm1a && power.type_a < 8 && power.type_b < 8));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(ports_are_found, make_tables),
        cmocka_unit_test_setup(extended_addresses_come_first, make_tables),
        cmocka_unit_test_setup(a_reset_register_needs_its_flag_and_a_place, make_tables),
        cmocka_unit_test_setup(sleep_types_are_read, make_tables),
        cmocka_unit_test_setup(what_is_no_package_of_small_numbers_is_refused, make_tables),
        cmocka_unit_test_setup(what_is_missing_is_named, make_tables),
        cmocka_unit_test_setup(any_damage_is_survived, make_tables),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
