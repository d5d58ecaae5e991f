/* SPDX-License-Identifier: BSD-2-Clause */
/* The APIC timer: modes and changes between them, dividers, counts, deadlines, clock ratios. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/host/apic_rig.h"

enum { VECTOR = 0x41, PERIODIC = 1 << 17, DEADLINE = 2 << 17, RESERVED = 3 << 17, DIVIDE_1 = 0xB };

static struct rig rig;
static struct lapic *apic;

static void start(struct apic_config config)
{
    rig_init(&rig, &config, 1);
    apic = rig_add(&rig, 1, 0);
    rig_enable(apic);
    rig_set(apic, APIC_TIMER_DIVIDE, DIVIDE_1);
    rig.now = 1000000;
}

static int setup(void **state)
{
    (void)state;
    start(rig_default_config());
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    rig_destroy(&rig);
    return 0;
}

/* Lets time pass; did the timer put its vector into IRR? Takes it out again. */
static bool fires_within(uint64_t ticks)
{
    rig.now += ticks;
    lapic_timer_expire(apic, rig.now);
    if (!rig_bit(apic, APIC_IRR, VECTOR)) {
        return false;
    }
    assert_int_equal(lapic_acknowledge(apic), VECTOR);
    lapic_eoi(apic);
    return true;
}

static uint32_t count(void)
{
    return rig_get(apic, APIC_TIMER_CURRENT);
}

static void one_shot(void **state)
{
    (void)state;
    rig_set(apic, APIC_LVT_TIMER, VECTOR);
    rig_set(apic, APIC_TIMER_INITIAL, 1000);
    assert_int_equal(count(), 1000);
    assert_true(lapic_timer_deadline(apic) == rig.now + 1000);
    assert_false(fires_within(999));
    assert_int_equal(count(), 1);
    assert_true(fires_within(1));
    assert_int_equal(count(), 0);
    assert_int_equal(rig_get(apic, APIC_TIMER_INITIAL), 1000);
    assert_false(fires_within(100000));
    assert_true(lapic_timer_deadline(apic) == UINT64_MAX);
    rig_set(apic, APIC_TIMER_INITIAL, 500);
    rig_set(apic, APIC_TIMER_INITIAL, 0);
    assert_false(fires_within(100000));
    assert_int_equal(count(), 0);
}

static void reading_the_count_lets_it_expire(void **state)
{
    (void)state;
    rig_set(apic, APIC_LVT_TIMER, VECTOR);
    rig_set(apic, APIC_TIMER_INITIAL, 1000);
    rig.now += 1500;
    assert_int_equal(count(), 0);
    assert_true(fires_within(0));
}

static void periodic(void **state)
{
    (void)state;
    rig_set(apic, APIC_LVT_TIMER, PERIODIC | VECTOR);
    rig_set(apic, APIC_TIMER_INITIAL, 1000);
    for (unsigned i = 0; i < 5; i++) {
        assert_false(fires_within(999));
        assert_true(fires_within(1));
        assert_int_equal(count(), 1000);
    }
    assert_true(fires_within(3250)); /* missed periods are one interrupt */
    assert_int_equal(count(), 750);
    assert_false(fires_within(749));
    assert_true(fires_within(1));
}

static void tsc_deadline(void **state)
{
    (void)state;
    lapic_write_tsc_deadline(apic, rig.now + 10);
    assert_true(lapic_read_tsc_deadline(apic) == 0); /* not in that mode */
    rig_set(apic, APIC_LVT_TIMER, DEADLINE | VECTOR);
    rig_set(apic, APIC_TIMER_INITIAL, 5);
    assert_int_equal(rig_get(apic, APIC_TIMER_INITIAL), 0);
    uint64_t when = rig.now + 500;
    lapic_write_tsc_deadline(apic, when);
    assert_true(lapic_read_tsc_deadline(apic) == when);
    assert_int_equal(count(), 0);
    assert_false(fires_within(499));
    assert_true(fires_within(1));
    assert_true(lapic_read_tsc_deadline(apic) == 0);
    lapic_write_tsc_deadline(apic, 1); /* past: at once */
    assert_true(fires_within(0));
    lapic_write_tsc_deadline(apic, rig.now + 500);
    lapic_write_tsc_deadline(apic, 0);
    assert_false(fires_within(1000));
    lapic_write_tsc_deadline(apic, rig.now + 500);
    rig.now += 1000;
    assert_true(lapic_read_tsc_deadline(apic) == 0);
    assert_true(fires_within(0));
}

