/* SPDX-License-Identifier: BSD-2-Clause */
/* What firmware leaves a guest, read as a guest would: by scanning, and following checked pointers.
 * links: core/guest/acpi.c core/guest/smbios.c core/guest/memory.c
 * links: core/guest/bios_data.c core/guest/layout.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/guest/acpi.h"
#include "core/guest/bios_data.h"
#include "core/guest/layout.h"
#include "core/guest/smbios.h"

enum { RAM_SIZE = 0x100000 };

static uint8_t *ram;
static struct guest_memory gm;

static int set_up(void **state)
{
    (void)state;
    ram = malloc(RAM_SIZE);
    memset(ram, 0xee, RAM_SIZE);
    gm.count = 0;
    return gm_add(&gm, 0, RAM_SIZE, ram) ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    free(ram);
    return 0;
}

static uint64_t peek(const uint8_t *at, size_t bytes)
{
    uint64_t value = 0;

    memcpy(&value, at, bytes);
    return value;
}

static uint8_t sum(const uint8_t *at, uint64_t size)
{
    uint8_t total = 0;

    while (size--)
        total += *at++;
    return total;
}

/* A table with the signature, its checksum and place checked. */
static const uint8_t *table_at(uint64_t gpa, const char *signature)
{
    assert_true(gpa >= GUEST_ACPI_BASE && gpa + 36 <= GUEST_ACPI_END);
    assert_int_equal(gpa % 16, 0);
    const uint8_t *table = ram + gpa;
    assert_memory_equal(table, signature, 4);
    uint64_t length = peek(table + 4, 4);
    assert_true(gpa + length <= GUEST_ACPI_END);
    assert_int_equal(sum(table, length), 0);
    assert_memory_equal(table + 10, "LAPWNGLAPWING ", 14);
    return table;
}

static const uint8_t *find_rsdp(void)
{
    for (uint64_t gpa = 0xe0000; gpa < 0x100000; gpa += 16)
        if (!memcmp(ram + gpa, "RSD PTR ", 8))
            return ram + gpa;
    return NULL;
}

struct tables {
    const uint8_t *fadt, *madt, *dsdt;
    uint64_t facs;
};

static const struct config_vm usual = {.cmos = 1, .pci = 1, .pm_timer = 1, .port_92 = 1};

static struct tables build_for(const uint32_t *apic_ids, uint32_t count,
                               const struct config_vm *config)
{
    uint64_t gpa = guest_acpi_build(&gm, apic_ids, count, config);
    const uint8_t *rsdp = find_rsdp();
    struct tables t;

    assert_int_equal(gpa, rsdp - ram);
    assert_int_equal(sum(rsdp, 20), 0);
    assert_int_equal(rsdp[15], 2);
    assert_int_equal(peek(rsdp + 20, 4), 36);
    assert_int_equal(sum(rsdp, 36), 0);

    const uint8_t *rsdt = table_at(peek(rsdp + 16, 4), "RSDT");
    const uint8_t *xsdt = table_at(peek(rsdp + 24, 8), "XSDT");
    assert_int_equal(peek(rsdt + 4, 4), 36 + 2 * 4);
    assert_int_equal(peek(xsdt + 4, 4), 36 + 2 * 8);
    t.fadt = table_at(peek(rsdt + 36, 4), "FACP");
    t.madt = table_at(peek(rsdt + 40, 4), "APIC");
    assert_ptr_equal(table_at(peek(xsdt + 36, 8), "FACP"), t.fadt);
    assert_ptr_equal(table_at(peek(xsdt + 44, 8), "APIC"), t.madt);
    t.dsdt = table_at(peek(t.fadt + 40, 4), "DSDT");
    assert_int_equal(peek(t.fadt + 140, 8), t.dsdt - ram);
    t.facs = peek(t.fadt + 36, 4);
    return t;
}

static struct tables build(const uint32_t *apic_ids, uint32_t count)
{
    return build_for(apic_ids, count, &usual);
}

