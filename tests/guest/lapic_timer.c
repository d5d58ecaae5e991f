/* SPDX-License-Identifier: BSD-2-Clause */
// apic: yes
/* The local APIC's timer, one-shot and periodic, against the PM timer. */
#include "tests/guest/guest.h"

enum {
    VECTOR = 0x50,
    MS = PM_TIMER_HZ / 1000,
};

static uint32_t passed_since(uint32_t start)
{
    return (pm_timer() - start) & 0xffffff;
}

static void on_timer(struct trap_frame *frame)
{
    count_trap(frame);
    lapic_eoi();
}

static void one_shot(unsigned ms)
{
    trap_count[VECTOR] = 0;
    lapic_timer_start(VECTOR, ms * 1000);
    uint32_t start = pm_timer();
    sti();
    wait_for(&trap_count[VECTOR], 1, 4 * ms);
    uint32_t ticks = passed_since(start);
    delay_us(ms * 2000);
    cli();
    in_range(ticks, ms * MS * 98 / 100, ms * MS * 102 / 100 + MS / 5, "one shot of %u ms", ms);
    is_u64(trap_count[VECTOR], 1, "fires once");
    is_u64(lapic_read(LAPIC_TIMER_CURRENT), 0, "the count then stays 0");
}

static void periodic(void)
{
    enum { PERIODS = 20, PERIOD_MS = 2 };
    trap_count[VECTOR] = 0;
    lapic_timer_start(VECTOR | LVT_PERIODIC, PERIOD_MS * 1000);
    uint32_t start = pm_timer();
    sti();
    wait_for(&trap_count[VECTOR], PERIODS, 4 * PERIODS * PERIOD_MS);
    uint32_t ticks = passed_since(start);
    cli();
    in_range(ticks, PERIODS * PERIOD_MS * MS * 98 / 100,
             PERIODS * PERIOD_MS * MS * 102 / 100 + MS / 5, "%u periods of %u ms", PERIODS,
             PERIOD_MS);
    lapic_write(LAPIC_TIMER_INITIAL, 0);
    trap_count[VECTOR] = 0;
    sti();
    delay_us(PERIOD_MS * 3000);
    cli();
    in_range(trap_count[VECTOR], 0, 1, "an initial count of 0 stops it");
}

static void counts_down(void)
{
    lapic_write(LAPIC_LVT_TIMER, LVT_MASKED);
    lapic_write(LAPIC_TIMER_INITIAL, UINT32_MAX);
    uint32_t first = lapic_read(LAPIC_TIMER_CURRENT);
    delay_us(100);
    uint32_t second = lapic_read(LAPIC_TIMER_CURRENT);
    in_range(first, 1, UINT32_MAX, "the current count starts from the initial one");
    in_range(second, 1, first - 1, "and goes down");
    is_u64(lapic_read(LAPIC_TIMER_INITIAL), UINT32_MAX, "the initial count stays");
}

static void masked(void)
{
    trap_count[VECTOR] = 0;
    lapic_timer_start(VECTOR | LVT_MASKED, 500);
    sti();
    delay_us(2000);
    cli();
    is_u64(trap_count[VECTOR], 0, "a masked timer does not interrupt");
    is_u64(lapic_read(LAPIC_TIMER_CURRENT), 0, "but counts");
    ok(!lapic_bit(LAPIC_IRR, VECTOR), "and leaves nothing pending");
}

static void dividers(void)
{
    static const struct {
        uint8_t code, divisor;
    } dividers[] = {{0xb, 1},  {0x0, 2},  {0x1, 4},  {0x2, 8},
                    {0x3, 16}, {0x8, 32}, {0x9, 64}, {0xa, 128}};
    uint32_t ticks_per_ms = lapic_ticks_per_ms();
    lapic_write(LAPIC_LVT_TIMER, LVT_MASKED);
    for (unsigned i = 0; i < sizeof(dividers) / sizeof(*dividers); i++) {
        lapic_write(LAPIC_TIMER_DIVIDE, dividers[i].code);
        lapic_write(LAPIC_TIMER_INITIAL, UINT32_MAX);
        uint32_t first = lapic_read(LAPIC_TIMER_CURRENT);
        delay_us(4000);
        uint32_t counted = first - lapic_read(LAPIC_TIMER_CURRENT);
        uint32_t expected = ticks_per_ms * 4 / dividers[i].divisor;
        in_range(counted, expected - expected / 50, expected + expected / 20, "divide by %u",
                 dividers[i].divisor);
    }
    lapic_timer_stop();
}

static void change_of_vector(void)
{
    enum { OTHER = 0x61 };
    set_handler(OTHER, on_timer);
    trap_count[VECTOR] = trap_count[OTHER] = 0;
    lapic_timer_start(VECTOR, 1000);
    lapic_write(LAPIC_LVT_TIMER, OTHER);
    sti();
    delay_us(2000);
    cli();
    is_u64(trap_count[VECTOR], 0, "a changed vector: not the old one");
    is_u64(trap_count[OTHER], 1, "but the new one");
}

void test_main(void)
{
    set_handler(VECTOR, on_timer);
    lapic_enable();
    counts_down();
    one_shot(1);
    one_shot(10);
    periodic();
    masked();
    dividers();
    change_of_vector();
}
