/* SPDX-License-Identifier: BSD-2-Clause */
// apic_ids: 0, 0x23, 0x123, 0x223, 0x42
// time_limit: 120s
// apic: yes
/* Processors that share an APIC ID in xAPIC mode: each accepts on its own. Three have the same low
   eight bits, others write one ID; all of them go through all IDs, and change under fire. */
#include "tests/guest/lib/smp.h"

enum {
    CPUS = 5,
    EVERYONE = (1 << CPUS) - 1,
    ALIASED = 1 << 1 | 1 << 2 | 1 << 3,
    THREE = 3,
    ID = 0x23,
    ALONE = 4, /* the number of one that shares no ID at first */
    BROADCAST = 0xff,
    VECTOR = 0x60, /* divisible by three: the first of three candidates has lowest priority */
};

static void write_id(uintptr_t id)
{
    lapic_write(LAPIC_ID, (uint32_t)id << 24);
}

static uint32_t own_id(void)
{
    return lapic_read(LAPIC_ID) >> 24;
}

/* ---- One ID, three processors ---- */

static void three(void)
{
    bool right = true;
    for (unsigned from = 0; from < CPUS; from++) {
        right &= sent_to(from, ID, VECTOR, ALIASED);
        right &= sent_to(from, ID, ICR_NMI, ALIASED);
        for (unsigned nth = 0; nth < THREE; nth++)
            right &= sent_to(from, ID, ICR_LOWEST | (VECTOR + nth), 2u << nth);
        right &= sent_to(from, ID, ICR_OTHERS | VECTOR, EVERYONE & ~(1u << from));
    }
    ok(right, "three with one ID, %s: all take, one has lowest priority",
       idle_halts ? "halted" : "running");
}

static void start_up(void)
{
    ok(smp_restart(ID, 0, ALIASED, STARTUP_PAGE), "INIT and SIPI start all three");
    cpu_call(cpus[ALONE], write_id, ID);
    ok(smp_restart(ID, 0, ALIASED | 1 << ALONE, STARTUP_PAGE), "and one more that wrote this ID");
    ok(sent_to(0, ID, VECTOR, ALIASED | 1 << ALONE), "which it still has after INIT");
    cpu_call(cpus[ALONE], write_id, 0);
    ok(sent_to(0, 0, VECTOR, 1 | 1 << ALONE), "one shares the sender's own ID");
    ok(sent_to(ALONE, 0, VECTOR, 1 | 1 << ALONE), "either way");
}

/* ---- All IDs in turn ---- */

static unsigned members;

static void move_on(struct trap_frame *frame)
{
    if (members >> this_cpu()->number & 1)
        write_id(own_id() + 1);
    count_ipi(frame);
}

static uint32_t fixed_id(unsigned n)
{
    return n << 5 | 0x10;
}

/* Members go from ID to ID, the others stay at theirs. */
static void in_turn(const char *what)
{
    bool right = true;
    unsigned at[BROADCAST + 1] = {0};
    cpu_call_all(write_id, 0);
    for (unsigned n = 0; n < CPUS; n++)
        if (!(members >> n & 1)) {
            cpu_call(cpus[n], write_id, fixed_id(n));
            at[fixed_id(n)] |= 1u << n;
        }
    set_handler(VECTOR, move_on);
    for (unsigned id = 0; id <= BROADCAST; id++)
        right &= sent_to(id % CPUS, id, VECTOR, id == BROADCAST ? EVERYONE : members | at[id]);
    set_handler(VECTOR, count_ipi);
    for (unsigned n = 0; n < CPUS; n++)
        right &= sent_to(n, members >> n & 1 ? 0 : fixed_id(n), VECTOR,
                         members >> n & 1 ? members : 1u << n);
    ok(right, "%s, %s: to each of the IDs in turn", what, idle_halts ? "halted" : "running");
}

static void all_ids(void)
{
    smp_idle(true);
    members = EVERYONE;
    in_turn("everybody moves on");
    smp_idle(false);
    members = 1 << 2 | 1 << 4;
    in_turn("two move on");
}

/* ---- An ID that moves ---- */

enum {
    MOVING = 0x77,
    PARKED = 0xa0, /* plus the number: the ID of a holder without it */
    MESSAGE = 0x71,
    DRAIN = 0x61, /* of lower priority */
    HOLDERS = 2,  /* processors 1 and 2 hold the ID, 3 and 4 send */
    SENDS = 300,
    STEPS = 54,
    CROSSED_MIN = 10,
};

/* Step n is `mover[n % STEPS]` taking the ID or giving it up; holders[n] have it before. Twice the
   steps that are complete, and 1 when one has begun. */
static uint8_t mover[STEPS], holders[STEPS];
static volatile unsigned version;
static volatile bool stop;
static volatile unsigned crossed, wrong;

