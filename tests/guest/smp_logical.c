/* SPDX-License-Identifier: BSD-2-Clause */
// apic_ids: 0, 1, 0x10, 0x11, 0x12f
// time_limit: 120s
// apic: yes
/* Logical destinations: flat and cluster mode, x2APIC clusters, several bits in one LDR, one bit in
   two, none, and both modes at once. SDM Vol 3A, "Logical Destination Mode" and "Logical
   Destination Mode in x2APIC Mode". */
#include "tests/guest/lib/smp.h"

enum {
    CPUS = 5,
    EVERYONE = (1 << CPUS) - 1,
    VECTOR = 0x61,
    BROADCAST = 0xff,
    FLAT = 0xf,
    CLUSTER = 0x0,
};

/* What each processor has: DFR bits 31:28 and LDR bits 31:24. */
struct population {
    const char *name;
    struct {
        uint8_t dfr, ldr;
    } cpu[CPUS];
};

static const struct population populations[] = {
    {"flat, one bit each", {{FLAT, 1}, {FLAT, 2}, {FLAT, 4}, {FLAT, 8}, {FLAT, 0x80}}},
    {"flat, several bits", {{FLAT, 3}, {FLAT, 6}, {FLAT, 0x0c}, {FLAT, 0xff}, {FLAT, 0x40}}},
    {"flat, equal bits and none", {{FLAT, 1}, {FLAT, 1}, {FLAT, 0x10}, {FLAT, 0}, {FLAT, 0x10}}},
    {"cluster",
     {{CLUSTER, 0x01}, {CLUSTER, 0x02}, {CLUSTER, 0x11}, {CLUSTER, 0x18}, {CLUSTER, 0xe4}}},
    {"cluster, several and equal bits, and none",
     {{CLUSTER, 0x0f}, {CLUSTER, 0x06}, {CLUSTER, 0x06}, {CLUSTER, 0x70}, {CLUSTER, 0x7f}}},
    {"flat and cluster", {{FLAT, 0x01}, {CLUSTER, 0x01}, {FLAT, 0x11}, {CLUSTER, 0x11}, {FLAT, 0}}},
    {"other models", {{0x7, 0x01}, {0xe, 0x02}, {0x1, 0xff}, {0x8, 0xff}, {FLAT, 0x01}}},
};

static const struct population *population;

/* The manual's rule, for one processor. */
static bool accepts(unsigned n, uint32_t destination)
{
    unsigned dfr = population->cpu[n].dfr, ldr = population->cpu[n].ldr;
    if (destination == BROADCAST)
        return true;
    if (dfr == FLAT)
        return destination & ldr;
    return dfr == CLUSTER && destination >> 4 == ldr >> 4 && destination & ldr & 0xf;
}

static unsigned takers(uint32_t destination)
{
    unsigned mask = 0;
    for (unsigned n = 0; n < CPUS; n++)
        mask |= accepts(n, destination) ? 1u << n : 0;
    return mask;
}

static void take_place(uintptr_t argument)
{
    unsigned n = this_cpu()->number;
    (void)argument;
    lapic_write(LAPIC_DFR, (uint32_t)population->cpu[n].dfr << 28);
    lapic_write(LAPIC_LDR, (uint32_t)population->cpu[n].ldr << 24);
}

/* All destinations that differ for somebody, and samples of the rest. */
static bool worth_it(uint32_t destination)
{
    return destination < 0x20 || (destination & 0xf) == 0xf || (destination & 0xf) == 1 ||
           destination == 0x70 || (destination & (destination - 1)) == 0;
}

/* An NMI that came once for each bit would be counted. */
static bool nmis_to_sets(void)
{
    static const uint8_t sets[] = {0x03, 0x07, 0x0f, 0x16, 0x1f, 0x7e, 0xf6};
    bool right = true;
    for (unsigned i = 0; i < sizeof(sets); i++)
        right &= sent_to(i % CPUS, sets[i], ICR_LOGICAL | ICR_NMI, takers(sets[i]));
    return right;
}

static void xapic(void)
{
    for (unsigned i = 0; i < sizeof(populations) / sizeof(*populations); i++) {
        bool right = true;
        population = &populations[i];
        smp_idle(i & 1);
        cpu_call_all(take_place, 0);
        for (uint32_t destination = 0; destination <= BROADCAST; destination++)
            if (worth_it(destination))
                right &= sent_to(destination % CPUS, destination, ICR_LOGICAL | VECTOR,
                                 takers(destination));
        for (uint32_t destination = 1; destination <= BROADCAST; destination <<= 1)
            right &= sent_to(0, destination, ICR_LOGICAL | ICR_NMI, takers(destination));
        right &= nmis_to_sets();
        ok(right, "xAPIC, %s", population->name);
    }
}

