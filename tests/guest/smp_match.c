/* SPDX-License-Identifier: BSD-2-Clause */
// apic_ids: 0, 0x23, 0x123, 0x40
// time_limit: 60s
// cmdline: architectural
// variant: knl id_match=knl cmdline=knl
// variant: kvm-32bit id_match=kvm-32bit cmdline=kvm-32bit
// apic: yes
/* Who takes a message for an ID that two processors share, under each policy of docs/errata.md: A
   has ID 0x23 and B 0x123, of which xAPIC mode shows the low eight bits. */
#include "tests/guest/lib/smp.h"

enum policy { ARCHITECTURAL, KNL, KVM_32BIT, POLICIES };

enum {
    VECTOR = 0x61, /* odd: the second of two candidates has lowest priority */
    A = 1 << 1,
    B = 1 << 2,
    AB = A | B,
    NARROW = 0, /* the number of a sender in xAPIC mode */
    WIDE = 3,   /* and of one in x2APIC mode */
    MOVED = 0x77,
};

static const char *const policies[POLICIES] = {"architectural", "knl", "kvm-32bit"};
static enum policy policy;

struct message {
    unsigned sender;
    uint32_t destination;
    unsigned takers[POLICIES];
};

static unsigned first_of(unsigned mask)
{
    return mask & -mask;
}

static unsigned last_of(unsigned mask)
{
    return mask & ~first_of(mask) ? mask & ~first_of(mask) : mask;
}

static void check(const struct message *messages, unsigned count, const char *state)
{
    bool right = true;
    for (const struct message *m = messages; m < messages + count; m++) {
        unsigned takers = m->takers[policy];
        right &= sent_to(m->sender, m->destination, VECTOR, takers);
        right &= sent_to(m->sender, m->destination, ICR_NMI, takers);
        if (m->sender == NARROW) {
            right &= sent_to(NARROW, m->destination, ICR_LOWEST | VECTOR, last_of(takers));
            right &= sent_to(NARROW, m->destination, ICR_LOWEST | (VECTOR - 1), first_of(takers));
        }
    }
    ok(right, "%s, %s, %s", policies[policy], idle_halts ? "halted" : "running", state);
}

#define CHECK(state, ...)                                                                          \
    do {                                                                                           \
        static const struct message messages_[] = {__VA_ARGS__};                                   \
        smp_idle(true);                                                                            \
        check(messages_, sizeof(messages_) / sizeof(*messages_), state);                           \
        smp_idle(false);                                                                           \
        check(messages_, sizeof(messages_) / sizeof(*messages_), state);                           \
    } while (0)

static void to_x2apic(uintptr_t argument)
{
    (void)argument;
    lapic_enter_x2apic();
}

/* x2APIC mode is only left for the disabled state, which forgets all but the ID. */
static void to_xapic(uintptr_t argument)
{
    (void)argument;
    lapic_enter_xapic();
    lapic_enable();
}

static void write_id(uintptr_t id)
{
    lapic_write(LAPIC_ID, (uint32_t)id << 24);
}

static void write_ldr(uintptr_t id)
{
    lapic_write(LAPIC_LDR, (uint32_t)id << 24);
}

static void both_xapic(void)
{
    CHECK("A and B in xAPIC mode", {NARROW, 0x23, {AB, AB, A}}, {WIDE, 0x23, {AB, AB, A}},
          {WIDE, 0x123, {0, AB, B}}, {WIDE, 0x223, {0, AB, 0}}, {NARROW, 0x24, {0, 0, 0}});
}

static void in_their_modes(void)
{
    both_xapic();
    cpu_call(cpus[2], to_x2apic, 0);
    CHECK("B in x2APIC mode", {NARROW, 0x23, {A, A, A}}, {WIDE, 0x23, {A, A, A}},
          {WIDE, 0x123, {B, AB, B}}, {WIDE, 0x223, {0, A, 0}});
    cpu_call(cpus[1], to_x2apic, 0);
    CHECK("A and B in x2APIC mode", {NARROW, 0x23, {A, A, A}}, {WIDE, 0x23, {A, A, A}},
          {WIDE, 0x123, {B, B, B}}, {WIDE, 0x223, {0, 0, 0}});
    cpu_call(cpus[2], to_xapic, 0);
    CHECK("A in x2APIC mode", {NARROW, 0x23, {AB, AB, A}}, {WIDE, 0x23, {AB, AB, A}},
          {WIDE, 0x123, {0, B, B}}, {WIDE, 0x223, {0, B, 0}});
    cpu_call(cpus[1], to_xapic, 0);
    both_xapic();
}

static void written(void)
{
    cpu_call(cpus[2], write_id, MOVED);
    CHECK("B wrote another ID", {NARROW, 0x23, {A, A, A}}, {NARROW, MOVED, {B, B, B}},
          {WIDE, MOVED, {B, B, B}}, {WIDE, 0x123, {0, A, B}}, {WIDE, 0x177, {0, B, 0}});
    cpu_call(cpus[1], write_id, MOVED);
    CHECK("both wrote one ID", {NARROW, 0x23, {0, 0, 0}}, {NARROW, MOVED, {AB, AB, A}},
          {WIDE, MOVED, {AB, AB, A}}, {WIDE, 0x123, {0, 0, B}}, {WIDE, 0x177, {0, AB, 0}});
    cpu_call(cpus[1], write_id, 0x23);
    cpu_call(cpus[2], write_id, 0x23);
    both_xapic();
}

/* Only physical IDs have owners. */
static void logical_and_broadcast(void)
{
    bool right = true;
    cpu_call(cpus[1], write_ldr, 0x06);
    cpu_call(cpus[2], write_ldr, 0x0c);
    right &= sent_to(NARROW, 0x04, ICR_LOGICAL | VECTOR, AB);
    right &= sent_to(NARROW, 0x0e, ICR_LOGICAL | VECTOR, AB);
    right &= sent_to(NARROW, 0x02, ICR_LOGICAL | VECTOR, A);
    right &= sent_to(WIDE, 0x04, ICR_LOGICAL | VECTOR, AB);
    right &= sent_to(WIDE, 0x104, ICR_LOGICAL | VECTOR, policy == KNL ? AB : 0);
    ok(right, "%s, logical IDs", policies[policy]);
    right = sent_to(NARROW, 0xff, VECTOR, 0xf);
    right &= sent_to(NARROW, 0xff, ICR_LOGICAL | VECTOR, 0xf);
    right &= sent_to(WIDE, 0xffffffff, VECTOR, 0xf);
    right &= sent_to(WIDE, 0xffffffff, ICR_LOGICAL | VECTOR, 0xf);
    right &= sent_to(1, 0, ICR_OTHERS | VECTOR, 0xf & ~A);
    right &= sent_to(2, 0x23, ICR_SELF | VECTOR, B);
    ok(right, "%s, broadcasts and shorthands", policies[policy]);
}

static void start_up(void)
{
    ok(smp_restart(0x23, 0, policy == KVM_32BIT ? A : AB, STARTUP_PAGE), "%s, INIT and SIPI",
       policies[policy]);
}

void test_main(void)
{
    while (strcmp(policies[policy], argument()) != 0)
        if (++policy == POLICIES)
            bail_out("no policy is called %s", argument());
    set_handler(VECTOR, count_ipi);
    set_handler(VECTOR - 1, count_ipi);
    smp_start();
    cpu_call(cpus[WIDE], to_x2apic, 0);
    in_their_modes();
    written();
    logical_and_broadcast();
    start_up();
    both_xapic();
}
