/* SPDX-License-Identifier: BSD-2-Clause */
// vcpus: 300
// time_limit: 30s
// variant: 256 vcpus=256
// variant: high apic_ids=0x1000,0x100-0x22a
/* Far more processors than there are real ones, with APIC IDs above 255: they start, interrupt each
   other and sleep, each exactly as often as it should, and cost nothing while they sleep. */
#include "tests/guest/lib/smp.h"

enum {
    PING = 0x61,
    PONG,
    ALL,
    LOOPS = 1000000,
    LIMIT_MS = 5000,
    SETTLE_US = 20000,
    TOLERANCE = 1000, /* one part in so many */
};

static uint64_t time_of_loop(void)
{
    uint64_t before = rdtsc();
    unsigned long n = LOOPS;
    asm volatile("1: dec %0\n\tjnz 1b" : "+r"(n) : : "cc");
    return rdtsc() - before;
}

static uint64_t alone;

static void costs_nothing(const char *what)
{
    delay_us(SETTLE_US);
    uint64_t ticks = time_of_loop();
    in_range(ticks, alone - alone / TOLERANCE, alone + alone / TOLERANCE,
             "ticks of a loop on the boot processor, the others %s", what);
}

/* Everybody, but for the boot processor if so said, took the vector once; nobody did so twice. */
static void taken_once(unsigned vector, bool boot_too, const char *what)
{
    uint64_t began = rdtsc();
    unsigned right = 0;
    for (unsigned n = !boot_too; n < cpu_count; n++)
        WAIT_UNTIL(cpus[n]->count[vector] > 0, LIMIT_MS);
    uint64_t took = rdtsc() - began;
    smp_sync();
    for (unsigned n = 0; n < cpu_count; n++) {
        right += cpus[n]->count[vector] == (boot_too || n > 0);
        cpus[n]->count[vector] = 0;
    }
    printf("# %s: %lu us\n", what, took * 1000 / tsc_per_ms());
    is_u64(right, cpu_count, "processors that took %s as often as they should", what);
}

static void answer(struct trap_frame *frame)
{
    unsigned me = this_cpu()->number;
    count_ipi(frame);
    ipi(cpus[(me + cpu_count - 1) % cpu_count]->apic_id, PONG);
}

static void ping(uintptr_t argument)
{
    (void)argument;
    ipi(cpus[(this_cpu()->number + 1) % cpu_count]->apic_id, PING);
}

static void to_x2apic(void)
{
    lapic_enter_x2apic();
}

static void identities(void)
{
    unsigned right = 0;
    for (unsigned n = 1; n < cpu_count; n++)
        right += cpus[n]->starts == 1 && cpus[n]->x2apic && cpus[n]->number == n;
    is_u64(right, cpu_count - 1, "processors that came up once, in x2APIC mode");
    in_range(cpus[cpu_count - 1]->apic_id, cpu_count - 1, 0xffffffff, "the last one's ID");
}

static void restart(void)
{
    ipi(0, ICR_OTHERS | ICR_INIT);
    costs_nothing("waiting for a start-up IPI");
    ipi(0, ICR_OTHERS | ICR_STARTUP | STARTUP_PAGE);
    ipi(0, ICR_OTHERS | ICR_STARTUP | STARTUP_PAGE);
    unsigned right = 0;
    for (unsigned n = 1; n < cpu_count; n++)
        WAIT_UNTIL(cpus[n]->starts == 2, LIMIT_MS);
    smp_sync();
    for (unsigned n = 1; n < cpu_count; n++)
        right += cpus[n]->starts == 2;
    is_u64(right, cpu_count - 1, "processors that came up again, once, after two start-up IPIs");
}

void test_main(void)
{
    set_handler(PING, answer);
    set_handler(PONG, count_ipi);
    set_handler(ALL, count_ipi);
    smp_first = to_x2apic;
    to_x2apic();
    alone = time_of_loop();
    uint64_t began = rdtsc();
    smp_start();
    printf("# start-up of %u: %lu us\n", cpu_count, (rdtsc() - began) * 1000 / tsc_per_ms());
    identities();
    cpu_call_all(ping, 0);
    taken_once(PING, true, "the neighbour's message");
    taken_once(PONG, true, "its answer");
    costs_nothing("halted");
    ipi(0, ICR_OTHERS | ALL);
    taken_once(ALL, false, "a message to all but self");
    ipi(0xffffffff, ALL);
    taken_once(ALL, true, "a broadcast");
    ipi(0, ICR_OTHERS | ICR_NMI);
    taken_once(NMI, false, "an NMI to all but self");
    restart();
}
