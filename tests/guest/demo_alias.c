/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * "make run DEMO=alias": processors that share an APIC ID, and who takes what is sent to it. Each
 * VM of demo_alias.conf runs this under one policy of docs/errata.md, which is its command line,
 * and prints a table.
 */
#include "tests/guest/lib/smp.h"

enum {
    VECTOR = 0x60,
    NARROW = 0, /* number of the sender in xAPIC mode */
    WIDE = 5,   /* and of the one in x2APIC mode */
    EVERYONE = 0x3f,
    FIRST_COLUMN = 16,
    COLUMN = 11,
};

#define CPU(n) (1u << (n))

static const struct message {
    const char *text;
    unsigned sender;
    uint32_t destination, mode;
    unsigned takers; /* by the manual */
    const char *why;
} messages[] = {
    {"to 23h", NARROW, 0x23, 0, CPU(1) | CPU(2), "each APIC compares its own ID: two match"},
    {"to 45h", NARROW, 0x45, 0, CPU(3) | CPU(4), "a written ID counts like any other"},
    {"to 46h", NARROW, 0x46, 0, 0, "and replaces the old one"},
    {"to logical 04h", NARROW, 0x04, ICR_LOGICAL, CPU(1) | CPU(2),
     "logical IDs may be shared, too"},
    {"to 00000023h", WIDE, 0x23, 0, CPU(1) | CPU(2), "whoever sends: the receiver decides"},
    {"to 00000123h", WIDE, 0x123, 0, 0, "no ID of eight bits is 123h"},
    {"to FFFFFFFFh", WIDE, 0xffffffff, 0, EVERYONE, "the broadcast ID matches in each mode"},
};

/* The same again once CPU 2 is in x2APIC mode. */
static const struct message later[] = {
    {"to 23h", NARROW, 0x23, 0, CPU(1), "the alias is gone"},
    {"to 00000123h", WIDE, 0x123, 0, CPU(2), "in x2APIC mode an ID has 32 bits"},
};

static unsigned as_the_manual, sent;

static void pad(unsigned used, unsigned width)
{
    for (; used < width; used++)
        console_putc(' ');
}

static void put(const char *text, unsigned width)
{
    printf("%s", text);
    pad((unsigned)strlen(text), width);
}

static void put_takers(unsigned takers)
{
    if (takers == 0 || takers == EVERYONE) {
        put(takers ? "everyone" : "nobody", COLUMN);
        return;
    }
    unsigned used = 4;
    printf("CPU ");
    for (unsigned n = 0; n < cpu_count; n++)
        if (takers >> n & 1) {
            printf(used > 4 ? "+%u" : "%u", n);
            used += used > 4 ? 2 : 1;
        }
    pad(used, COLUMN);
}

static void send(uintptr_t argument)
{
    const struct message *message = (const struct message *)argument;
    ipi(message->destination, message->mode | VECTOR);
}

static unsigned takers(void)
{
    unsigned mask = 0;
    for (unsigned n = 0; n < cpu_count; n++) {
        mask |= cpus[n]->count[VECTOR] ? CPU(n) : 0;
        cpus[n]->count[VECTOR] = 0;
    }
    return mask;
}

static void try(const struct message *message)
{
    cpu_call(cpus[message->sender], send, (uintptr_t)message);
    smp_sync();
    unsigned seen = takers();
    printf("  CPU %u ", message->sender);
    put(message->text, FIRST_COLUMN);
    put_takers(seen);
    put_takers(message->takers);
    printf("%s %s\n", seen == message->takers ? "   " : "(!)", message->why);
    as_the_manual += seen == message->takers;
    sent++;
}

static void write_id(uintptr_t id)
{
    lapic_write(LAPIC_ID, (uint32_t)id << 24);
}

static void write_ldr(uintptr_t id)
{
    lapic_write(LAPIC_LDR, (uint32_t)id << 24);
}

static void to_x2apic(uintptr_t argument)
{
    (void)argument;
    lapic_enter_x2apic();
}

static void set_up(void)
{
    set_handler(VECTOR, count_ipi);
    smp_start();
    cpu_call(cpus[4], write_id, 0x45);
    cpu_call(cpus[1], write_ldr, 0x04);
    cpu_call(cpus[2], write_ldr, 0x04);
    cpu_call(cpus[WIDE], to_x2apic, 0);
}

static const char *policy(void)
{
    static const struct {
        const char *name, *what;
    } policies[] = {
        {"architectural", "each APIC decides for itself, the default"},
        {"knl", "an APIC in xAPIC mode looks at the low 8 bits of what is sent"},
        {"kvm-32bit", "of several with one ID only the first takes part; 123h is 123h in any mode"},
    };
    for (size_t i = 0; i < sizeof(policies) / sizeof(policies[0]); i++)
        if (!strcmp(argument(), policies[i].name))
            return policies[i].what;
    bail_out("no such policy");
}

static void introduce(void)
{
    printf("\nIn xAPIC mode an APIC ID has 8 bits, so that processors may share one:\n\n"
           "  CPU 1  ID 023h\n"
           "  CPU 2  ID 123h, of which xAPIC mode shows 23h\n"
           "  CPU 3  ID 045h\n"
           "  CPU 4  ID 046h, and has written 45h over it\n\n"
           "CPU 0, in xAPIC mode, sends to IDs of 8 bits, CPU 5, in x2APIC mode, to IDs of 32.\n");
}

void test_main(void)
{
    set_up();
    if (!strcmp(argument(), "architectural"))
        introduce();
    printf("\nid_match = %s: %s\n\n", argument(), policy());
    put("  sent", FIRST_COLUMN + 8);
    put("taken by", COLUMN);
    printf("by the manual (SDM Vol 3A, \"Determining IPI Destination\")\n");
    for (size_t i = 0; i < sizeof(messages) / sizeof(messages[0]); i++)
        try(&messages[i]);
    printf("  CPU 2 enters x2APIC mode\n");
    cpu_call(cpus[2], to_x2apic, 0);
    for (size_t i = 0; i < sizeof(later) / sizeof(later[0]); i++)
        try(&later[i]);
    printf("  %u of %u as the manual has it\n", as_the_manual, sent);
    power_off();
}