static void fixed_hardware(void **state)
{
    /* Address space, bit width, bit offset, access size, address: register descriptions. */
    static const uint8_t pm1_event[12] = {1, 32, 0, 2, 0x00, 0x06};
    static const uint8_t pm1_control[12] = {1, 16, 0, 2, 0x04, 0x06};
    static const uint8_t pm_timer[12] = {1, 32, 0, 3, 0x08, 0x06};
    static const uint8_t reset[12] = {1, 8, 0, 1, 0xf9, 0x0c};
    struct tables t = build((const uint32_t[]){0}, 1);

    (void)state;
    assert_int_equal(peek(t.fadt + 4, 4), 276);
    assert_int_equal(t.fadt[8], 6);
    assert_int_equal(peek(t.fadt + 46, 2), 9);
    assert_int_equal(peek(t.fadt + 48, 4), 0); /* SMI_CMD: always in ACPI mode */
    assert_int_equal(peek(t.fadt + 56, 4), 0x600);
    assert_int_equal(peek(t.fadt + 64, 4), 0x604);
    assert_int_equal(peek(t.fadt + 76, 4), 0x608);
    assert_memory_equal(t.fadt + 88, "\4\2\0\4\0\0", 6);
    assert_int_equal(t.fadt[108], 0x32);
    assert_int_equal(peek(t.fadt + 109, 2), 0x5);
    assert_int_equal(peek(t.fadt + 112, 4), 0x1575);
    assert_memory_equal(t.fadt + 116, reset, 12);
    assert_int_equal(t.fadt[128], 6);
    assert_memory_equal(t.fadt + 148, pm1_event, 12);
    assert_memory_equal(t.fadt + 172, pm1_control, 12);
    assert_memory_equal(t.fadt + 208, pm_timer, 12);
    assert_int_equal(t.facs % 64, 0);
    assert_memory_equal(ram + t.facs, "FACS\x40\0\0\0", 8);
    assert_int_equal(ram[t.facs + 32], 2);
}

/* What a configuration leaves out has no address, no length and no flag. */
static void absent_hardware(void **state)
{
    static const uint8_t none[12];
    struct tables t = build_for((const uint32_t[]){0}, 1, &(struct config_vm){.legacy = 0});

    (void)state;
    assert_int_equal(peek(t.fadt + 76, 4), 0);
    assert_memory_equal(t.fadt + 88, "\4\2\0\0\0\0", 6);
    assert_int_equal(t.fadt[108], 0);
    assert_int_equal(peek(t.fadt + 109, 2), 0x25);
    assert_int_equal(peek(t.fadt + 112, 4), 0x1075);
    assert_memory_equal(t.fadt + 116, none, 12);
    assert_int_equal(t.fadt[128], 0);
    assert_memory_equal(t.fadt + 208, none, 12);
}

static bool has_bytes(const uint8_t *table, const uint8_t *bytes, size_t count)
{
    for (size_t i = 36; i + count <= peek(table + 4, 4); i++)
        if (!memcmp(table + i, bytes, count))
            return true;
    return false;
}

/* An I/O port and an IRQ resource descriptor, as a device of the DSDT has them. */
static bool has_device(const uint8_t *dsdt, uint16_t port, uint8_t ports, unsigned irq)
{
    uint8_t low = (uint8_t)port, high = (uint8_t)(port >> 8);
    const uint8_t resources[] = {0x47,
                                 1,
                                 low,
                                 high,
                                 low,
                                 high,
                                 1,
                                 ports,
                                 0x22,
                                 (uint8_t)(1 << irq),
                                 (uint8_t)(1 << irq >> 8)};

    return has_bytes(dsdt, resources, sizeof(resources));
}

static void dsdt_agrees_with_layout(void **state)
{
    static const uint8_t s5[] = {
        8, '_', 'S', '5', '_', 0x12, 6, 4, GUEST_S5_SLEEP_TYPE, GUEST_S5_SLEEP_TYPE};
    uint8_t status[] = {'_', 'S', 'T', 'A', 0x0a, 0x0f}; /* the clock's */
    struct tables t = build((const uint32_t[]){0}, 1);

    (void)state;
    assert_int_equal(GUEST_S5_SLEEP_TYPE, 0); /* else AML spells it with a prefix */
    assert_true(has_bytes(t.dsdt, s5, sizeof(s5)));
    assert_true(has_device(t.dsdt, GUEST_PORT_COM1, 8, GUEST_GSI_COM1));
    assert_true(has_device(t.dsdt, GUEST_PORT_RTC_INDEX, 2, GUEST_GSI_RTC));
    assert_false(has_device(t.dsdt, GUEST_PORT_COM1, 8, GUEST_GSI_RTC));
    assert_true(has_bytes(t.dsdt, status, sizeof(status)));
    status[5] = 0;
    assert_false(has_bytes(t.dsdt, status, sizeof(status)));
    t = build_for((const uint32_t[]){0}, 1, &(struct config_vm){.pci = 1});
    assert_true(has_bytes(t.dsdt, status, sizeof(status)));
}

