/* SPDX-License-Identifier: BSD-2-Clause */
/* links: boot/memory_map.c */
/* The firmware's memory map, converted for core. */
#include "boot/memory_map.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/bits.h"

enum { LIST_MAX = 16, PAGE = 4096, WRITE_BACK = 8, STRIDE = 48 };

/* Types of the UEFI specification. */
enum {
    RESERVED = 0,
    LOADER_CODE = 1,
    LOADER_DATA = 2,
    BOOT_DATA = 4,
    RUNTIME_DATA = 6,
    CONVENTIONAL = 7,
    UNUSABLE = 8,
    ACPI_RECLAIM = 9,
    MMIO = 11,
    UNACCEPTED = 15,
};

struct line {
    uint32_t type;
    uint64_t base;
    uint64_t pages;
    uint64_t attribute;
};

static uint8_t descriptors[64 * STRIDE];
static struct handover_range ranges[LIST_MAX];

/* Firmware spaces its descriptors wider than the structure of the specification. */
static struct firmware_map make_map(const struct line *lines, uint32_t n)
{
    memset(descriptors, 0xee, sizeof(descriptors));
    for (uint32_t i = 0; i < n; i++) {
        uint8_t *d = descriptors + i * STRIDE;

        memcpy(d, &lines[i].type, 4);
        memcpy(d + 8, &lines[i].base, 8);
        memcpy(d + 24, &lines[i].pages, 8);
        memcpy(d + 32, &lines[i].attribute, 8);
    }
    return (struct firmware_map){descriptors, n * STRIDE, STRIDE};
}

static struct range_list empty(uint32_t max)
{
    return (struct range_list){.ranges = ranges, .max = max};
}

static void expect(const struct range_list *list, const struct handover_range *want, uint32_t n)
{
    for (uint32_t i = 0; i < list->count && i < n; i++) {
        assert_int_equal(list->ranges[i].base, want[i].base);
        assert_int_equal(list->ranges[i].size, want[i].size);
        assert_int_equal(list->ranges[i].type, want[i].type);
    }
    assert_int_equal(list->count, n);
}

static void test_types_order_and_merging(void **state)
{
    static const struct line lines[] = {
        {MMIO, 0xfec00000, 1, 0},
        {CONVENTIONAL, 0x100000, 0x100, WRITE_BACK},
        {BOOT_DATA, 0x200000, 0x10, WRITE_BACK},
        {LOADER_CODE, 0x210000, 0x10, WRITE_BACK},
        {RUNTIME_DATA, 0x220000, 1, WRITE_BACK},
        {ACPI_RECLAIM, 0x221000, 1, WRITE_BACK},
        {RESERVED, 0x222000, 1, WRITE_BACK},
        {UNUSABLE, 0x223000, 1, WRITE_BACK},
        {RESERVED, 0xfed00000, 1, 1},
        {UNACCEPTED, 0x300000, 1, WRITE_BACK},
        {CONVENTIONAL, 0, 0x9f, WRITE_BACK},
    };
    static const struct handover_range want[] = {
        {0, PAGE, HANDOVER_RESERVED},        {PAGE, 0x9e * PAGE, HANDOVER_FREE},
        {0x100000, 0x120000, HANDOVER_FREE}, {0x220000, 0x3000, HANDOVER_RESERVED},
        {0xfec00000, PAGE, HANDOVER_MMIO},   {0xfed00000, PAGE, HANDOVER_MMIO},
    };
    struct firmware_map map = make_map(lines, ARRAY_SIZE(lines));
    struct range_list list = empty(LIST_MAX);

    (void)state;
    assert_true(memory_map_convert(&map, NULL, 0, &list));
    expect(&list, want, ARRAY_SIZE(want));
    assert_int_equal(ranges_total(&list, HANDOVER_FREE), 0x9e * PAGE + 0x120000);
}

static void test_claims_are_cut_out(void **state)
{
    static const struct line lines[] = {{CONVENTIONAL, 0x100000, 0x100, WRITE_BACK}};
    static const struct memory_claim claims[] = {{0x140000, 0x2000}, {0x142000, 0x1000}};
    static const struct handover_range want[] = {
        {0, PAGE, HANDOVER_RESERVED},
        {0x100000, 0x40000, HANDOVER_FREE},
        {0x140000, 0x3000, HANDOVER_HYPERVISOR},
        {0x143000, 0xbd000, HANDOVER_FREE},
    };
    struct firmware_map map = make_map(lines, 1);
    struct range_list list = empty(LIST_MAX);

    (void)state;
    assert_true(memory_map_convert(&map, claims, 2, &list));
    expect(&list, want, ARRAY_SIZE(want));
}

