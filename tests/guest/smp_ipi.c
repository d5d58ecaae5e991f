/* SPDX-License-Identifier: BSD-2-Clause */
// vcpus: 4
// time_limit: 30s
// apic: yes
/* Every kind of IPI between every pair of processors, in xAPIC and in x2APIC mode, to halted and to
   running ones: who takes it, how often, and that nobody else does. SDM Vol 3A, "Determining IPI
   Destination" and "Interrupt Command Register (ICR)". */
#include "tests/guest/lib/smp.h"

enum {
    CPUS = 4,
    VECTOR = 0x61,
    EVERYONE = (1 << CPUS) - 1,
    X2APIC_BROADCAST = -1,
    XAPIC_BROADCAST = 0xff,
};

/* `sender` sends; afterwards exactly the processors in the mask have taken it, once. */
static void send(unsigned sender, uint32_t destination, uint32_t low, uint64_t mask)
{
    smp_right &= sent_to(sender, destination, low & ICR_NMI ? low : low | VECTOR, mask);
}

static uint32_t logical_id(unsigned n)
{
    uint32_t id = cpus[n]->apic_id;
    if (boot_cpu.x2apic)
        return id >> 4 << 16 | 1u << (id & 15);
    return 1u << n;
}

static void pairs(uint32_t mode, const char *what)
{
    for (unsigned from = 0; from < CPUS; from++)
        for (unsigned to = 0; to < CPUS; to++)
            send(from, mode & ICR_LOGICAL ? logical_id(to) : cpus[to]->apic_id, mode, 1u << to);
    smp_done(what);
}

/* The destination plays no part. */
static void shorthands(void)
{
    for (unsigned from = 0; from < CPUS; from++) {
        uint32_t other = cpus[(from + 1) % CPUS]->apic_id;
        send(from, other, ICR_SELF, 1u << from);
        send(from, other, ICR_ALL, EVERYONE);
        send(from, other, ICR_OTHERS, EVERYONE & ~(1u << from));
        send(from, other, ICR_OTHERS | ICR_NMI, EVERYONE & ~(1u << from));
        send(from, other, ICR_OTHERS | ICR_LOGICAL, EVERYONE & ~(1u << from));
    }
    smp_done("shorthands");
}

static void broadcasts(void)
{
    uint32_t all = boot_cpu.x2apic ? (uint32_t)X2APIC_BROADCAST : XAPIC_BROADCAST;
    for (unsigned from = 0; from < CPUS; from++) {
        send(from, all, 0, EVERYONE);
        send(from, all, ICR_LOGICAL, EVERYONE);
        send(from, all, ICR_NMI, EVERYONE);
        if (boot_cpu.x2apic)
            send(from, XAPIC_BROADCAST, 0, 0);
    }
    smp_done("broadcasts");
}

/* IDs that nobody has, next to those that somebody has. */
static void absent(void)
{
    send(1, CPUS, 0, 0);
    send(1, 0x80, 0, 0);
    if (boot_cpu.x2apic) {
        send(1, 0x100, 0, 0);
        send(1, 0x1000001, 0, 0);
        send(1, 0x10001, ICR_LOGICAL, 0);
    } else {
        send(1, 0xfe, 0, 0);
    }
    send(1, boot_cpu.x2apic ? 0x10 : 0xf0, ICR_LOGICAL, 0);
    smp_done("absent destinations");
}

static void subsets(uint32_t mode, const char *what)
{
    for (unsigned mask = 0; mask <= EVERYONE; mask++)
        send(mask % CPUS, mask, mode | ICR_LOGICAL, mask);
    smp_done(what);
}

static void flat(uintptr_t argument)
{
    (void)argument;
    lapic_write(LAPIC_DFR, 0xffffffff);
    lapic_write(LAPIC_LDR, 1u << (24 + this_cpu()->number));
}

static void both_states(void (*test)(void))
{
    smp_idle(true);
    test();
    smp_idle(false);
    test();
}

static void in_either_mode(void)
{
    pairs(0, "physical");
    pairs(ICR_NMI, "NMI, physical");
    pairs(ICR_LOGICAL, "logical");
    pairs(ICR_LOGICAL | ICR_NMI, "NMI, logical");
    if (!boot_cpu.x2apic)
        pairs(ICR_LOWEST, "lowest priority, physical");
    /* An IPI is always edge-triggered and asserted. */
    pairs(ICR_LEVEL, "with the trigger bit set");
    shorthands();
    broadcasts();
    absent();
    subsets(0, "logical, every set");
    subsets(ICR_NMI, "NMI, logical, every set");
}

static void to_x2apic(uintptr_t argument)
{
    (void)argument;
    lapic_enter_x2apic();
}

void test_main(void)
{
    set_handler(VECTOR, count_ipi);
    smp_start();
    cpu_call_all(flat, 0);
    both_states(in_either_mode);
    cpu_call_all(to_x2apic, 0);
    both_states(in_either_mode);
}
