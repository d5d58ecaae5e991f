/* SPDX-License-Identifier: BSD-2-Clause */
// group: isolation
// vcpus: 2
// time_limit: 30s
/* Sends nothing while VMs with the same APIC IDs beside it send all they can, and takes nothing:
   one processor sleeps, the other runs. */
#include "tests/guest/lib/isolation.h"

enum { FIRST = 0x20, TIMER = 0x30, VECTORS = 256, NAP_US = 10000 };

static volatile bool over;
static volatile unsigned long watched;

static void watch(uintptr_t argument)
{
    (void)argument;
    while (!over)
        watched++;
}

static void sleep_until(uint64_t end)
{
    while (rdtsc() < end) {
        lapic_timer_start(TIMER, NAP_US);
        cli();
        sti_hlt();
    }
    lapic_timer_stop();
}

/* Interrupts that CPU n took, but for those that are its own. */
static unsigned taken(unsigned n)
{
    unsigned sum = cpus[n]->count[NMI];
    for (unsigned vector = FIRST; vector < VECTORS; vector++)
        if (vector != TIMER && vector != VECTOR_WAKE)
            sum += cpus[n]->count[vector];
    return sum;
}

static void no_traces(uintptr_t argument)
{
    unsigned pending = 0;
    (void)argument;
    cli();
    for (unsigned vector = FIRST; vector < VECTORS; vector++)
        pending += lapic_bit(LAPIC_IRR, vector);
    is_u64(pending, 0, "requests that wait on CPU %u", this_cpu()->number);
    is_u64(lapic_read(LAPIC_ESR), 0, "errors of CPU %u's APIC", this_cpu()->number);
    sti();
}

void test_main(void)
{
    mark_memory(11);
    for (unsigned vector = FIRST; vector < VECTORS; vector++)
        set_handler(vector, count_ipi);
    smp_start();
    uint64_t end = rdtsc() + WATCH_MS * tsc_per_ms();
    unsigned wakes = cpus[1]->count[VECTOR_WAKE];
    cpu_begin(cpus[1], watch, 0);
    sleep_until(end);
    over = true;
    cpu_wait(cpus[1]);
    is_u64(cpus[1]->count[VECTOR_WAKE], wakes + 1, "interrupts that began CPU 1's watch");
    ok(watched > 0 && boot_cpu.count[TIMER] > 0, "one processor watched, the other slept");
    printf("# %lu looks, %u naps\n", watched, boot_cpu.count[TIMER]);
    for (unsigned n = 0; n < 2; n++)
        is_u64(taken(n), 0, "interrupts and NMIs that CPU %u took from elsewhere", n);
    is_u64(cpus[1]->starts, 1, "times that CPU 1 came up");
    no_traces(0);
    cpu_call(cpus[1], no_traces, 0);
    check_memory(11);
}
