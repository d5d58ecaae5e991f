/* SPDX-License-Identifier: BSD-2-Clause */
// vcpus: 4
// time_limit: 60s
// apic: yes
/* The timers of all processors at once, each in another mode, through all modes and dividers,
   against the TSC: none early, none late, none lost, none twice. SDM Vol 3A, "APIC Timer". */
#include "tests/guest/lib/smp.h"

enum mode { ONE_SHOT, PERIODIC, DEADLINE, MODES };

enum {
    CPUS = 4,
    DIVIDERS = 8,
    TICKS = 5, /* interrupts of a periodic timer */
    VECTOR = 0x50,
};

static const char *const modes[MODES] = {"one-shot", "periodic", "TSC-deadline"};
/* Of the divide configuration register, by the logarithm of the divider. */
static const uint32_t dividers[DIVIDERS] = {0xb, 0x0, 0x1, 0x2, 0x3, 0x8, 0x9, 0xa};

/* What one processor does in a round, and what came of it. Times are of the TSC. */
static struct run {
    enum mode mode;
    unsigned shift, wanted;
    uint64_t period, before, after, fired[TICKS + 1];
    uint32_t count, left;
    uint64_t left_before, left_after;
    volatile unsigned times;
} runs[CPUS];

static unsigned current_round;
static volatile unsigned arrived;
static uint64_t shortest, slack;

static void on_timer(struct trap_frame *frame)
{
    struct run *run = &runs[this_cpu()->number];
    (void)frame;
    if (run->times <= TICKS)
        run->fired[run->times] = rdtsc();
    run->times++;
    lapic_eoi();
}

static void start(struct run *run)
{
    static const uint32_t lvt[MODES] = {0, LVT_PERIODIC, LVT_TSC_DEADLINE};
    lapic_write(LAPIC_LVT_TIMER, VECTOR | lvt[run->mode]);
    lapic_write(LAPIC_TIMER_DIVIDE, dividers[run->shift]);
    run->before = rdtsc();
    if (run->mode == DEADLINE)
        wrmsr(MSR_TSC_DEADLINE, run->before + run->period);
    else
        lapic_write(LAPIC_TIMER_INITIAL, run->count);
    run->after = rdtsc();
    if (run->mode == DEADLINE)
        run->after = run->before;
}

static void look_at_count(struct run *run)
{
    run->left_before = rdtsc();
    run->left = lapic_read(LAPIC_TIMER_CURRENT);
    run->left_after = rdtsc();
}

static void stop(void)
{
    lapic_write(LAPIC_LVT_TIMER, LVT_MASKED);
    lapic_write(LAPIC_TIMER_INITIAL, 0);
}

static void wait_for_timer(const struct run *run)
{
    uint64_t end = run->before + (run->wanted + 5) * run->period;
    while (run->times < run->wanted && rdtsc() < end) {
        if (!idle_halts) {
            pause();
            continue;
        }
        cli();
        if (run->times < run->wanted)
            sti_hlt();
        sti();
    }
}

static void use_timer(uintptr_t argument)
{
    unsigned me = this_cpu()->number;
    struct run *run = &runs[me];
    (void)argument;
    *run = (struct run){.mode = (me + current_round) % MODES,
                        .shift = current_round / MODES % DIVIDERS,
                        .period = shortest * (me + 4) / 4};
    run->wanted = run->mode == PERIODIC ? TICKS : 1;
    run->count = (uint32_t)(run->period >> run->shift);
    if (run->mode != DEADLINE)
        run->period = (uint64_t)run->count << run->shift;
    __atomic_fetch_add(&arrived, 1, __ATOMIC_SEQ_CST);
    while (arrived < CPUS)
        pause();
    start(run);
    look_at_count(run);
    wait_for_timer(run);
    if (run->mode == PERIODIC)
        stop();
    while (rdtsc() < run->fired[run->wanted - 1] + run->period / 2)
        pause();
    stop();
}

static bool see(uint64_t seen, uint64_t low, uint64_t high, const char *what)
{
    bool right = low <= seen && seen <= high;
    if (!right)
        printf("# %s: saw %lu expected %lu to %lu\n", what, (unsigned long)seen, (unsigned long)low,
               (unsigned long)high);
    return right;
}

static bool see_count(const struct run *run)
{
    if (run->mode == DEADLINE)
        return see(run->left, 0, 0, "count in TSC-deadline mode");
    uint64_t least = (run->left_before - run->after) >> run->shift;
    uint64_t most = ((run->left_after - run->before) >> run->shift) + 1;
    if (run->mode == PERIODIC && most >= run->count)
        return true; /* it has begun again */
    uint64_t low = most > run->count ? 0 : run->count - most;
    uint64_t high = least > run->count ? 0 : run->count - least;
    return see(run->left, low, high, "current count");
}

static bool see_run(unsigned n)
{
    const struct run *run = &runs[n];
    bool right = see(run->times, run->wanted, run->wanted, "interrupts") & see_count(run);
    for (unsigned i = 0; i < run->wanted; i++)
        right &= see(run->fired[i] - run->before, (i + 1) * run->period,
                     (i + 1) * run->period + (run->after - run->before) + slack, "ticks");
    if (!right)
        printf("# CPU %u, %s, divider %u\n", n, modes[run->mode], 1u << run->shift);
    return right;
}

static void all_at_once(void)
{
    for (unsigned divider = 0; divider < DIVIDERS; divider++) {
        bool right = true;
        for (unsigned i = 0; i < MODES; i++) {
            current_round = divider * MODES + i;
            arrived = 0;
            cpu_call_all(use_timer, 0);
            for (unsigned n = 0; n < CPUS; n++)
                right &= see_run(n);
        }
        ok(right, "%s, %s, divider %u: each mode on each processor",
           boot_cpu.x2apic ? "x2APIC" : "xAPIC", idle_halts ? "halted" : "running", 1u << divider);
    }
}

static void to_x2apic(uintptr_t argument)
{
    (void)argument;
    lapic_enter_x2apic();
}

/* Two share a real processor in slices of 1 ms, and the one that waits for the others spins: it
 * keeps its slice where the real one does not report PAUSE loops. */
static void halted_and_running(void)
{
    shortest = 5 * tsc_per_ms();
    slack = shortest / 2;
    smp_idle(true);
    all_at_once();
    smp_idle(false);
    all_at_once();
}

void test_main(void)
{
    set_handler(VECTOR, on_timer);
    smp_start();
    in_range(lapic_ticks_per_ms(), tsc_per_ms() * 99 / 100, tsc_per_ms() * 101 / 100,
             "a tick of the timer is one of the TSC");
    halted_and_running();
    cpu_call_all(to_x2apic, 0);
    halted_and_running();
}
