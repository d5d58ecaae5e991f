/* SPDX-License-Identifier: BSD-2-Clause */
// vcpus: 4
// time_limit: 60s
// apic: yes
/* Delivery modes and vectors that are dropped, refused or ignored, between every pair of
   processors and by every kind of destination, in both modes: what of them shows in the ESR, and
   that nothing else comes of them. SDM Vol 3A, "Interrupt Command Register (ICR)", "Error
   Handling", "ICR Operation in x2APIC Mode"; docs/errata.md for what is Lapwing's choice. */
#include "tests/guest/lib/smp.h"

enum {
    CPUS = 4,
    EVERYONE = (1 << CPUS) - 1,
    FIRST_AP = 1,
    VECTOR = 0x61,
    ERROR_VECTOR = 0x71,
    SPURIOUS = 0xff,
    LEGAL = 16, /* the first legal vector */
    ICR_RESERVED = 3 << 8,
    ICR_EXTINT = 7 << 8,
    SELF_IPI = MSR_X2APIC + LAPIC_SELF_IPI / 16,
    ESR_REDIRECTABLE = 1 << 4,
    ESR_SEND_ILLEGAL = 1 << 5,
    ESR_RECEIVE_ILLEGAL = 1 << 6,
    CLUSTER_DFR = 0x0fffffff,
    FLAT_DFR = -1,
};

/* ---- Sending as it stands, without the assert bit that ipi() adds ---- */

struct command {
    uint32_t destination, low;
};

static void send_command(uintptr_t argument)
{
    const struct command *c = (const struct command *)argument;
    if (this_cpu()->x2apic) {
        wrmsr(MSR_X2APIC + LAPIC_ICR / 16, (uint64_t)c->destination << 32 | c->low);
        return;
    }
    unsigned long flags = read_flags();
    cli();
    lapic_write(LAPIC_ICR_HIGH, c->destination << 24);
    lapic_write(LAPIC_ICR, c->low);
    if (flags & FLAGS_IF)
        sti();
}

static void command(unsigned sender, uint32_t destination, uint32_t low)
{
    struct command c = {destination, low};
    cpu_call(cpus[sender], send_command, (uintptr_t)&c);
}

/* ---- What came of it ---- */

static uint32_t errors[CPUS];
static unsigned starts[CPUS];

static void take_errors(uintptr_t argument)
{
    (void)argument;
    lapic_write(LAPIC_ESR, 0);
    errors[this_cpu()->number] = lapic_read(LAPIC_ESR);
}

/* In each processor's ESR, and one error interrupt where there is something. */
static void see_errors(uint32_t senders, unsigned sender, uint32_t receivers, unsigned mask)
{
    for (unsigned n = 0; n < CPUS; n++)
        cpu_call(cpus[n], take_errors, 0);
    smp_sync();
    for (unsigned n = 0; n < CPUS; n++) {
        uint32_t expected = (n == sender ? senders : 0) | (mask >> n & 1 ? receivers : 0);
        smp_see(errors[n], expected, "ESR", n);
        smp_see(cpus[n]->count[ERROR_VECTOR], expected != 0, "error interrupts", n);
        cpus[n]->count[ERROR_VECTOR] = 0;
    }
}

static void remember_starts(void)
{
    for (unsigned n = 0; n < CPUS; n++)
        starts[n] = cpus[n]->starts;
}

static void see_nothing(unsigned sender, uint32_t low)
{
    smp_sync();
    bool quiet = taken_by(VECTOR, 0, 0) & taken_by(NMI, 0, 0) & started(0, starts);
    if (!quiet)
        printf("# sent by CPU %u: ICR 0x%x\n", sender, low);
    smp_right &= quiet;
}

/* ---- Destinations ---- */

static uint32_t logical_id(unsigned n)
{
    uint32_t id = cpus[n]->apic_id;
    if (boot_cpu.x2apic)
        return id >> 4 << 16 | 1u << (id & 15);
    return 1u << n;
}

static uint32_t everyone(void)
{
    return boot_cpu.x2apic ? UINT32_MAX : 0xff;
}

