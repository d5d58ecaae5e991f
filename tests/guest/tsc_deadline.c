/* SPDX-License-Identifier: BSD-2-Clause */
// apic: yes
/* The local APIC's timer in TSC-deadline mode. SDM Vol 3A, "TSC-Deadline Mode". */
#include "tests/guest/guest.h"

enum {
    VECTOR = 0x50,
    LEAF1_ECX_TSC_DEADLINE = 1 << 24,
};

static volatile uint64_t fired_at;

static void on_timer(struct trap_frame *frame)
{
    fired_at = rdtsc();
    count_trap(frame);
    lapic_eoi();
}

static void fires_in_time(unsigned us)
{
    uint64_t ms = tsc_per_ms(), deadline = rdtsc() + ms * us / 1000;
    trap_count[VECTOR] = 0;
    wrmsr(MSR_TSC_DEADLINE, deadline);
    uint64_t seen = rdmsr(MSR_TSC_DEADLINE);
    sti();
    wait_for(&trap_count[VECTOR], 1, us / 1000 * 4 + 4);
    cli();
    is_u64(seen, deadline, "%u us: the deadline reads back", us);
    in_range(fired_at, deadline, deadline + ms / 5, "%u us: not before and soon after", us);
    is_u64(rdmsr(MSR_TSC_DEADLINE), 0, "%u us: the deadline is then 0", us);
}

static void past(void)
{
    trap_count[VECTOR] = 0;
    sti();
    wrmsr(MSR_TSC_DEADLINE, 1);
    delay_us(50);
    cli();
    is_u64(trap_count[VECTOR], 1, "a deadline in the past fires at once");
}

static void disarmed(void)
{
    trap_count[VECTOR] = 0;
    wrmsr(MSR_TSC_DEADLINE, rdtsc() + tsc_per_ms());
    wrmsr(MSR_TSC_DEADLINE, 0);
    sti();
    delay_us(2000);
    cli();
    is_u64(trap_count[VECTOR], 0, "a deadline of 0 disarms");
}

static void other_modes(void)
{
    wrmsr(MSR_TSC_DEADLINE, rdtsc() + tsc_per_ms() * 1000);
    lapic_write(LAPIC_TIMER_INITIAL, 1000);
    is_u64(lapic_read(LAPIC_TIMER_CURRENT), 0, "the count does not run in deadline mode");
    lapic_write(LAPIC_LVT_TIMER, VECTOR);
    is_u64(rdmsr(MSR_TSC_DEADLINE), 0, "leaving deadline mode disarms");
    wrmsr(MSR_TSC_DEADLINE, rdtsc() + tsc_per_ms());
    is_u64(rdmsr(MSR_TSC_DEADLINE), 0, "outside deadline mode the MSR reads 0");
    trap_count[VECTOR] = 0;
    sti();
    delay_us(2000);
    cli();
    is_u64(trap_count[VECTOR], 0, "and is not armed");
    lapic_timer_start(VECTOR, 100000);
    lapic_write(LAPIC_LVT_TIMER, VECTOR | LVT_TSC_DEADLINE);
    is_u64(lapic_read(LAPIC_TIMER_CURRENT), 0, "entering deadline mode stops the count");
}

static void adjusted(void)
{
    uint64_t ms = tsc_per_ms(), start = rdtsc();
    trap_count[VECTOR] = 0;
    wrmsr(MSR_TSC_DEADLINE, start + ms * 1000);
    wrmsr(MSR_TSC, start + ms * 1000);
    sti();
    delay_us(1000);
    cli();
    is_u64(trap_count[VECTOR], 1, "setting the TSC beyond the deadline fires");
}

void test_main(void)
{
    if (!(cpuid(1, 0).ecx & LEAF1_ECX_TSC_DEADLINE)) {
        skip("the TSC deadline", "CPUID does not offer it");
        return;
    }
    set_handler(VECTOR, on_timer);
    lapic_enable();
    lapic_write(LAPIC_LVT_TIMER, VECTOR | LVT_TSC_DEADLINE);
    fires_in_time(500);
    fires_in_time(5000);
    past();
    disarmed();
    other_modes();
    adjusted();
}