static void test_overlap_takes_the_cautious_type(void **state)
{
    static const struct line lines[] = {
        {MMIO, 0x180000, 0x10, 0},
        {RUNTIME_DATA, 0x170000, 0x20, WRITE_BACK},
        {CONVENTIONAL, 0x100000, 0x100, WRITE_BACK},
    };
    static const struct handover_range want[] = {
        {0, PAGE, HANDOVER_RESERVED},           {0x100000, 0x70000, HANDOVER_FREE},
        {0x170000, 0x10000, HANDOVER_RESERVED}, {0x180000, 0x10000, HANDOVER_MMIO},
        {0x190000, 0x70000, HANDOVER_FREE},
    };
    struct firmware_map map = make_map(lines, ARRAY_SIZE(lines));
    struct range_list list = empty(LIST_MAX);

    (void)state;
    assert_true(memory_map_convert(&map, NULL, 0, &list));
    expect(&list, want, ARRAY_SIZE(want));
}

static void test_beyond_the_direct_map(void **state)
{
    static const struct line lines[] = {
        {CONVENTIONAL, DIRECT_MAP_SIZE, 1, WRITE_BACK},
        {CONVENTIONAL, DIRECT_MAP_SIZE + PAGE, 1, WRITE_BACK},
        {CONVENTIONAL, DIRECT_MAP_SIZE - PAGE, 2, WRITE_BACK},
        {RESERVED, 0x100000, ~0ull, 0},
        {CONVENTIONAL, DIRECT_MAP_SIZE - PAGE, 1, WRITE_BACK},
    };
    static const struct handover_range want[] = {
        {0, PAGE, HANDOVER_RESERVED},
        {DIRECT_MAP_SIZE - PAGE, PAGE, HANDOVER_FREE},
    };
    struct firmware_map map = make_map(lines, ARRAY_SIZE(lines));
    struct range_list list = empty(LIST_MAX);

    (void)state;
    assert_true(memory_map_convert(&map, NULL, 0, &list));
    expect(&list, want, ARRAY_SIZE(want));
}

static void test_full_list(void **state)
{
    static const struct line lines[] = {{CONVENTIONAL, 0x100000, 0x100, WRITE_BACK}};
    static const struct memory_claim claim = {0x140000, 0x1000};
    struct firmware_map map = make_map(lines, 1);
    struct range_list list;

    (void)state;
    for (uint32_t max = 0; max < 4; max++) {
        list = empty(max);
        assert_false(memory_map_convert(&map, &claim, 1, &list));
    }
    list = empty(4);
    assert_true(memory_map_convert(&map, &claim, 1, &list));
}

static void test_direct_map(void **state)
{
    static const struct line lines[] = {
        {CONVENTIONAL, 0, 0x100, WRITE_BACK},       {ACPI_RECLAIM, 0x100000, 0x100, WRITE_BACK},
        {LOADER_DATA, 0x200000, 0x200, WRITE_BACK}, {MMIO, 0x400000, 1, 0},
        {CONVENTIONAL, 0x401000, 1, WRITE_BACK},
    };
    static const struct memory_claim image = {0x200000, 0x5000};
    static const struct handover_range want[] = {
        {0, 0x200000, HANDOVER_FREE},
        {0x205000, 0x1fb000, HANDOVER_FREE},
        {0x401000, PAGE, HANDOVER_FREE},
    };
    struct firmware_map map = make_map(lines, ARRAY_SIZE(lines));
    struct range_list list = empty(LIST_MAX);
    struct handover_range ram_ranges[4];
    struct range_list ram = {.ranges = ram_ranges, .max = 4};

    (void)state;
    assert_true(memory_map_convert(&map, &image, 1, &list));
    assert_true(memory_map_direct(&list, &image, &ram));
    expect(&ram, want, ARRAY_SIZE(want));
    ram.max = 3; /* the image splits a range in three before its own part goes */
    assert_false(memory_map_direct(&list, &image, &ram));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_types_order_and_merging),
        cmocka_unit_test(test_claims_are_cut_out),
        cmocka_unit_test(test_overlap_takes_the_cautious_type),
        cmocka_unit_test(test_beyond_the_direct_map),
        cmocka_unit_test(test_full_list),
        cmocka_unit_test(test_direct_map),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