static void plan_steps(void)
{
    unsigned step = 0;
    for (unsigned i = 0; i < 16; i++)
        mover[step++] = 2; /* both and one */
    mover[step++] = 2;
    mover[step++] = 1; /* handed over: at no time without */
    for (unsigned i = 0; i < 16; i++)
        mover[step++] = 1;
    mover[step++] = 2;
    mover[step++] = 1; /* handed back, with a gap */
    mover[step++] = 1;
    for (unsigned i = 0; i < 16; i++)
        mover[step++] = 2; /* one and none */
    mover[step++] = 1;
    holders[0] = 1 << 1;
    for (unsigned n = 1; n < STEPS; n++)
        holders[n] = holders[n - 1] ^ (uint8_t)(1 << mover[n - 1]);
}

static void wait_a_little(unsigned *random)
{
    *random = *random * 1103515245 + 12345;
    for (volatile unsigned i = *random >> 16 & 0xff; i; i--)
        ;
}

static void move(uintptr_t argument)
{
    unsigned random = (unsigned)argument, me = this_cpu()->number;
    while (!stop) {
        unsigned now = version, step = now / 2 % STEPS;
        if (now & 1 || mover[step] != me) {
            pause();
            continue;
        }
        version = now + 1;
        write_id(holders[step] >> me & 1 ? PARKED + me : MOVING);
        version = now + 2;
        wait_a_little(&random);
    }
}

/* After it both holders have taken what this sender sent before. */
static void drain(unsigned vector, unsigned times)
{
    ipi(1 << 1 | 1 << 2, ICR_LOGICAL | vector);
    for (unsigned n = 1; n <= HOLDERS; n++)
        if (!WAIT_UNTIL(cpus[n]->count[vector] == times, 10000))
            bail_out("CPU %u drained %u times, expected %u", n, cpus[n]->count[vector], times);
}

/* Who has taken one more; a second one does not count as any. */
static unsigned takers(unsigned vector, unsigned before[HOLDERS + 1])
{
    unsigned mask = 0;
    for (unsigned n = 1; n <= HOLDERS; n++) {
        unsigned more = cpus[n]->count[vector] - before[n];
        mask |= more > 1 ? 1 : more << n;
        before[n] += more;
    }
    return mask;
}

/* A message meets those who have the ID at one moment between its beginning and its end. */
static void send_to_moving(uintptr_t number)
{
    unsigned message = MESSAGE + (unsigned)number, before[HOLDERS + 1] = {0}, random = message;
    for (unsigned n = 1; n <= SENDS; n++) {
        unsigned first = version / 2;
        ipi(MOVING, message);
        unsigned last = (version + 1) / 2;
        drain(DRAIN + (unsigned)number, n);
        unsigned took = takers(message, before);
        bool right = false;
        for (unsigned step = first; step <= last; step++)
            right |= took == holders[step % STEPS];
        if (last != first)
            __atomic_fetch_add(&crossed, 1, __ATOMIC_RELAXED);
        if (!right && !__atomic_fetch_add(&wrong, 1, __ATOMIC_RELAXED))
            printf("# taken by 0x%x, during steps %u to %u\n", took, first, last);
        wait_a_little(&random);
    }
}

static void become_member(uintptr_t argument)
{
    unsigned me = this_cpu()->number;
    (void)argument;
    lapic_write(LAPIC_LDR, 1u << (24 + me));
    write_id(holders[0] >> me & 1 ? MOVING : PARKED + me);
}

static void moving(void)
{
    plan_steps();
    for (unsigned i = 0; i < 2; i++) {
        set_handler(MESSAGE + i, count_ipi);
        set_handler(DRAIN + i, count_ipi);
    }
    cpu_call_all(become_member, 0);
    for (unsigned n = 1; n < CPUS; n++)
        cpu_begin(cpus[n], n <= HOLDERS ? move : send_to_moving, n <= HOLDERS ? n : n & 1);
    bool done = WAIT_UNTIL(!cpus[3]->function && !cpus[4]->function, 60000);
    stop = true;
    cpu_wait(cpus[1]);
    cpu_wait(cpus[2]);
    ok(done, "two send to an ID that moves between two others");
    is_u64(wrong, 0, "each message is taken once by each who has the ID");
    ok(crossed >= CROSSED_MIN, "the ID moved during %u of %u messages", crossed, 2 * SENDS);
    printf("# %u moves\n", version / 2);
    cpu_call(cpus[1], write_id, MOVING);
    cpu_call(cpus[2], write_id, PARKED);
    ok(sent_to(3, MOVING, VECTOR, 1 << 1), "then one has it for good");
}

void test_main(void)
{
    for (unsigned nth = 0; nth < THREE; nth++)
        set_handler(VECTOR + nth, count_ipi);
    smp_start();
    three();
    smp_idle(false);
    three();
    start_up();
    all_ids();
    moving();
}