/* By every kind of destination, from every processor. */
static void everywhere(uint32_t mode, void (*then)(unsigned, uint32_t))
{
    for (unsigned from = 0; from < CPUS; from++) {
        for (unsigned to = 0; to < CPUS; to++) {
            command(from, cpus[to]->apic_id, mode | VECTOR);
            command(from, logical_id(to), mode | ICR_LOGICAL | VECTOR);
        }
        command(from, everyone(), mode | VECTOR);
        command(from, everyone(), mode | ICR_LOGICAL | VECTOR);
        for (uint32_t shorthand = ICR_SELF; shorthand <= ICR_OTHERS; shorthand += ICR_SELF)
            command(from, 0, mode | shorthand | VECTOR);
        then(from, mode);
    }
}

static void set_dfr(uintptr_t dfr)
{
    unsigned n = this_cpu()->number;
    lapic_write(LAPIC_DFR, (uint32_t)dfr);
    lapic_write(LAPIC_LDR, 1u << (24 + n));
}

/* ---- Modes without effect ---- */

static void dropped(void)
{
    static const struct {
        uint32_t mode;
        const char *name;
    } modes[] = {
        {ICR_SMI, "SMI is dropped"},
        {ICR_RESERVED, "the reserved mode 3 is dropped"},
        {ICR_EXTINT, "ExtINT, reserved in the ICR, is dropped"},
        {ICR_INIT | ICR_LEVEL, "INIT level de-assert is ignored"},
        {ICR_STARTUP, "a start-up IPI to who runs is ignored"},
    };
    for (unsigned i = 0; i < sizeof(modes) / sizeof(*modes); i++) {
        remember_starts();
        everywhere(modes[i].mode, see_nothing);
        see_errors(0, 0, 0, 0);
        smp_done(modes[i].name);
    }
}

/* ---- Vectors 0 to 15 ---- */

static unsigned lowest_of(unsigned mask, unsigned vector)
{
    unsigned candidates = 0;
    for (unsigned n = 0; n < CPUS; n++)
        candidates += mask >> n & 1;
    for (unsigned skipped = vector % candidates; skipped; skipped--)
        mask &= mask - 1;
    return mask & -mask;
}

static void illegal(unsigned from, uint32_t destination, uint32_t low, unsigned mask)
{
    command(from, destination, low);
    see_errors(ESR_SEND_ILLEGAL, from, ESR_RECEIVE_ILLEGAL, mask);
}

/* Bit 0 may be set: docs/errata.md, "Processors that are worked around". */
static void no_requests(uintptr_t argument)
{
    (void)argument;
    smp_see(lapic_read(LAPIC_IRR) & 0xfffe, 0, "IRR bits 15:1", this_cpu()->number);
    smp_see(lapic_read(LAPIC_ICR) >> 12 & 1, 0, "ICR delivery status", this_cpu()->number);
}

static void illegal_vectors(void)
{
    for (unsigned from = 0; from < CPUS; from++) {
        unsigned others = EVERYONE & ~(1u << from);
        for (unsigned to = 0; to < CPUS; to++) {
            illegal(from, cpus[to]->apic_id, 4 * from + to, 1u << to);
            illegal(from, logical_id(to), ICR_LOGICAL | (4 * to + from), 1u << to);
        }
        illegal(from, everyone(), from, EVERYONE);
        illegal(from, 0, ICR_SELF | (from + 1), 1u << from);
        illegal(from, 0, ICR_ALL | (from + 2), EVERYONE);
        illegal(from, 0, ICR_OTHERS | (from + 3), others);
        illegal(from, CPUS + 1, 15, 0);
    }
    /* Two and more are one interrupt; what carries no vector has no illegal one. */
    command(1, cpus[2]->apic_id, 3);
    command(1, cpus[2]->apic_id, 4);
    see_errors(ESR_SEND_ILLEGAL, 1, ESR_RECEIVE_ILLEGAL, 1 << 2);
    command(1, cpus[2]->apic_id, ICR_NMI | 3);
    command(1, cpus[2]->apic_id, ICR_SMI | 3);
    smp_sync();
    smp_right &= taken_by(NMI, 1 << 2, 1);
    see_errors(0, 0, 0, 0);
    for (unsigned n = 0; n < CPUS; n++)
        cpu_call(cpus[n], no_requests, 0);
    smp_done("vectors 0 to 15 are errors of sender and receivers, and no requests");
}

