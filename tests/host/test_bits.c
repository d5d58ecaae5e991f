/* SPDX-License-Identifier: BSD-2-Clause */
/* Masks, fields and alignment at the edges of 64 bits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/bits.h"

static void masks_reach_both_ends(void **state)
{
    (void)state;
    assert_int_equal(MASK(63, 0), UINT64_MAX);
    assert_int_equal(MASK(63, 63), 0x8000000000000000);
    assert_int_equal(MASK(0, 0), 1);
    assert_int_equal(MASK(51, 12), 0x000ffffffffff000);
}

static void fields_are_read_and_replaced(void **state)
{
    (void)state;
    assert_int_equal(field_get(0x123456789abcdef0, MASK(15, 8)), 0xde);
    assert_int_equal(field_get(UINT64_MAX, MASK(63, 60)), 0xf);
    assert_int_equal(field_set(UINT64_MAX, MASK(15, 8), 0), 0xffffffffffff00ff);
    assert_int_equal(field_set(0, MASK(15, 8), 0x1ab), 0xab00);
    assert_int_equal(field_set(0, MASK(63, 60), 0xf), 0xf000000000000000);
}

static void alignment(void **state)
{
    (void)state;
    assert_int_equal(align_up(1, 4096), 4096);
    assert_int_equal(align_up(4096, 4096), 4096);
    assert_int_equal(align_up(UINT64_MAX, 4096), 0);
    assert_int_equal(align_down(8191, 4096), 4096);
    assert_true(is_aligned(0, 4096) && is_aligned(8192, 4096) && !is_aligned(8193, 4096));
    assert_true(is_power_of_two(1) && is_power_of_two(BIT(63)));
    assert_false(is_power_of_two(0) || is_power_of_two(3));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(masks_reach_both_ends),
        cmocka_unit_test(fields_are_read_and_replaced),
        cmocka_unit_test(alignment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
