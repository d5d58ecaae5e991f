/* SPDX-License-Identifier: BSD-2-Clause */
// vcpus: 5
// time_limit: 60s
// apic: yes
/* Processors that leave and come back by INIT and SIPI, again and again, halted or in the middle of
   something, while others exchange IPIs, send to everybody, and have their timers running. */
#include "tests/guest/lib/smp.h"

enum {
    LEAVERS = 2, /* processors 1 and 2; 3 and 4 are the load */
    ROUNDS = 20, /* per leaver */
    WAYS = 4,
    PING = 0x61,
    NOISE = 0x51,
    TIMER = 0x71,
    STUCK = 0x81,
    PERIOD_MS = 4,
};

static volatile bool stop;
static volatile unsigned pings[5], lost;
static volatile bool left;
static uint64_t began[5], ended[5];

/* ---- The load ---- */

static void start_timer(void)
{
    lapic_write(LAPIC_TIMER_DIVIDE, DIVIDE_BY_1);
    lapic_write(LAPIC_LVT_TIMER, TIMER | LVT_PERIODIC);
    lapic_write(LAPIC_TIMER_INITIAL, PERIOD_MS * (uint32_t)tsc_per_ms());
}

/* Send to the partner, wait until it has counted, tell everybody: all sorts of work to miscount. */
static void load(uintptr_t partner)
{
    unsigned me = this_cpu()->number;
    volatile unsigned *count = &cpus[partner]->count[PING];
    start_timer();
    began[me] = rdtsc();
    while (!stop) {
        unsigned before = *count;
        ipi(cpus[partner]->apic_id, PING);
        pings[me]++;
        if (!WAIT_UNTIL(*count != before, 1000) || *count != before + 1)
            lost++;
        ipi(0, ICR_OTHERS | NOISE);
    }
    lapic_timer_stop();
    ended[me] = rdtsc();
}

/* ---- Leaving ---- */

static void on_stuck(struct trap_frame *frame)
{
    (void)frame;
    left = true;
    for (;;)
        pause();
}

/* As an operating system does; still taking interrupts; busy; and inside of a handler. */
static void leave(uintptr_t way)
{
    start_timer();
    if (way == 3)
        self_ipi(STUCK);
    if (way == 0)
        cli();
    left = true;
    for (;;)
        if (way == 2)
            pause();
        else
            asm volatile("hlt");
}

static bool clean;

/* Before it touches its APIC: nothing of the old life is there, nor of what was sent meanwhile. */
static void look_at_apic(void)
{
    clean = !(lapic_read(LAPIC_SVR) & SVR_ENABLE) && lapic_read(LAPIC_LVT_TIMER) == LVT_MASKED &&
            lapic_read(LAPIC_TIMER_CURRENT) == 0;
    for (unsigned word = 0; word < 8; word++)
        clean &= lapic_read(LAPIC_ISR + word * 16) == 0 && lapic_read(LAPIC_IRR + word * 16) == 0;
}

static volatile unsigned answer;

static void answer_call(uintptr_t number)
{
    answer = (unsigned)number;
}

/* Leave and come back. */
static bool once(struct cpu *cpu, unsigned way, unsigned page)
{
    left = clean = false;
    answer = 0;
    cpu_begin(cpu, leave, way);
    if (!WAIT_UNTIL(left, 1000))
        bail_out("CPU %u does not leave", cpu->number);
    cpu->offline = true;
    unsigned before = cpu->starts;
    smp_prepare(page);
    ipi(cpu->apic_id, ICR_INIT);
    delay_us(200);
    ipi(cpu->apic_id, ICR_STARTUP | page);
    ipi(cpu->apic_id, ICR_STARTUP | page);
    bool back = WAIT_UNTIL(cpu->starts == before + 1, 1000);
    cpu->offline = false;
    cpu_call(cpu, answer_call, page);
    if (!back || !clean || answer != page || cpu->starts != before + 1)
        printf("# CPU %u, way %u: back %u, clean %u, answer 0x%x, started %u times\n", cpu->number,
               way, back, clean, answer, cpu->starts - before);
    return back && clean && answer == page && cpu->starts == before + 1;
}

static void rounds(void)
{
    static const char *const ways[WAYS] = {"halted with IF clear", "halted with IF set", "busy",
                                           "in a handler"};
    bool right[WAYS] = {true, true, true, true};
    smp_first = look_at_apic;
    for (unsigned i = 0; i < ROUNDS * LEAVERS; i++) {
        unsigned way = i / LEAVERS % WAYS;
        right[way] &= once(cpus[1 + i % LEAVERS], way, STARTUP_PAGE + i % 64);
    }
    smp_first = NULL;
    for (unsigned way = 0; way < WAYS; way++)
        ok(right[way], "%s: off and on, %s", boot_cpu.x2apic ? "x2APIC" : "xAPIC", ways[way]);
}

static void under_load(void)
{
    const char *mode = boot_cpu.x2apic ? "x2APIC" : "xAPIC";
    stop = false;
    lost = 0;
    for (unsigned n = 3; n <= 4; n++)
        pings[n] = cpus[n]->count[PING] = cpus[n]->count[TIMER] = 0;
    for (unsigned n = 3; n <= 4; n++)
        cpu_begin(cpus[n], load, 7 - n);
    rounds();
    stop = true;
    cpu_wait(cpus[3]);
    cpu_wait(cpus[4]);
    smp_sync();
    is_u64(lost, 0, "%s: messages lost or doubled among those who stayed", mode);
    for (unsigned n = 3; n <= 4; n++) {
        uint64_t periods = (ended[n] - began[n]) / (PERIOD_MS * tsc_per_ms());
        is_u64(cpus[n]->count[PING], pings[7 - n], "%s: CPU %u took what was sent to it", mode, n);
        in_range(cpus[n]->count[TIMER], periods - 2, periods + 1,
                 "%s: CPU %u had its timer's interrupts", mode, n);
    }
    for (unsigned n = 0; n < 5; n++)
        cpus[n]->count[NOISE] = 0;
    ok(sent_to(3, 0, ICR_OTHERS | NOISE, 0x17), "%s: then all are there", mode);
}

static void to_x2apic(uintptr_t argument)
{
    (void)argument;
    lapic_enter_x2apic();
}

void test_main(void)
{
    set_handler(PING, count_ipi);
    set_handler(NOISE, count_ipi);
    set_handler(TIMER, count_ipi);
    set_handler(STUCK, on_stuck);
    smp_start();
    under_load();
    cpu_call_all(to_x2apic, 0);
    under_load();
}
