/* SPDX-License-Identifier: BSD-2-Clause */
/* Conversions between TSC ticks and nanoseconds. links: core/time.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/time.h"
#include "core/x86.h"

static void muldiv_keeps_128_bits(void **state)
{
    (void)state;
    assert_int_equal(muldiv(UINT64_MAX, UINT64_MAX, UINT64_MAX), UINT64_MAX);
    assert_int_equal(muldiv(UINT64_MAX, 3, 5), (uint64_t)((unsigned __int128)UINT64_MAX * 3 / 5));
    assert_int_equal(muldiv(7, 3, 2), 10);
    assert_int_equal(muldiv(0, 3, 2), 0);
}

static void muldiv_saturates(void **state)
{
    (void)state;
    assert_int_equal(muldiv(UINT64_MAX, 2, 1), UINT64_MAX);
    assert_int_equal(muldiv(UINT64_MAX, UINT64_MAX, 1), UINT64_MAX);
    assert_int_equal(muldiv(1ull << 63, 2, 1), UINT64_MAX);
}

static void durations_convert_both_ways(void **state)
{
    const uint64_t century_ns = 100ull * 365 * 86400 * NS_PER_SECOND;
    (void)state;
    uint64_t hz = time_tsc_hz();
    assert_int_equal(tsc_to_ns(hz), NS_PER_SECOND);
    assert_int_equal(ns_to_tsc(NS_PER_SECOND), hz);
    assert_int_equal(tsc_to_ns(ns_to_tsc(century_ns)), century_ns);
    assert_int_equal(ns_to_tsc(UINT64_MAX), muldiv(UINT64_MAX, hz, NS_PER_SECOND));
}

static void time_starts_at_zero_and_advances(void **state)
{
    (void)state;
    uint64_t first = time_now_ns();
    assert_true(first < 10 * NS_PER_SECOND);
    while (time_now_ns() == first)
        pause();
    assert_true(time_now_ns() > first);
}

static int init(void **state)
{
    (void)state;
    assert_int_equal(time_now_ns(), 0);
    time_init(2000000000);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(muldiv_keeps_128_bits),
        cmocka_unit_test(muldiv_saturates),
        cmocka_unit_test(durations_convert_both_ways),
        cmocka_unit_test(time_starts_at_zero_and_advances),
    };
    return cmocka_run_group_tests(tests, init, NULL);
}
