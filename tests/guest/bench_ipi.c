/* SPDX-License-Identifier: BSD-2-Clause */
/* What an IPI to another processor costs the one and the other, each with a CPU of its own. Both
   advance the TSC: a tick is the time that each needs for one instruction, more or less. */
// time_limit: 60s
#include "tests/guest/lib/bench.h"
#include "tests/guest/lib/smp.h"

enum { VECTOR = 0x50 };

static volatile uint64_t sent_at;
static volatile uint64_t receive_ticks;
static volatile unsigned received;

static void on_ipi(struct trap_frame *frame)
{
    (void)frame;
    receive_ticks += rdtsc() - sent_at;
    lapic_eoi();
    received++;
}

static volatile uint64_t receiver_exits;

static void read_exits(uintptr_t argument)
{
    (void)argument;
    receiver_exits = vm_exits();
}

/* Without exits: until the receiver halts again, or spins. */
static void settle(void)
{
    enum { TICKS = 1500 };
    uint64_t end = rdtsc() + TICKS;
    while (rdtsc() < end)
        pause();
}

static void send(void)
{
    uint64_t icr = (uint64_t)cpus[1]->apic_id << 32 | VECTOR;
    wrmsr(MSR_X2APIC + LAPIC_ICR / 16, icr);
}

static void one_ipi(uint64_t *ticks)
{
    unsigned before = received;
    settle();
    sent_at = rdtsc();
    send();
    *ticks += rdtsc() - sent_at;
    if (!WAIT_UNTIL(received != before, 100))
        bail_out("an IPI did not arrive");
}

/* Reading the receiver's exits takes a call, which makes exits itself: they are the same each time
   and are taken off. */
static uint64_t exits_of_receiver(void)
{
    cpu_call(cpus[1], read_exits, 0);
    settle();
    return receiver_exits;
}

static void ipis(const char *sender, const char *receiver)
{
    uint64_t first = exits_of_receiver(), call = exits_of_receiver() - first;
    uint64_t ticks = 0, start = receiver_exits, sender_start = vm_exits();
    receive_ticks = 0;
    for (unsigned i = 0; i < BENCH_ROUNDS; i++)
        one_ipi(&ticks);
    uint64_t sender_exits = vm_exits() - sender_start - 1;
    bench_report(sender, ticks, sender_exits);
    bench_report(receiver, receive_ticks, exits_of_receiver() - start - call);
}

static void to_x2apic(uintptr_t argument)
{
    (void)argument;
    lapic_enter_x2apic();
}

void test_main(void)
{
    plan(1);
    set_handler(VECTOR, on_ipi);
    smp_start();
    cpu_call_all(to_x2apic, 0);
    smp_idle(false);
    ipis("ipi_to_running_sender", "ipi_to_running_receiver");
    smp_idle(true);
    ipis("ipi_to_halted_sender", "ipi_to_halted_receiver");
    ok(true, "measured");
}