/* Above the exceptions' vectors with an error code, whose handlers expect one. */
static void legal_vectors(void)
{
    static const uint8_t vectors[] = {LEGAL, LEGAL + 15};
    for (unsigned i = 0; i < sizeof(vectors) / sizeof(*vectors); i++) {
        set_handler(vectors[i], count_ipi);
        for (unsigned from = 0; from < CPUS; from++) {
            smp_right &= sent_to(from, 0, ICR_ALL | vectors[i], EVERYONE);
            smp_right &=
                sent_to(from, cpus[CPUS - 1 - from]->apic_id, vectors[i], 1u << (CPUS - 1 - from));
        }
        set_handler(vectors[i], NULL);
    }
    see_errors(0, 0, 0, 0);
    smp_done("vectors from 16 on are legal");
}

/* ---- Lowest priority ---- */

static void lowest(unsigned from, uint32_t destination, uint32_t low, unsigned candidates)
{
    for (unsigned i = 0; i < CPUS; i++)
        smp_right &= sent_to(from, destination, low | ICR_LOWEST | (VECTOR + i),
                             candidates ? lowest_of(candidates, VECTOR + i) : 0);
}

/* In clusters the order is that of the bits of the logical IDs, whoever has them. */
static void backwards(uintptr_t argument)
{
    (void)argument;
    lapic_write(LAPIC_LDR, 1u << (24 + CPUS - 1 - this_cpu()->number));
}

static void lowest_in_xapic_mode(void)
{
    for (unsigned from = 0; from < CPUS; from++) {
        for (unsigned mask = 0; mask <= EVERYONE; mask++)
            lowest(from, mask, ICR_LOGICAL, mask);
        lowest(from, everyone(), 0, EVERYONE);
        lowest(from, everyone(), ICR_LOGICAL, EVERYONE);
        lowest(from, 0, ICR_ALL, EVERYONE);
        lowest(from, 0, ICR_OTHERS, EVERYONE & ~(1u << from));
        lowest(from, 0, ICR_SELF, 1u << from);
        lowest(from, 0x80, 0, 0);
    }
    cpu_call_all(set_dfr, CLUSTER_DFR);
    lowest(3, 0x0f, ICR_LOGICAL, EVERYONE);
    lowest(3, 0x0a, ICR_LOGICAL, 0xa);
    lowest(3, 0x1f, ICR_LOGICAL, 0);
    cpu_call_all(backwards, 0);
    for (unsigned i = 0; i < CPUS; i++)
        smp_right &= sent_to(1, 0x0f, ICR_LOGICAL | ICR_LOWEST | (VECTOR + i),
                             1u << (CPUS - 1 - (VECTOR + i) % CPUS));
    cpu_call_all(set_dfr, (uintptr_t)FLAT_DFR);
    illegal(1, 0x0d, ICR_LOGICAL | ICR_LOWEST | 4, lowest_of(0xd, 4));
    see_errors(0, 0, 0, 0);
    smp_done("lowest priority: one of the candidates, by the vector");
}

static void refused(unsigned from, uint32_t low)
{
    see_nothing(from, low);
    see_errors(ESR_REDIRECTABLE, from, 0, 0);
}

static void lowest_in_x2apic_mode(void)
{
    remember_starts();
    everywhere(ICR_LOWEST, refused);
    command(2, cpus[1]->apic_id, ICR_LOWEST | 5);
    see_errors(ESR_REDIRECTABLE, 2, 0, 0);
    smp_done("lowest priority is reserved: an error of the sender");
}

/* ---- Software-disabled APICs ---- */

static void write_error_lvt(uintptr_t argument)
{
    (void)argument;
    lapic_write(LAPIC_LVT_ERROR, ERROR_VECTOR);
}

