/* SPDX-License-Identifier: BSD-2-Clause */
/* What the engine tells its trace hook, in the order in which it happens. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/host/apic_rig.h"

static struct rig rig;
static struct lapic *a, *b;

static struct apic_trace told[32];
static unsigned count, looked_at;

static void hook(void *ctx, const struct apic_trace *what)
{
    (void)ctx;
    assert_true(count < sizeof(told) / sizeof(told[0]));
    told[count++] = *what;
}

static int start(void **state)
{
    struct apic_config config = rig_default_config();

    (void)state;
    rig_init(&rig, &config, 4);
    rig.domain.calls.trace = hook;
    a = rig_add(&rig, 0x23, 0);
    b = rig_add(&rig, 0x123, 0);
    rig_enable(a);
    rig_enable(b);
    count = looked_at = 0;
    return 0;
}

static int end(void **state)
{
    (void)state;
    rig_destroy(&rig);
    return 0;
}

static void expect(enum apic_trace_kind kind, const struct lapic *lapic, uint64_t x, uint64_t y)
{
    assert_true(looked_at < count);
    const struct apic_trace *what = &told[looked_at++];
    assert_int_equal(what->kind, kind);
    assert_ptr_equal(what->lapic, lapic);
    assert_int_equal(what->a, x);
    assert_int_equal(what->b, y);
}

static void expect_no_more(void)
{
    assert_int_equal(looked_at, count);
}

/* Each that takes a message is told of before the message. */
static void message(void **state)
{
    (void)state;
    rig_set(a, APIC_ICR_HIGH, 0x23000000);
    rig_set(a, APIC_ICR, 0x60);
    expect(APIC_TRACE_WRITE, a, APIC_ICR_HIGH, 0x23000000);
    expect(APIC_TRACE_WRITE, a, APIC_ICR, 0x60);
    expect(APIC_TRACE_POST, a, 0, 0);
    expect(APIC_TRACE_POST, b, 0, 0);
    expect(APIC_TRACE_ROUTE, a, 2, 0);
    expect_no_more();
    assert_true(rig_has(b, 0x60));
    assert_int_equal(lapic_acknowledge(b), 0x60);
    rig_set(b, APIC_EOI, 0);
    expect(APIC_TRACE_DISPATCH, b, 0x60, 0);
    expect(APIC_TRACE_WRITE, b, APIC_EOI, 0);
    expect(APIC_TRACE_EOI, b, 0x60, 0);
    expect_no_more();
}

static void taken_by_nobody(void **state)
{
    (void)state;
    rig_set(a, APIC_ICR_HIGH, 0x46000000);
    rig_set(a, APIC_ICR, 0x60);
    looked_at = 2;
    expect(APIC_TRACE_ROUTE, a, 0, 0);
    expect_no_more();
}

/* By each of the ways that need no map. */
static void to_itself(void **state)
{
    static const struct {
        uint32_t reg, value;
    } ways[] = {{APIC_ICR, APIC_SELF << 18 | 0x60}, /* plain */
                {APIC_ICR, APIC_SELF << 18 | APIC_NMI << 8},
                {APIC_SELF_IPI, 0x60}};

    (void)state;
    rig_to_x2apic(a);
    for (unsigned i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        count = looked_at = 0;
        rig_set(a, ways[i].reg, ways[i].value);
        expect(APIC_TRACE_WRITE, a, ways[i].reg, ways[i].value);
        expect(APIC_TRACE_POST, a, 0, 0);
        expect(APIC_TRACE_ROUTE, a, 1, 0);
        expect_no_more();
    }
    rig_set(a, APIC_SVR, 0xff);
    count = looked_at = 0;
    rig_set(a, APIC_SELF_IPI, 0x60);
    expect(APIC_TRACE_WRITE, a, APIC_SELF_IPI, 0x60);
    expect(APIC_TRACE_ROUTE, a, 0, 0);
    expect_no_more();
}

static void timer(void **state)
{
    (void)state;
    rig_set(a, APIC_LVT_TIMER, 0x40);
    rig_set(a, APIC_TIMER_DIVIDE, 0xb); /* by 1 */
    count = looked_at = 0;
    rig.now = 1000;
    rig_set(a, APIC_TIMER_INITIAL, 50);
    expect(APIC_TRACE_WRITE, a, APIC_TIMER_INITIAL, 50);
    expect(APIC_TRACE_ARM, a, 1050, 0);
    assert_true(lapic_timer_expire(a, 1051));
    expect(APIC_TRACE_TIMER, a, 1050, 0);
    rig_set(a, APIC_TIMER_INITIAL, 0);
    expect(APIC_TRACE_WRITE, a, APIC_TIMER_INITIAL, 0);
    expect(APIC_TRACE_ARM, a, 0, 0);
    rig_set(a, APIC_LVT_TIMER, 0x40 | 2 << 17);
    expect(APIC_TRACE_WRITE, a, APIC_LVT_TIMER, 0x40 | 2 << 17);
    lapic_write_tsc_deadline(a, 2000);
    expect(APIC_TRACE_ARM, a, 2000, 0);
    lapic_write_tsc_deadline(a, 0);
    expect(APIC_TRACE_ARM, a, 0, 0);
    expect_no_more();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(message, start, end),
        cmocka_unit_test_setup_teardown(taken_by_nobody, start, end),
        cmocka_unit_test_setup_teardown(to_itself, start, end),
        cmocka_unit_test_setup_teardown(timer, start, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
