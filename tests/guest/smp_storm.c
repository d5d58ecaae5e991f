/* SPDX-License-Identifier: BSD-2-Clause */
// vcpus: 4
// time_limit: 120s
// cmdline: 100000
// long_variant: million cmdline=1000000 time_limit=600s
// apic: yes cmdline=20000
/* A storm of IPIs, as many as the command line says, each counted by each acceptor exactly once. As
   equal vectors collapse while one is pending, every message has a vector of which no other is
   under way: three tokens go around in rings, two rounds of multicasts follow each other. */
#include "tests/guest/lib/smp.h"

enum {
    CPUS = 4,
    RINGS = 3,
    MULTICASTS = 2,
    OTHERS = 0, /* numbers of multicasts */
    SET = 1,
    RING = 0x40,      /* plus 16 times the number: each has a class of its own */
    MULTICAST = 0x70, /* likewise */
    PARTS = RINGS + MULTICASTS,
};

static volatile unsigned finished;

static struct ring {
    unsigned stride, hops; /* hops to go from start to end */
    bool logical;
    volatile unsigned at, done;
} rings[RINGS];

static struct multicast {
    unsigned rounds, takers;
    volatile unsigned round, sender, taken;
} multicasts[MULTICASTS];

static volatile unsigned strays;

static uint32_t logical_id(unsigned n)
{
    return 1u << n; /* flat; in x2APIC mode the same, as the IDs are below 16 */
}

static void end_part(void)
{
    __atomic_fetch_add(&finished, 1, __ATOMIC_SEQ_CST);
    ipi(boot_cpu.apic_id, VECTOR_WAKE);
}

static void pass_on(struct ring *ring, unsigned vector)
{
    ring->at = (ring->at + ring->stride) % CPUS;
    if (ring->logical)
        ipi(logical_id(ring->at), ICR_LOGICAL | vector);
    else
        ipi(cpus[ring->at]->apic_id, vector);
}

static void on_token(struct trap_frame *frame)
{
    struct ring *ring = &rings[(frame->vector - RING) >> 4];
    struct cpu *me = this_cpu();
    me->count[frame->vector]++;
    if (ring->at != me->number || ring->done == ring->hops)
        __atomic_fetch_add(&strays, 1, __ATOMIC_SEQ_CST);
    else if (++ring->done == ring->hops)
        end_part();
    else
        pass_on(ring, (unsigned)frame->vector);
    lapic_eoi();
}

static void next_round(unsigned number)
{
    struct multicast *m = &multicasts[number];
    m->sender = this_cpu()->number;
    m->taken = 0;
    m->round++;
    if (number == OTHERS)
        ipi(0, ICR_OTHERS | MULTICAST);
    else
        ipi((1 << CPUS) - 1, ICR_LOGICAL | (MULTICAST + 16));
}

/* The last one to take a round begins the next. */
static void on_multicast(struct trap_frame *frame)
{
    static unsigned last[MULTICASTS][CPUS]; /* round each has taken, but as a sender */
    unsigned number = (unsigned)(frame->vector - MULTICAST) >> 4, me = this_cpu()->number;
    struct multicast *m = &multicasts[number];
    this_cpu()->count[frame->vector]++;
    if (last[number][me] == m->round || (number == OTHERS && m->sender == me))
        __atomic_fetch_add(&strays, 1, __ATOMIC_SEQ_CST);
    last[number][me] = m->round;
    if (__atomic_add_fetch(&m->taken, 1, __ATOMIC_SEQ_CST) == m->takers) {
        if (m->round == m->rounds)
            end_part();
        else
            next_round(number);
    }
    lapic_eoi();
}

static void see_ring(unsigned number, const char *mode)
{
    const struct ring *ring = &rings[number];
    unsigned expected[CPUS] = {0}, at = number;
    for (unsigned n = 0; n < ring->hops; n++)
        expected[at = (at + ring->stride) % CPUS]++;
    for (unsigned n = 0; n < CPUS; n++)
        is_u64(cpus[n]->count[RING + 16 * number], expected[n], "%s, ring %u: CPU %u took", mode,
               number, n);
}

static void see_multicast(unsigned number, const char *mode)
{
    unsigned sum = 0, vector = MULTICAST + 16 * number;
    for (unsigned n = 0; n < CPUS; n++) {
        sum += cpus[n]->count[vector];
        if (number == SET)
            is_u64(cpus[n]->count[vector], multicasts[SET].rounds, "%s, to a set: CPU %u took",
                   mode, n);
    }
    is_u64(sum, multicasts[number].rounds * multicasts[number].takers, "%s, %s: taken together",
           mode, number == OTHERS ? "to all others" : "to a set");
}

static void begin(uintptr_t number)
{
    cli();
    if (number < RINGS)
        pass_on(&rings[number], RING + 16 * (unsigned)number);
    if (number >= CPUS - MULTICASTS)
        next_round((unsigned)number - (CPUS - MULTICASTS));
    sti();
}

static void storm(unsigned messages)
{
    const char *mode = boot_cpu.x2apic ? "x2APIC" : "xAPIC";
    unsigned part = messages / PARTS;
    rings[0] = (struct ring){.stride = 1, .hops = part, .at = 0};
    rings[1] = (struct ring){.stride = CPUS - 1, .hops = part, .at = 1, .logical = true};
    rings[2] = (struct ring){.stride = 1, .hops = part, .at = 2};
    multicasts[OTHERS] = (struct multicast){.rounds = part / (CPUS - 1), .takers = CPUS - 1};
    multicasts[SET] = (struct multicast){.rounds = part / CPUS, .takers = CPUS};
    finished = 0;
    for (unsigned n = 0; n < CPUS; n++)
        memset((void *)cpus[n]->count, 0, sizeof(cpus[n]->count));
    uint64_t start = rdtsc();
    for (unsigned n = 0; n < CPUS; n++)
        cpu_call(cpus[n], begin, n);
    cli();
    while (finished < PARTS && rdtsc() - start < tsc_per_ms() * messages) {
        sti_hlt();
        cli();
    }
    sti();
    smp_sync();
    printf("# %u messages, %u ticks each\n", messages, (unsigned)((rdtsc() - start) / messages));
    for (unsigned number = 0; number < RINGS; number++)
        see_ring(number, mode);
    for (unsigned number = 0; number < MULTICASTS; number++)
        see_multicast(number, mode);
    is_u64(strays, 0, "%s: messages that nobody had sent", mode);
}

static void set_logical_id(uintptr_t argument)
{
    (void)argument;
    lapic_write(LAPIC_LDR, logical_id(this_cpu()->number) << 24);
}

static void to_x2apic(uintptr_t argument)
{
    (void)argument;
    lapic_enter_x2apic();
}

void test_main(void)
{
    for (unsigned i = 0; i < RINGS; i++)
        set_handler(RING + 16 * i, on_token);
    for (unsigned i = 0; i < MULTICASTS; i++)
        set_handler(MULTICAST + 16 * i, on_multicast);
    smp_start();
    cpu_call_all(set_logical_id, 0);
    storm(argument_number() / 5);
    cpu_call_all(to_x2apic, 0);
    storm(argument_number() / 5 * 4);
}