/* The processors' APIC IDs in order, and how many entries of type 9 there were. */
static uint32_t check_madt(const uint8_t *madt, const uint32_t *apic_ids, uint32_t count)
{
    static const uint8_t io_apic[] = {1, 12, 0, 0, 0, 0, 0xc0, 0xfe, 0, 0, 0, 0};
    static const uint8_t sci[] = {2, 10, 0, 9, 9, 0, 0, 0, 0x0d, 0};
    const uint8_t *end = madt + peek(madt + 4, 4);
    uint32_t index = 0, long_entries = 0, others = 0;

    assert_int_equal(peek(madt + 36, 4), 0xfee00000);
    assert_int_equal(peek(madt + 40, 4), 0);
    for (const uint8_t *e = madt + 44; e < end; e += e[1]) {
        if (e[0] == 0) {
            assert_int_equal(e[1], 8);
            assert_int_equal(e[2], index);
            assert_int_equal(e[3], apic_ids[index++]);
            assert_int_equal(peek(e + 4, 4), 1);
        } else if (e[0] == 9) {
            assert_int_equal(e[1], 16);
            assert_int_equal(peek(e + 4, 4), apic_ids[index]);
            assert_int_equal(peek(e + 8, 4), 1);
            assert_int_equal(peek(e + 12, 4), index++);
            long_entries++;
        } else {
            assert_memory_equal(e, e[0] == 1 ? io_apic : sci, e[0] == 1 ? 12 : 10);
            others++;
        }
    }
    assert_int_equal(index, count);
    assert_int_equal(others, 2);
    return long_entries;
}

static void processors(void **state)
{
    static const uint32_t apic_ids[] = {0, 1, 254, 255, 256, 0xfffffffe, 7};
    static uint32_t many[GUEST_ACPI_CPUS_MAX];
    struct tables t = build(apic_ids, 7);

    (void)state;
    assert_int_equal(check_madt(t.madt, apic_ids, 7), 3);

    for (uint32_t i = 0; i < GUEST_ACPI_CPUS_MAX; i++)
        many[i] = i * 2;
    t = build(many, GUEST_ACPI_CPUS_MAX);
    assert_int_equal(check_madt(t.madt, many, GUEST_ACPI_CPUS_MAX), GUEST_ACPI_CPUS_MAX - 128);

    for (uint32_t i = 0; i < 300; i++)
        many[i] = 0; /* an entry of type 0 has no room for the processor's number from 255 on */
    t = build(many, 300);
    assert_int_equal(check_madt(t.madt, many, 300), 300 - 255);
}

/* The flag for 8259s, and where the timer's interrupt goes. */
static void legacy_devices(void **state)
{
    static const uint8_t pit[] = {2, 10, 0, 0, 2, 0, 0, 0, 0, 0};
    struct tables t = build_for((const uint32_t[]){0}, 1, &(struct config_vm){.legacy = 1});

    (void)state;
    assert_int_equal(peek(t.madt + 40, 4), 1);
    assert_memory_equal(t.madt + 44 + 8 + 12, pit, sizeof(pit));
    assert_int_equal(t.madt[44 + 8 + 12 + 10 + 3], 9);
    assert_int_equal(peek(t.madt + 4, 4), 44 + 8 + 12 + 10 + 10);
}

static void refusals(void **state)
{
    static const uint32_t apic_ids[GUEST_ACPI_CPUS_MAX + 1];
    struct guest_memory small = {.count = 0}, tiny = {0};

    (void)state;
    assert_int_equal(guest_acpi_build(&gm, apic_ids, 0, &usual), 0);
    assert_int_equal(guest_acpi_build(&gm, apic_ids, GUEST_ACPI_CPUS_MAX + 1, &usual), 0);
    assert_true(gm_add(&small, 0, GUEST_ACPI_END - 1, ram));
    assert_int_equal(guest_acpi_build(&small, apic_ids, 1, &usual), 0);
    assert_false(guest_smbios_build(&small));
    assert_true(gm_add(&tiny, 0, GUEST_CONVENTIONAL_TOP, ram));
    assert_false(guest_bios_data_build(&tiny));
}