/* IDs 0 and 1 are of cluster 0, 10h and 11h of cluster 1, 12Fh of cluster 12h. */
static void x2apic(const char *state)
{
    static const struct {
        uint32_t destination;
        unsigned takers;
    } messages[] = {
        {0x00000001, 1 << 0},
        {0x00000002, 1 << 1},
        {0x00000003, 1 << 0 | 1 << 1},
        {0x0000ffff, 1 << 0 | 1 << 1},
        {0x0000fffc, 0},
        {0x00000000, 0},
        {0x000000ff, 1 << 0 | 1 << 1}, /* no broadcast */
        {0x00010001, 1 << 2},
        {0x00010003, 1 << 2 | 1 << 3},
        {0x00010000, 0},
        {0x00128000, 1 << 4},
        {0x0012ffff, 1 << 4},
        {0x00127fff, 0},
        {0x0002ffff, 0},
        {0x8000ffff, 0},
        {0xffffffff, EVERYONE},
        {0xffff0003, 0},
    };
    bool right = true;
    for (unsigned i = 0; i < sizeof(messages) / sizeof(*messages); i++)
        for (unsigned from = 0; from < CPUS; from++) {
            uint32_t destination = messages[i].destination;
            right &= sent_to(from, destination, ICR_LOGICAL | VECTOR, messages[i].takers);
            right &= sent_to(from, destination, ICR_LOGICAL | ICR_NMI, messages[i].takers);
        }
    ok(right, "x2APIC, %s", state);
}

static void to_x2apic(uintptr_t argument)
{
    (void)argument;
    lapic_enter_x2apic();
}

/* Each receiver looks by its own mode; docs/errata.md has what the manual leaves open. */
static void mixed(void)
{
    bool right = true;
    population = &populations[0];
    cpu_call(cpus[1], to_x2apic, 0);
    cpu_call(cpus[2], to_x2apic, 0);
    right &= sent_to(0, 0x02, ICR_LOGICAL | VECTOR, 1 << 1); /* bit 1: cluster 0, ID 1 */
    right &= sent_to(0, 0x04, ICR_LOGICAL | VECTOR, 0);      /* 2 has left flat mode */
    right &= sent_to(0, 0x0b, ICR_LOGICAL | VECTOR, 1 << 0 | 1 << 1 | 1 << 3);
    right &= sent_to(1, 0x0b, ICR_LOGICAL | VECTOR, 1 << 0 | 1 << 1 | 1 << 3);
    right &= sent_to(1, 0x10001, ICR_LOGICAL | VECTOR, 1 << 2);
    right &= sent_to(1, 0x10003, ICR_LOGICAL | VECTOR, 1 << 2);
    right &= sent_to(0, BROADCAST, ICR_LOGICAL | VECTOR, EVERYONE);
    right &= sent_to(2, 0xffffffff, ICR_LOGICAL | VECTOR, EVERYONE);
    right &= sent_to(0, 1, VECTOR, 1 << 1); /* physical, 8 bits to x2APIC mode */
    right &= sent_to(0, 0x10, VECTOR, 1 << 2);
    right &= sent_to(1, 0x11, VECTOR, 1 << 3); /* 32 bits to xAPIC mode */
    right &= sent_to(1, 0x12f, VECTOR, 0);
    right &= sent_to(0, 0x2f, VECTOR, 1 << 4);
    right &= sent_to(0, BROADCAST, VECTOR, EVERYONE);
    right &= sent_to(1, 0xffffffff, VECTOR, EVERYONE);
    for (unsigned from = 0; from < CPUS; from++)
        right &= sent_to(from, 0, ICR_OTHERS | VECTOR, EVERYONE & ~(1u << from)) &
                 sent_to(from, 0, ICR_SELF | VECTOR, 1u << from) &
                 sent_to(from, 0, ICR_ALL | VECTOR, EVERYONE);
    ok(right, "both modes at once");
}

/* INIT takes the logical ID away by which it came: start-up IPIs need another address. */
static void init_of_a_set(void)
{
    unsigned before[CPUS];
    for (unsigned n = 0; n < CPUS; n++)
        before[n] = cpus[n]->starts;
    smp_prepare(STARTUP_PAGE);
    ipi(0x0c, ICR_LOGICAL | ICR_INIT);
    delay_us(2000);
    ipi(0x0c, ICR_LOGICAL | ICR_STARTUP | STARTUP_PAGE);
    delay_us(2000);
    ok(started(0, before), "xAPIC, INIT to a set: it has no logical ID any more");
    ipi(0xff, ICR_STARTUP | STARTUP_PAGE);
    ok(started(1 << 2 | 1 << 3, before), "xAPIC, SIPI to all starts it alone");
}

static void restart_sets(void)
{
    bool right = smp_restart(0x03 & ~1u, ICR_LOGICAL, 1 << 1, STARTUP_PAGE);
    right &= smp_restart(0x00010003, ICR_LOGICAL, 1 << 2 | 1 << 3, STARTUP_PAGE);
    right &= smp_restart(0x0012ffff, ICR_LOGICAL, 1 << 4, STARTUP_PAGE);
    ok(right, "x2APIC, INIT and SIPI to sets");
}

void test_main(void)
{
    set_handler(VECTOR, count_ipi);
    smp_start();
    xapic();
    population = &populations[0];
    cpu_call_all(take_place, 0);
    init_of_a_set();
    cpu_call_all(take_place, 0);
    mixed();
    for (unsigned n = 0; n < CPUS; n++)
        if (!cpus[n]->x2apic)
            cpu_call(cpus[n], to_x2apic, 0);
    x2apic("running");
    smp_idle(true);
    x2apic("halted");
    restart_sets();
    x2apic("after that");
}