static void deadline_mode_change_disarms(void **state)
{
    (void)state;
    rig_set(apic, APIC_LVT_TIMER, VECTOR);
    rig_set(apic, APIC_TIMER_INITIAL, 1000);
    rig_set(apic, APIC_LVT_TIMER, DEADLINE | VECTOR);
    assert_int_equal(rig_get(apic, APIC_TIMER_INITIAL), 0);
    assert_false(fires_within(2000));
    lapic_write_tsc_deadline(apic, rig.now + 1000);
    rig_set(apic, APIC_LVT_TIMER, PERIODIC | VECTOR);
    assert_false(fires_within(2000));
    rig_set(apic, APIC_LVT_TIMER, DEADLINE | VECTOR);
    assert_true(lapic_read_tsc_deadline(apic) == 0);
}

static void one_shot_and_periodic_share_the_count(void **state)
{
    (void)state;
    rig_set(apic, APIC_LVT_TIMER, VECTOR);
    rig_set(apic, APIC_TIMER_INITIAL, 1000);
    rig.now += 400;
    rig_set(apic, APIC_LVT_TIMER, PERIODIC | VECTOR);
    assert_int_equal(count(), 600);
    assert_true(fires_within(600));
    assert_int_equal(count(), 1000); /* reloaded */
    rig.now += 300;
    rig_set(apic, APIC_LVT_TIMER, VECTOR);
    assert_int_equal(count(), 700);
    assert_true(fires_within(700));
    assert_int_equal(count(), 0);
    rig_set(apic, APIC_LVT_TIMER, PERIODIC | VECTOR); /* a count at rest stays there */
    assert_int_equal(count(), 0);
    assert_false(fires_within(5000));
}

static void reserved_mode_does_not_run(void **state)
{
    (void)state;
    rig_set(apic, APIC_LVT_TIMER, RESERVED | VECTOR);
    rig_set(apic, APIC_TIMER_INITIAL, 10);
    lapic_write_tsc_deadline(apic, rig.now + 10);
    assert_int_equal(count(), 0);
    assert_true(lapic_read_tsc_deadline(apic) == 0);
    assert_false(fires_within(1000));
}

static void all_dividers(void **state)
{
    (void)state;
    static const struct {
        uint32_t code, divider;
    } dividers[] = {{0, 2}, {1, 4}, {2, 8}, {3, 16}, {8, 32}, {9, 64}, {0xA, 128}, {0xB, 1}};
    rig_set(apic, APIC_LVT_TIMER, VECTOR);
    for (unsigned i = 0; i < 8; i++) {
        rig_set(apic, APIC_TIMER_DIVIDE, dividers[i].code);
        rig_set(apic, APIC_TIMER_INITIAL, 100);
        uint32_t divider = dividers[i].divider;
        rig.now += 10 * divider;
        assert_int_equal(count(), 90);
        assert_false(fires_within(90 * divider - 1));
        assert_int_equal(count(), 1);
        assert_true(fires_within(1));
    }
}

static void changing_the_divider_keeps_the_count(void **state)
{
    (void)state;
    rig_set(apic, APIC_LVT_TIMER, PERIODIC | VECTOR);
    rig_set(apic, APIC_TIMER_INITIAL, 1000);
    rig.now += 250;
    rig_set(apic, APIC_TIMER_DIVIDE, 1); /* by 4 */
    assert_int_equal(count(), 750);
    assert_false(fires_within(2999));
    assert_true(fires_within(1));
    assert_false(fires_within(3999));
    assert_true(fires_within(1));
    rig.now += 5000; /* expires before the divider changes */
    rig_set(apic, APIC_TIMER_DIVIDE, DIVIDE_1);
    assert_int_equal(count(), 750);
    assert_true(fires_within(0));
    rig_set(apic, APIC_LVT_TIMER, VECTOR);
    rig.now += 5000;
    rig_set(apic, APIC_TIMER_DIVIDE, 1);
    assert_int_equal(count(), 0);
}

