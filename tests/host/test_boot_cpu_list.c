/* SPDX-License-Identifier: BSD-2-Clause */
/* links: boot/cpu_list.c drivers/host/acpi.c */
/* Processors from several sources, each once. */
#include "boot/cpu_list.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/bits.h"

static struct cpu_list list;

static void expect(const uint32_t *ids, uint32_t n)
{
    uint32_t found[8];

    assert_int_equal(cpu_list_enabled(&list, found, ARRAY_SIZE(found)), n);
    assert_memory_equal(found, ids, n * sizeof(ids[0]));
}

static void test_sources_are_merged(void **state)
{
    static const uint32_t want[] = {2, 0, 4};

    (void)state;
    cpu_list_start(&list, 2);
    cpu_list_add(&list, 0, true);
    cpu_list_add(&list, 2, true);
    cpu_list_add(&list, 4, true);
    cpu_list_add(&list, 0, true);
    expect(want, ARRAY_SIZE(want));
}

static void test_disabled_anywhere_stays_out(void **state)
{
    static const uint32_t want[] = {0, 3};

    (void)state;
    cpu_list_start(&list, 0);
    cpu_list_add(&list, 1, true);
    cpu_list_add(&list, 2, false);
    cpu_list_add(&list, 3, true);
    cpu_list_add(&list, 1, false);
    cpu_list_add(&list, 2, true);
    cpu_list_add(&list, 0, false); /* cannot be: this code runs on it */
    expect(want, ARRAY_SIZE(want));
}

static void test_more_than_fit(void **state)
{
    uint32_t found[2] = {0, 99};

    (void)state;
    cpu_list_start(&list, 7);
    for (uint32_t i = 8; i < CPU_LIST_MAX + 10; i++)
        cpu_list_add(&list, i, true);
    assert_int_equal(cpu_list_enabled(&list, found, 1), CPU_LIST_MAX);
    assert_int_equal(found[0], 7);
    assert_int_equal(found[1], 99);
}

/* A MADT's fixed part, then a local APIC entry for 1, one disabled (2), one unused (0xff), an I/O
 * APIC, x2APIC entries for 0x100, a disabled 0x101, and the broadcast ID. */
static const uint8_t madt[] = {
    [0] = 'A', [1] = 'P', [2] = 'I', [3] = 'C', [43] = 0,                /* up to the flags */
    0,         8,         0,         1,         1,        0,    0,    0, /**/
    0,         8,         1,         2,         0,        0,    0,    0, /**/
    0,         8,         2,         0xff,      1,        0,    0,    0, /**/
    1,         12,        0,         0,         0,        0,    0xc0, 0xfe, 0, 0, 0, 0, /**/
    9,         16,        0,         0,         0x00,     0x01, 0,    0,    1, 0, 0, 0,
    0,         0,         0,         0, /**/
    9,         16,        0,         0,         0x01,     0x01, 0,    0,    2, 0, 0, 0,
    0,         0,         0,         0, /**/
    9,         16,        0,         0,         0xff,     0xff, 0xff, 0xff, 1, 0, 0, 0,
    0,         0,         0,         0, /**/
};

static void test_madt(void **state)
{
    static const uint32_t want[] = {0, 1, 0x100};

    (void)state;
    cpu_list_start(&list, 0);
    cpu_list_add_madt(&list, madt, sizeof(madt));
    expect(want, ARRAY_SIZE(want));
    assert_int_equal(list.count, 5);
}

static void test_madt_cut_anywhere(void **state)
{
    (void)state;
    for (uint32_t size = 0; size <= sizeof(madt); size++) {
        /* Exactly that many bytes, so that the sanitizer sees a read beyond them. */
        uint8_t cut[sizeof(madt)];
        uint8_t *end = cut + sizeof(cut) - size;

        memcpy(end, madt, size);
        cpu_list_start(&list, 0);
        cpu_list_add_madt(&list, end, size);
        assert_true(list.count <= 5);
    }
}

static void test_madt_entry_of_no_length(void **state)
{
    static const uint32_t want[] = {0, 1};
    uint8_t bad[sizeof(madt)];

    (void)state;
    memcpy(bad, madt, sizeof(bad));
    bad[44 + 8 + 1] = 0;
    cpu_list_start(&list, 0);
    cpu_list_add_madt(&list, bad, sizeof(bad));
    expect(want, ARRAY_SIZE(want));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sources_are_merged),
        cmocka_unit_test(test_disabled_anywhere_stays_out),
        cmocka_unit_test(test_more_than_fit),
        cmocka_unit_test(test_madt),
        cmocka_unit_test(test_madt_cut_anywhere),
        cmocka_unit_test(test_madt_entry_of_no_length),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
