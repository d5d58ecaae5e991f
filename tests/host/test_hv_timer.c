/* SPDX-License-Identifier: BSD-2-Clause */
/* Synthetic timers, and reference time as the TSC's product. links: core/hyperv/stimer.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "core/hyperv/clock.h"
#include "core/hyperv/stimer.h"

enum { SINT2 = 2 << 16 };

static struct stimer timer;

static int setup(void **state)
{
    (void)state;
    stimer_reset(&timer);
    return 0;
}

static void set(uint64_t config, uint64_t count, uint64_t now)
{
    assert_true(stimer_write_config(&timer, config, now));
    stimer_write_count(&timer, count, now);
}

static void stands_after_reset(void **state)
{
    (void)state;
    assert_int_equal(timer.config, 0);
    assert_int_equal(timer.count, 0);
    assert_int_equal(timer.due, STIMER_NEVER);
    stimer_expire(&timer, UINT64_MAX - 1);
    assert_false(timer.owed);
}

static void reserved_bits(void **state)
{
    (void)state;
    for (unsigned bit = 0; bit < 64; bit++) {
        bool reserved = bit >= 20 || (bit >= 13 && bit <= 15);

        stimer_reset(&timer);
        assert_int_equal(stimer_write_config(&timer, BIT(bit) | 0x10 << 4, 0), !reserved);
        assert_int_equal(timer.config != 0, !reserved);
    }
    assert_false(stimer_write_config(&timer, STIMER_DIRECT | 15 << 4, 0));
    assert_true(stimer_write_config(&timer, STIMER_DIRECT | 16 << 4, 0));
}

static void one_shot(void **state)
{
    (void)state;
    set(STIMER_ENABLED | SINT2, 1000, 500);
    assert_int_equal(timer.due, 1000);
    stimer_expire(&timer, 999);
    assert_false(timer.owed);
    stimer_expire(&timer, 1000);
    assert_true(timer.owed);
    assert_int_equal(timer.expired, 1000);
    assert_int_equal(timer.config, SINT2); /* no longer enabled */
    assert_int_equal(timer.due, STIMER_NEVER);
    assert_int_equal(timer.count, 1000);
}

static void one_shot_in_the_past(void **state)
{
    (void)state;
    set(STIMER_ENABLED | SINT2, 1000, 5000);
    assert_true(timer.due <= 5000);
    stimer_expire(&timer, 5000);
    assert_true(timer.owed);
    assert_int_equal(timer.expired, 1000);
}

static void auto_enable(void **state)
{
    (void)state;
    set(STIMER_AUTO_ENABLE | SINT2, 1000, 0);
    assert_int_equal(timer.config, STIMER_ENABLED | STIMER_AUTO_ENABLE | SINT2);
    assert_int_equal(timer.due, 1000);
    stimer_expire(&timer, 1000);
    assert_int_equal(timer.config, STIMER_AUTO_ENABLE | SINT2);
    stimer_write_count(&timer, 2000, 1500);
    assert_int_equal(timer.due, 2000);
    assert_false(timer.owed); /* what was not announced is forgotten */
    stimer_write_count(&timer, 0, 1600);
    assert_int_equal(timer.config, STIMER_AUTO_ENABLE | SINT2);
    assert_int_equal(timer.due, STIMER_NEVER);
}

static void count_alone_starts_nothing(void **state)
{
    (void)state;
    set(SINT2, 1000, 0);
    assert_int_equal(timer.due, STIMER_NEVER);
    assert_true(stimer_write_config(&timer, STIMER_ENABLED | SINT2, 0));
    assert_int_equal(timer.due, 1000);
    assert_true(stimer_write_config(&timer, SINT2, 0));
    assert_int_equal(timer.due, STIMER_NEVER);
}

static void sint_0_takes_no_timer(void **state)
{
    (void)state;
    set(STIMER_AUTO_ENABLE, 0, 0);
    assert_true(stimer_write_config(&timer, STIMER_ENABLED, 0));
    assert_int_equal(timer.config, 0);
    assert_true(stimer_write_config(&timer, STIMER_ENABLED | STIMER_DIRECT | 0x20 << 4, 0));
    assert_true(timer.config & STIMER_ENABLED);
}

