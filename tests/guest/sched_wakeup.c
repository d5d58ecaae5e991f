/* SPDX-License-Identifier: BSD-2-Clause */
// vcpus: 4
/* How long a halted processor takes to wake up: its real one idle, or busy with another processor
   that never pauses. With two real ones CPUs 1 and 3 share one: the bound is core/sched.h's. */
#include "tests/guest/lib/smp.h"

enum {
    SLEEPER = 3,
    NEIGHBOUR = 1, /* on the sleeper's real processor */
    VECTOR = 0x61,
    TRIALS = 100,
    IDLE_BOUND_US = 50,
    BUSY_BOUND_US = 150, /* a turn of 100 us and the way in */
    REST_US = 3000,
};

static volatile uint64_t sent_at, taken_at;
static volatile bool hog_stops;
static volatile unsigned asked, answered;
static uint64_t worst, sum;

static void take(struct trap_frame *frame)
{
    (void)frame;
    taken_at = rdtsc();
    lapic_eoi();
}

static void take_timer(struct trap_frame *frame)
{
    sent_at = rdmsr(MSR_TSC_DEADLINE) ? 0 : sent_at;
    take(frame);
}

static void wait_us(uint64_t us)
{
    uint64_t end = rdtsc() + us * tsc_per_ms() / 1000;
    while (rdtsc() < end)
        ;
}

static void note(void)
{
    uint64_t ticks = taken_at - sent_at;
    sum += ticks;
    worst = ticks > worst ? ticks : worst;
}

static void report(unsigned bound_us, const char *what)
{
    uint64_t us = tsc_per_ms() / 1000;
    printf("# wake-up by %s: mean %lu ticks, worst %lu, at %lu ticks per us\n", what, sum / TRIALS,
           worst, us);
    in_range(worst / us, 0, bound_us, "worst wake-up, by %s, in us", what);
    sum = worst = 0;
}

/* Times of rest that differ, so that the wake-up meets the hog anywhere in its turn. */
static uint64_t rest(unsigned trial)
{
    return REST_US + trial * 37 % 1000;
}

static void send(uintptr_t argument)
{
    (void)argument;
    for (unsigned i = 0; i < TRIALS; i++) {
        wait_us(rest(i));
        taken_at = 0;
        sent_at = rdtsc();
        ipi(cpus[SLEEPER]->apic_id, VECTOR);
        while (!taken_at)
            ;
        note();
    }
}

static void hog(uintptr_t argument)
{
    (void)argument;
    while (!hog_stops)
        ;
}

/* On the sleeper: an own deadline instead of somebody's interrupt. */
static void sleep_by_timer(uintptr_t argument)
{
    (void)argument;
    lapic_write(LAPIC_LVT_TIMER, LVT_TSC_DEADLINE | (VECTOR + 1));
    for (unsigned i = 0; i < TRIALS; i++) {
        cli();
        taken_at = 0;
        sent_at = rdtsc() + rest(i) * tsc_per_ms() / 1000;
        wrmsr(MSR_TSC_DEADLINE, sent_at);
        while (!taken_at) {
            sti_hlt();
            cli();
        }
        sti();
        note();
    }
}

static void with_hog(struct cpu *on, struct cpu *runs, cpu_function *function, const char *what)
{
    hog_stops = false;
    cpu_begin(on, hog, 0);
    cpu_call(runs, function, 0);
    hog_stops = true;
    cpu_wait(on);
    report(BUSY_BOUND_US, what);
}

static void to_x2apic(uintptr_t argument)
{
    (void)argument;
    lapic_enter_x2apic();
}

void test_main(void)
{
    set_handler(VECTOR, take);
    set_handler(VECTOR + 1, take_timer);
    smp_start();
    cpu_call_all(to_x2apic, 0); /* in xAPIC mode the sender's way out takes longest */
    send(0);
    report(IDLE_BOUND_US, "an IPI, idle");
    cpu_call(cpus[SLEEPER], sleep_by_timer, 0);
    report(IDLE_BOUND_US, "the timer, idle");
    with_hog(cpus[NEIGHBOUR], cpus[0], send, "an IPI, busy");
    with_hog(cpus[NEIGHBOUR], cpus[SLEEPER], sleep_by_timer, "the timer, busy");
    cpu_call(cpus[NEIGHBOUR], send, 0);
    report(BUSY_BOUND_US, "an IPI from the neighbour itself");
}