static void masked_expiry_is_forgotten(void **state)
{
    (void)state;
    rig_set(apic, APIC_LVT_TIMER, APIC_LVT_MASKED | VECTOR);
    rig_set(apic, APIC_TIMER_INITIAL, 1000);
    assert_true(lapic_timer_deadline(apic) == UINT64_MAX); /* nobody need wake for it */
    rig.now += 600;
    assert_int_equal(count(), 400);
    rig.now += 1000;
    rig_set(apic, APIC_LVT_TIMER, VECTOR);
    assert_false(fires_within(0));
    rig_set(apic, APIC_LVT_TIMER, APIC_LVT_MASKED | PERIODIC | VECTOR);
    rig_set(apic, APIC_TIMER_INITIAL, 1000);
    rig.now += 2500;
    rig_set(apic, APIC_LVT_TIMER, PERIODIC | VECTOR);
    assert_int_equal(count(), 500);
    assert_true(fires_within(500));
}

static void periodic_with_the_count_taken_away(void **state)
{
    (void)state;
    rig_set(apic, APIC_LVT_TIMER, PERIODIC | VECTOR);
    rig_set(apic, APIC_TIMER_INITIAL, 1000);
    apic->regs[APIC_TIMER_INITIAL / 4] = 0; /* the guest's store, before its exit is handled */
    assert_true(fires_within(1000));
    assert_false(fires_within(10000));
}

static void bus_clock_ratio(void **state)
{
    (void)state;
    static const uint32_t ratios[][2] = {{1, 3}, {3, 1}, {7, 5}, {5, 7}, {65535, 1}, {1, 65535}};
    for (unsigned i = 0; i < sizeof(ratios) / sizeof(*ratios); i++) {
        struct apic_config config = rig_default_config();
        uint64_t num = config.bus_num = ratios[i][0];
        uint64_t den = config.bus_den = ratios[i][1];
        rig_destroy(&rig);
        start(config);
        rig_set(apic, APIC_LVT_TIMER, VECTOR);
        static const uint32_t counts[] = {1, 2, 999, 1000000, 0xFFFFFFFF};
        for (unsigned k = 0; k < 5; k++) {
            uint64_t ticks = (counts[k] * den + num - 1) / num;
            rig_set(apic, APIC_TIMER_INITIAL, counts[k]);
            assert_int_equal(count(), counts[k]);
            assert_false(fires_within(ticks - 1));
            assert_in_range(count(), 1, num / den + 1);
            assert_true(fires_within(1));
        }
        rig_set(apic, APIC_TIMER_DIVIDE, 0xA);
        rig_set(apic, APIC_TIMER_INITIAL, 0xFFFFFFFF);
        rig.now += lapic_timer_deadline(apic) / 2;
        assert_int_not_equal(count(), 0);
    }
}

static void software_disable_lets_the_count_run(void **state)
{
    (void)state;
    rig_set(apic, APIC_LVT_TIMER, VECTOR);
    rig_set(apic, APIC_TIMER_INITIAL, 1000);
    rig_set(apic, APIC_SVR, 0xFF);
    rig.now += 100;
    assert_int_equal(count(), 900);
    assert_false(fires_within(5000));
}

static void illegal_timer_vector(void **state)
{
    (void)state;
    rig_set(apic, APIC_LVT_TIMER, 0x0F);
    rig_set(apic, APIC_TIMER_INITIAL, 10);
    rig.now += 10;
    assert_true(lapic_timer_expire(apic, rig.now));
    rig_set(apic, APIC_ESR, 0);
    assert_int_equal(rig_get(apic, APIC_ESR), APIC_ESR_RECEIVE_ILLEGAL);
}

int main(void)
{
#define TIMER_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TIMER_TEST(one_shot),
        TIMER_TEST(reading_the_count_lets_it_expire),
        TIMER_TEST(periodic),
        TIMER_TEST(tsc_deadline),
        TIMER_TEST(deadline_mode_change_disarms),
        TIMER_TEST(one_shot_and_periodic_share_the_count),
        TIMER_TEST(reserved_mode_does_not_run),
        TIMER_TEST(all_dividers),
        TIMER_TEST(changing_the_divider_keeps_the_count),
        TIMER_TEST(masked_expiry_is_forgotten),
        TIMER_TEST(periodic_with_the_count_taken_away),
        TIMER_TEST(bus_clock_ratio),
        TIMER_TEST(software_disable_lets_the_count_run),
        TIMER_TEST(illegal_timer_vector),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