static void periodic(void **state)
{
    (void)state;
    set(STIMER_ENABLED | STIMER_PERIODIC | SINT2, 1000, 500);
    for (uint64_t due = 1500; due < 10000; due += 1000) {
        assert_int_equal(timer.due, due);
        stimer_expire(&timer, due - 1);
        assert_false(timer.owed);
        stimer_expire(&timer, due + due % 499); /* late, but not by a period */
        assert_true(timer.owed);
        assert_int_equal(timer.expired, due);
        timer.owed = false;
    }
    assert_true(timer.config & STIMER_ENABLED);
}

static void missed_periods_are_one(void **state)
{
    (void)state;
    set(STIMER_ENABLED | STIMER_PERIODIC | SINT2, 1000, 0);
    stimer_expire(&timer, 5400);
    assert_int_equal(timer.expired, 1000);
    assert_int_equal(timer.due, 6000); /* in step with the first */
    stimer_expire(&timer, 6000);       /* the first is not announced yet */
    assert_int_equal(timer.expired, 1000);
    assert_int_equal(timer.due, 7000);
}

static void short_periods_leave_time(void **state)
{
    (void)state;
    set(STIMER_ENABLED | STIMER_PERIODIC | SINT2, 1, 0);
    for (uint64_t now = 1; now < 100000; now = stimer_due(&timer)) {
        stimer_expire(&timer, now);
        assert_int_equal(timer.expired, 1);
        assert_int_equal(stimer_due(&timer), now + 500);
    }
}

static void does_not_wrap(void **state)
{
    (void)state;
    set(STIMER_ENABLED | STIMER_PERIODIC | SINT2, UINT64_MAX, 500);
    assert_int_equal(timer.due, STIMER_NEVER);
    set(STIMER_ENABLED | SINT2, UINT64_MAX, 500);
    assert_int_equal(timer.due, STIMER_NEVER);
    set(STIMER_ENABLED | STIMER_PERIODIC | SINT2, 1ull << 63, 500);
    stimer_expire(&timer, (1ull << 63) + 600);
    assert_int_equal(timer.due, STIMER_NEVER);
}

static void reference_time(void **state)
{
    static const uint64_t clocks[] = {10000001, 100000000, 2111111111, 3333333333, 9999999999};

    (void)state;
    srand(1);
    for (unsigned i = 0; i < sizeof(clocks) / sizeof(clocks[0]); i++) {
        uint64_t hz = clocks[i];
        uint64_t scale = hv_time_scale(hz);

        for (unsigned n = 0; n < 100000; n++) {
            uint64_t random = (uint64_t)rand() << 32 ^ (uint64_t)rand() << 16 ^ (uint64_t)rand();
            uint64_t tsc = random >> (8 + n % 50);
            uint64_t time = hv_time_at(scale, tsc);
            uint64_t exact = (uint64_t)((unsigned __int128)tsc * 10000000 / hz);
            uint64_t at = hv_tsc_at(scale, time + 1);

            /* The scale is a little below the true one: by less than 2^-60 of the time. */
            assert_in_range(exact - time, 0, 1);
            /* Not early, and not late by a tick. */
            assert_true(hv_time_at(scale, at) >= time + 1 && hv_time_at(scale, at - 1) <= time);
        }
    }
    assert_int_equal(hv_tsc_at(hv_time_scale(100000000), UINT64_MAX), UINT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(stands_after_reset, setup),
        cmocka_unit_test_setup(reserved_bits, setup),
        cmocka_unit_test_setup(one_shot, setup),
        cmocka_unit_test_setup(one_shot_in_the_past, setup),
        cmocka_unit_test_setup(auto_enable, setup),
        cmocka_unit_test_setup(count_alone_starts_nothing, setup),
        cmocka_unit_test_setup(sint_0_takes_no_timer, setup),
        cmocka_unit_test_setup(periodic, setup),
        cmocka_unit_test_setup(missed_periods_are_one, setup),
        cmocka_unit_test_setup(short_periods_leave_time, setup),
        cmocka_unit_test_setup(does_not_wrap, setup),
        cmocka_unit_test(reference_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
