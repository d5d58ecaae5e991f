/* SPDX-License-Identifier: BSD-2-Clause */
/* Guest memory: bounds, slots, layout. links: core/guest/memory.c core/guest/layout.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/guest/layout.h"
#include "core/guest/memory.h"

static uint8_t a[16], b[16], c[16];

/* Two adjoining slots out of order, and one that ends at the last address but one. */
static struct guest_memory three_slots(void)
{
    struct guest_memory gm = {0};

    memset(a, 'a', sizeof(a));
    memset(b, 'b', sizeof(b));
    memset(c, 'c', sizeof(c));
    assert_true(gm_add(&gm, 0x1010, sizeof(b), b));
    assert_true(gm_add(&gm, 0x1000, sizeof(a), a));
    assert_true(gm_add(&gm, UINT64_MAX - 16, sizeof(c), c));
    return gm;
}

static void add(void **state)
{
    struct guest_memory gm = three_slots();

    (void)state;
    assert_false(gm_add(&gm, 0x2000, 0, a));
    assert_false(gm_add(&gm, UINT64_MAX, 2, a));
    assert_false(gm_add(&gm, 0x101f, 1, a));
    assert_false(gm_add(&gm, 0xfff, 2, a));
    assert_false(gm_add(&gm, 0, 0x8000, a));
    assert_int_equal(gm.count, 3);
    while (gm.count < GUEST_MEMORY_SLOTS_MAX)
        assert_true(gm_add(&gm, 0x10000 + gm.count * 16, 16, a));
    assert_false(gm_add(&gm, 0x20000, 16, a));
}

static void read_across_slots(void **state)
{
    struct guest_memory gm = three_slots();
    uint8_t buf[32];

    (void)state;
    assert_true(gm_read(&gm, 0x1000, buf, 32));
    assert_memory_equal(buf, a, 16);
    assert_memory_equal(buf + 16, b, 16);
    assert_true(gm_read(&gm, UINT64_MAX - 1, buf, 1));
    assert_int_equal(buf[0], 'c');
    assert_true(gm_read(&gm, 0, NULL, 0));
}

static void refused_access_changes_nothing(void **state)
{
    static const struct {
        uint64_t gpa, len;
    } bad[] = {
        {0xfff, 1},
        {0xfff, 2},
        {0x1020, 1},
        {0x1000, 33},
        {0x1010, 17},
        {0, 0x1010},
        {UINT64_MAX, 1},
        {UINT64_MAX - 16, 17},
        {UINT64_MAX - 1, 2},
        {0x1000, UINT64_MAX},
        {0x1010, UINT64_MAX - 0xf},
        {UINT64_MAX - 1, 0x2000},
    };
    struct guest_memory gm = three_slots();
    uint8_t buf[64], before[64];

    (void)state;
    memset(buf, 'x', sizeof(buf));
    memset(before, 'x', sizeof(before));
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_false(gm_read(&gm, bad[i].gpa, buf, bad[i].len));
        assert_false(gm_write(&gm, bad[i].gpa, buf, bad[i].len));
        assert_null(gm_ptr(&gm, bad[i].gpa, bad[i].len));
    }
    assert_memory_equal(buf, before, sizeof(buf));
    for (int i = 0; i < 16; i++) {
        assert_int_equal(a[i], 'a');
        assert_int_equal(b[i], 'b');
        assert_int_equal(c[i], 'c');
    }
}

static void write_across_slots(void **state)
{
    struct guest_memory gm = three_slots();

    (void)state;
    assert_true(gm_write(&gm, 0x100e, "1234", 4));
    assert_memory_equal(a + 13, "a12", 3);
    assert_memory_equal(b, "34b", 3);
}

static void pointer_stays_in_one_slot(void **state)
{
    struct guest_memory gm = three_slots();

    (void)state;
    assert_ptr_equal(gm_ptr(&gm, 0x1000, 16), a);
    assert_ptr_equal(gm_ptr(&gm, 0x1018, 8), b + 8);
    assert_null(gm_ptr(&gm, 0x1008, 9));
    assert_null(gm_ptr(&gm, 0x1000, 0));
}

/* The map covers all RAM once, in order, and leaves out the hole. */
static void layout(void **state)
{
    static const uint64_t sizes[] = {GUEST_MEMORY_MIN, 512ULL << 20, GUEST_LOW_RAM_TOP,
                                     GUEST_LOW_RAM_TOP + GUEST_MEMORY_GRAIN, 8ULL << 30};

    (void)state;
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct guest_map_entry map[GUEST_MAP_MAX];
        size_t lines = guest_memory_map(sizes[i], map);
        uint64_t total = 0, end = 0;

        for (size_t j = 0; j < lines; j++) {
            assert_true(map[j].size > 0);
            assert_int_equal(map[j].gpa, map[j].gpa == GUEST_HIGH_RAM ? GUEST_HIGH_RAM : end);
            total += map[j].size;
            end = map[j].gpa + map[j].size;
        }
        assert_int_equal(total, sizes[i]);
        assert_int_equal(guest_low_ram(sizes[i]) + guest_high_ram(sizes[i]), sizes[i]);
        assert_true(guest_low_ram(sizes[i]) <= GUEST_LOW_RAM_TOP);
        assert_int_equal(map[1].type, GUEST_MAP_RESERVED);
        assert_true(map[1].gpa <= GUEST_ACPI_BASE);
        assert_true(GUEST_SMBIOS_END <= map[2].gpa);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(add),
        cmocka_unit_test(read_across_slots),
        cmocka_unit_test(refused_access_changes_nothing),
        cmocka_unit_test(write_across_slots),
        cmocka_unit_test(pointer_stays_in_one_slot),
        cmocka_unit_test(layout),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