static void write_svr(uintptr_t value)
{
    lapic_write(LAPIC_SVR, (uint32_t)value);
}

/* Nothing but an NMI could wake it: to be called while all run. */
static void disabled(void)
{
    for (unsigned n = 0; n < CPUS; n++) {
        unsigned other = (n + 1) % CPUS;
        cpu_call(cpus[n], write_svr, SPURIOUS);
        command(other, cpus[n]->apic_id, VECTOR);
        command(other, cpus[n]->apic_id, 5);
        command(n, cpus[other]->apic_id, VECTOR);
        command(n, cpus[other]->apic_id, ICR_NMI);
        command(n, 0, ICR_SELF | VECTOR);
        command(n, 0, ICR_SELF | ICR_NMI);
        WAIT_UNTIL(cpus[n]->count[NMI] && cpus[other]->count[NMI], 100);
        cpu_call(cpus[n], write_svr, SVR_ENABLE | SPURIOUS);
        cpu_call(cpus[n], take_errors, 0);
        smp_see(errors[n], 0, "ESR after being disabled", n);
        smp_sync();
        smp_right &= taken_by(VECTOR, 1u << other, 1);
        smp_right &= taken_by(NMI, 1u << n | 1u << other, 1);
        cpu_call(cpus[n], write_error_lvt, 0); /* disabling has masked it */
        see_errors(ESR_SEND_ILLEGAL, other, 0, 0);
    }
    if (!boot_cpu.x2apic) {
        cpu_call(cpus[1], write_svr, SPURIOUS);
        cpus[1]->offline = true;
        lowest(2, 0x3, ICR_LOGICAL, 1 << 0);
        lowest(1, 0xff, 0, EVERYONE & ~(1 << 1));
        lowest(3, 0x2, ICR_LOGICAL, 0);
        cpus[1]->offline = false;
        cpu_call(cpus[1], write_svr, SVR_ENABLE | SPURIOUS);
    }
    smp_done("a software-disabled APIC sends all, takes NMIs and nothing with a vector");
}

/* ---- Other NMIs and vectors ---- */

/* docs/errata.md, "Shorthand self". */
static void nmi_shorthands(void)
{
    for (unsigned from = 0; from < CPUS; from++) {
        smp_right &= sent_to(from, 0, ICR_NMI | ICR_SELF | VECTOR, 1u << from);
        smp_right &= sent_to(from, 0, ICR_NMI | ICR_ALL | VECTOR, EVERYONE);
        smp_right &= sent_to(from, 0, ICR_NMI | ICR_OTHERS | ICR_LEVEL, EVERYONE & ~(1u << from));
    }
    smp_right &= taken_by(VECTOR, 0, 0);
    smp_done("NMI by every shorthand, whatever the vector");
}

/* ---- INIT between all pairs ---- */

static void init_pairs(uint32_t mode, const char *what)
{
    smp_prepare(STARTUP_PAGE);
    for (unsigned from = 0; from < CPUS; from++)
        for (unsigned to = FIRST_AP; to < CPUS; to++) {
            if (from == to)
                continue;
            uint32_t id = mode & ICR_LOGICAL ? logical_id(to) : cpus[to]->apic_id;
            remember_starts();
            command(from, id, mode | ICR_INIT | ICR_ASSERT);
            cpus[to]->offline = true;
            command(from, id, mode | VECTOR);
            command(from, id, mode | ICR_INIT | ICR_LEVEL);
            command(from, id, mode | ICR_SMI);
            delay_us(100);
            see_nothing(from, mode | ICR_INIT);
            command(from, id, mode | ICR_STARTUP | STARTUP_PAGE);
            smp_right &= started(1u << to, starts);
            cpus[to]->offline = false;
            remember_starts();
            command(from, id, mode | ICR_STARTUP | STARTUP_PAGE);
            see_nothing(from, mode | ICR_STARTUP);
        }
    smp_done(what);
}

static void again(uintptr_t argument)
{
    write_error_lvt(argument);
    if (!this_cpu()->x2apic)
        set_dfr((uintptr_t)FLAT_DFR);
}