static void nothing_else_is_touched(void **state)
{
    static const uint32_t apic_ids[GUEST_ACPI_CPUS_MAX];

    (void)state;
    assert_int_not_equal(guest_acpi_build(&gm, apic_ids, GUEST_ACPI_CPUS_MAX, &usual), 0);
    for (uint32_t gpa = 0; gpa < RAM_SIZE; gpa++)
        if (gpa < GUEST_ACPI_BASE || gpa >= GUEST_ACPI_END)
            assert_int_equal(ram[gpa], 0xee);
    memset(ram, 0xee, RAM_SIZE);
    assert_true(guest_smbios_build(&gm));
    for (uint32_t gpa = 0; gpa < GUEST_SMBIOS_BASE; gpa++)
        assert_int_equal(ram[gpa], 0xee);
}

/* The n-th string of a structure. */
static const char *smbios_string(const uint8_t *structure, unsigned n)
{
    const char *s = (const char *)structure + structure[1];

    while (--n)
        s += strlen(s) + 1;
    return s;
}

static const uint8_t *smbios_next(const uint8_t *structure)
{
    const uint8_t *end = structure + structure[1];

    while (end[0] || end[1])
        end++;
    return end + 2;
}

static void smbios(void **state)
{
    (void)state;
    assert_true(guest_smbios_build(&gm));
    const uint8_t *entry = ram + GUEST_SMBIOS_BASE;
    assert_memory_equal(entry, "_SM3_", 5);
    assert_int_equal(entry[6], 24);
    assert_int_equal(entry[7], 3);
    assert_int_equal(sum(entry, 24), 0);

    const uint8_t *bios = ram + peek(entry + 16, 8);
    const uint8_t *table_end = bios + peek(entry + 12, 4);
    assert_int_equal(bios[0], 0);
    assert_string_equal(smbios_string(bios, bios[4]), "Lapwing");
    assert_true(atoi(smbios_string(bios, bios[8]) + 6) >= 2001); /* MM/DD/YYYY */
    assert_true(bios[19] & 0x10);

    const uint8_t *system = smbios_next(bios);
    assert_int_equal(system[0], 1);
    assert_string_equal(smbios_string(system, system[4]), "Lapwing");
    assert_string_equal(smbios_string(system, system[5]), "Virtual machine");

    const uint8_t *end = smbios_next(system);
    assert_int_equal(end[0], 127);
    assert_ptr_equal(smbios_next(end), table_end);
    assert_true(bios[2] != system[2] && system[2] != end[2]); /* handles */
}

/* Who believes the memory map and who believes the BIOS has the same base memory. */
static void bios_data(void **state)
{
    struct guest_map_entry map[GUEST_MAP_MAX];

    (void)state;
    assert_true(guest_bios_data_build(&gm));
    guest_memory_map(GUEST_MEMORY_MIN, map);
    uint32_t ebda = (uint32_t)peek(ram + 0x40e, 2) << 4;
    assert_int_equal(peek(ram + 0x400, 2), 0x3f8);
    assert_int_equal(peek(ram + 0x413, 2) << 10, map[0].size);
    assert_int_equal(ebda, map[1].gpa);
    assert_true(ebda + (peek(ram + ebda, 1) << 10) <= 0xa0000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(fixed_hardware, set_up, tear_down),
        cmocka_unit_test_setup_teardown(absent_hardware, set_up, tear_down),
        cmocka_unit_test_setup_teardown(dsdt_agrees_with_layout, set_up, tear_down),
        cmocka_unit_test_setup_teardown(processors, set_up, tear_down),
        cmocka_unit_test_setup_teardown(legacy_devices, set_up, tear_down),
        cmocka_unit_test_setup_teardown(refusals, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nothing_else_is_touched, set_up, tear_down),
        cmocka_unit_test_setup_teardown(smbios, set_up, tear_down),
        cmocka_unit_test_setup_teardown(bios_data, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