static void inits(void)
{
    init_pairs(0, "INIT and SIPI between all pairs, physical");
    if (boot_cpu.x2apic) /* INIT takes the logical ID of xAPIC mode away */
        init_pairs(ICR_LOGICAL, "INIT and SIPI between all pairs, logical");
    cpu_call_all(again, 0);
}

/* ---- Reserved bits ---- */

static void refuses(uintptr_t argument)
{
    uint64_t id = (uint64_t)this_cpu()->apic_id << 32;
    unsigned n = this_cpu()->number;
    (void)argument;
    for (unsigned bit = 0; bit < 32; bit++) {
        bool reserved = bit == 13 || bit == 16 || bit == 17 || bit >= 20;
        if (reserved)
            smp_see(try_wrmsr(MSR_X2APIC + LAPIC_ICR / 16, id | VECTOR | 1u << bit).vector, GP,
                    "ICR with a reserved bit", n);
    }
    for (unsigned bit = 8; bit < 64; bit++)
        smp_see(try_wrmsr(SELF_IPI, VECTOR | 1ull << bit).vector, GP,
                "SELF IPI with a reserved bit", n);
}

static void send_self_ipi(uintptr_t vector)
{
    wrmsr(SELF_IPI, vector);
}

static void reserved_bits(void)
{
    for (unsigned n = 0; n < CPUS; n++) {
        cpu_call(cpus[n], refuses, 0);
        smp_sync();
        smp_right &= taken_by(VECTOR, 0, 0);
        smp_right &= sent_to(n, cpus[n]->apic_id, 1 << 12 | VECTOR, 1u << n);
        cpu_call(cpus[n], send_self_ipi, VECTOR);
        smp_sync();
        smp_right &= taken_by(VECTOR, 1u << n, 1);
        cpu_call(cpus[n], send_self_ipi, n);
        see_errors(ESR_SEND_ILLEGAL, n, ESR_RECEIVE_ILLEGAL, 1u << n);
    }
    smp_done("reserved bits fault and send nothing; SELF IPI");
}

/* They are ignored, and read 0. */
static void ignored_bits(void)
{
    for (unsigned from = 0; from < CPUS; from++)
        for (unsigned bit = 12; bit < 32; bit += bit == 13 ? 3 : bit == 17 ? 3 : 1)
            smp_right &= sent_to(from, cpus[(from + bit) % CPUS]->apic_id, 1u << bit | VECTOR,
                                 1u << (from + bit) % CPUS);
    lapic_write(LAPIC_ICR_HIGH, UINT32_MAX);
    lapic_write(LAPIC_ICR, 0xfff33000 | ICR_SELF | VECTOR);
    smp_see(lapic_read(LAPIC_ICR), ICR_SELF | VECTOR, "ICR after reserved bits", 0);
    smp_see(lapic_read(LAPIC_ICR_HIGH), 0xff000000, "its upper half", 0);
    smp_sync();
    smp_right &= taken_by(VECTOR, 1, 1);
    smp_done("reserved bits are ignored");
}

static void in_either_mode(void)
{
    dropped();
    illegal_vectors();
    legal_vectors();
    if (boot_cpu.x2apic) {
        lowest_in_x2apic_mode();
        reserved_bits();
    } else {
        lowest_in_xapic_mode();
        ignored_bits();
    }
    nmi_shorthands();
    if (!idle_halts)
        disabled();
    inits();
}

static void both_states(void)
{
    smp_idle(true);
    in_either_mode();
    smp_idle(false);
    in_either_mode();
}

static void to_x2apic(uintptr_t argument)
{
    (void)argument;
    lapic_enter_x2apic();
}

void test_main(void)
{
    for (unsigned i = 0; i < CPUS; i++)
        set_handler(VECTOR + i, count_ipi);
    set_handler(ERROR_VECTOR, count_ipi);
    smp_start();
    cpu_call_all(again, 0);
    both_states();
    cpu_call_all(to_x2apic, 0);
    both_states();
}
