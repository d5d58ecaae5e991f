// hyperv: on
// vcpus: 2
// variant: emulated tpr_shadow=off
/*
 * The synthetic interrupt controller as a guest sees it: its MSRs, its pages, messages and event
 * flags of the own processor and of another one.
 */
#include "tests/guest/lib/hv.h"
#include "tests/guest/lib/smp.h"

enum {
    POST_MESSAGE = 0x5c,
    SIGNAL_EVENT = 0x5d,
    VECTOR = 0x70, /* and the number of the SINT */
    SINT_MASKED = 1 << 16,
    SINT_AUTO_EOI = 1 << 17,
    SINT_POLLING = 1 << 18,
    QUEUE = 8, /* messages that wait for their slots */
    FLAGS_PER_SINT = 2048,
};

struct message {
    volatile uint32_t type;
    uint8_t size;
    volatile uint8_t flags;
    uint16_t reserved;
    uint64_t origin;
    uint8_t payload[240];
};

struct post {
    uint32_t connection, reserved, type, size;
    uint8_t payload[240];
};

static struct post *in;
static struct message *slots[2]; /* of each processor, one for each SINT */
static volatile uint64_t *flags[2];

static uint32_t connection(unsigned vp, unsigned sint)
{
    return vp << 8 | sint;
}

static uint64_t post(unsigned vp, unsigned sint, uint32_t type)
{
    in->connection = connection(vp, sint);
    in->type = type;
    in->size = 4;
    memcpy(in->payload, &type, sizeof(type));
    return hv_call(POST_MESSAGE, (uintptr_t)in, 0);
}

static uint64_t signal(unsigned vp, unsigned sint, unsigned flag)
{
    return hv_call(SIGNAL_EVENT | HV_FAST, connection(vp, sint) | (uint64_t)flag << 32, 0);
}

/* As the TLFS has it: first the type, then the flag, then EOM if that was set. */
static bool take(struct message *slot)
{
    slot->type = 0;
    asm volatile("mfence" : : : "memory");
    if (!(slot->flags & 1))
        return false;
    wrmsr(HV_MSR_EOM, 0);
    return true;
}

/* The interrupt of a SINT comes to a processor so often since last time. */
static bool interrupted(unsigned vp, unsigned sint, unsigned times)
{
    smp_sync();
    return taken_by(VECTOR + sint, 1u << vp, times);
}

static void registers(void)
{
    uint64_t value = 1;
    bool all = true;

    is_u64(rdmsr(HV_MSR_SVERSION), 1, "SVERSION");
    is_fault(try_wrmsr(HV_MSR_SVERSION, 1), GP, 0, "which cannot be written");
    is_u64(rdmsr(HV_MSR_SCONTROL) | rdmsr(HV_MSR_SIMP) | rdmsr(HV_MSR_SIEFP), 0,
           "SCONTROL, SIMP and SIEFP are 0 after reset");
    for (unsigned i = 0; i < 16; i++)
        all = all && rdmsr(HV_MSR_SINT0 + i) == SINT_MASKED;
    ok(all, "all SINTs are masked after reset");
    is_no_fault(try_rdmsr(HV_MSR_EOM, &value), "EOM can be read");
    is_u64(value, 0, "as 0");
    for (unsigned vector = 0; vector < 16; vector++)
        all = all && try_wrmsr(HV_MSR_SINT0 + 15, vector).vector == GP;
    ok(all, "SINT vectors below 16 are refused");
    is_fault(try_wrmsr(HV_MSR_SINT0, SINT_MASKED | 5), GP, 0, "masked, too");
    is_no_fault(try_wrmsr(HV_MSR_SINT0, SINT_MASKED), "but not the value after reset");
    is_fault(try_rdmsr(HV_MSR_SINT0 + 16, &value), GP, 0, "there is no SINT16");
    is_fault(try_rdmsr(HV_MSR_EOM + 1, &value), GP, 0, "nor SIRBP");
}

static void refused(void)
{
    is_u64(post(0, 2, 1), HV_INVALID_SYNIC_STATE, "a message while SynIC is off");
    is_u64(signal(0, 2, 1), HV_INVALID_SYNIC_STATE, "an event, too");
    wrmsr(HV_MSR_SCONTROL, 1);
    is_u64(rdmsr(HV_MSR_SCONTROL), 1, "SCONTROL sticks");
    is_u64(post(0, 2, 1), HV_INVALID_SYNIC_STATE, "a message without a page");
    is_u64(signal(0, 2, 1), HV_INVALID_SYNIC_STATE, "an event, too");
    wrmsr(HV_MSR_SIMP, 1ull << 52 | 1);
    is_u64(rdmsr(HV_MSR_SIMP), 1ull << 52 | 1, "a page beyond the address space is taken");
    wrmsr(HV_MSR_SIMP, 0);
}

/* On the processor itself. */
static void enable(uintptr_t n)
{
    slots[n] = page_alloc();
    flags[n] = page_alloc();
    memset(slots[n], 0x77, PAGE_SIZE); /* will be hidden */
    wrmsr(HV_MSR_SIMP, (uintptr_t)slots[n] | 1);
    wrmsr(HV_MSR_SIEFP, (uintptr_t)flags[n] | 1);
    wrmsr(HV_MSR_SCONTROL, 1);
    for (unsigned i = 0; i < 16; i++)
        wrmsr(HV_MSR_SINT0 + i, VECTOR + i);
}

static void messages(void)
{
    is_u64(slots[0][2].type, 0, "the message page is empty");
    is_u64(post(0, 2, 5), HV_SUCCESS, "a message to oneself");
    ok(interrupted(0, 2, 1), "its interrupt comes");
    ok(slots[0][2].type == 5 && slots[0][2].size == 4 && slots[0][2].flags == 0 &&
           slots[0][2].origin == connection(0, 2) && slots[0][2].payload[0] == 5,
       "it is in its slot, with type, size, origin and payload");
    is_u64(post(0, 2, 6), HV_SUCCESS, "a second one");
    ok(interrupted(0, 2, 0), "waits");
    is_u64(slots[0][2].flags, 1, "the first one says so");
    wrmsr(HV_MSR_EOM, 0);
    ok(interrupted(0, 2, 0) && slots[0][2].type == 5, "EOM alone does not make room");
    ok(take(&slots[0][2]), "taking the first one, with EOM");
    ok(interrupted(0, 2, 1) && slots[0][2].type == 6 && slots[0][2].flags == 0,
       "brings the second");
    ok(!take(&slots[0][2]), "which says that it is the last");
    post(0, 2, 7);
    post(0, 2, 8);
    ok(interrupted(0, 2, 1), "two more, one interrupt");
    slots[0][2].type = 0;
    self_ipi(VECTOR + 15); /* whose handler ends it */
    ok(interrupted(0, 15, 1), "an EOI");
    ok(interrupted(0, 2, 1) && slots[0][2].type == 8, "brings the next message like EOM");
    take(&slots[0][2]);
    is_u64(post(1, 3, 9), HV_SUCCESS, "a message to the other processor");
    ok(interrupted(1, 3, 1) && slots[1][3].type == 9, "it comes there");
    slots[1][3].type = 0;
}

static void many_messages(void)
{
    bool all = post(0, 4, 100) == HV_SUCCESS;

    for (unsigned i = 0; i < QUEUE; i++)
        all = all && post(0, 4, 101 + i) == HV_SUCCESS;
    ok(all, "one message in its slot and %u that wait", QUEUE);
    is_u64(post(0, 4, 200), HV_INSUFFICIENT_BUFFERS, "another one has no room");
    all = interrupted(0, 4, 1);
    for (unsigned i = 0; i <= QUEUE; i++)
        all = all && slots[0][4].type == 100 + i && take(&slots[0][4]) == (i < QUEUE);
    ok(all, "they come in order");
    ok(interrupted(0, 4, QUEUE), "each with its interrupt");
}

static void bad_messages(void)
{
    is_u64(post(0, 2, 0), HV_INVALID_PARAMETER, "type 0");
    is_u64(post(0, 2, 0x80000010), HV_INVALID_PARAMETER, "a type of the hypervisor's");
    in->type = 1;
    in->size = 241;
    is_u64(hv_call(POST_MESSAGE, (uintptr_t)in, 0), HV_INVALID_PARAMETER, "241 bytes");
    in->size = 240;
    is_u64(hv_call(POST_MESSAGE, (uintptr_t)in, 0), HV_SUCCESS, "240 bytes");
    slots[0][2].type = 0;
    is_u64(post(2, 2, 1), HV_INVALID_CONNECTION_ID, "a processor that is not there");
    in->connection = 0x10000002;
    is_u64(hv_call(POST_MESSAGE, (uintptr_t)in, 0), HV_INVALID_CONNECTION_ID, "no connection");
    in->connection = 0x12;
    is_u64(hv_call(POST_MESSAGE, (uintptr_t)in, 0), HV_ACCESS_DENIED, "a higher VTL");
    is_u64(signal(0, 2, FLAGS_PER_SINT), HV_INVALID_PARAMETER, "event flag 2048");
    is_u64(signal(2, 2, 0), HV_INVALID_CONNECTION_ID, "a processor that is not there");
    ok(interrupted(0, 2, 1), "only the good one came");
}

static void events(void)
{
    is_u64(signal(0, 5, 0), HV_SUCCESS, "an event");
    ok(interrupted(0, 5, 1) && flags[0][5 * 32] == 1, "its flag is set, its interrupt comes");
    is_u64(signal(0, 5, 0), HV_SUCCESS, "the same again");
    ok(interrupted(0, 5, 0), "is no news");
    is_u64(signal(0, 5, 2047), HV_SUCCESS, "the last flag");
    ok(interrupted(0, 5, 1) && flags[0][5 * 32 + 31] == 1ull << 63, "is");
    flags[0][5 * 32] = 0;
    signal(0, 5, 0);
    ok(interrupted(0, 5, 1), "a flag that was cleared, too");
    signal(1, 5, 63);
    ok(interrupted(1, 5, 1) && flags[1][5 * 32] == 1ull << 63, "on the other processor");
    wrmsr(HV_MSR_SINT0 + 5, SINT_MASKED | VECTOR);
    is_u64(signal(0, 5, 3), HV_INVALID_SYNIC_STATE, "a masked source takes none");
    is_u64(post(0, 5, 1), HV_SUCCESS, "but messages");
    ok(interrupted(0, 5, 0) && slots[0][5].type == 1, "without an interrupt");
    slots[0][5].type = 0;
    wrmsr(HV_MSR_SINT0 + 5, SINT_POLLING | (VECTOR + 5));
    is_u64(signal(0, 5, 3), HV_SUCCESS, "a polled source takes an event");
    ok(interrupted(0, 5, 0) && flags[0][5 * 32] == (1 | 1 << 3), "without an interrupt");
    wrmsr(HV_MSR_SINT0 + 5, VECTOR + 5);
}

static volatile unsigned auto_eois;
static volatile bool in_service;

static void no_eoi(struct trap_frame *frame)
{
    in_service = lapic_bit(LAPIC_ISR, (unsigned)frame->vector);
    auto_eois++;
}

static void auto_eoi(void)
{
    set_handler(VECTOR + 6, no_eoi);
    wrmsr(HV_MSR_SINT0 + 6, SINT_AUTO_EOI | (VECTOR + 6));
    for (unsigned i = 0; i < 3; i++) {
        signal(0, 6, i);
        wait_for(&auto_eois, i + 1, 100);
    }
    is_u64(auto_eois, 3, "automatic EOI: interrupts keep coming without one");
    ok(!in_service, "none is in service");
    wrmsr(HV_MSR_SINT0 + 6, VECTOR + 6);
}

static void pages(void)
{
    struct message *other = page_alloc();

    post(0, 2, 5);
    ok(interrupted(0, 2, 1), "a message");
    wrmsr(HV_MSR_SIMP, (uintptr_t)other | 1);
    is_u64(other[2].type, 5, "it moves with its page");
    is_u64(slots[0][2].type, 0x77777777, "what that hid is back");
    post(0, 2, 6);
    wrmsr(HV_MSR_SIMP, (uintptr_t)other);
    is_u64(other[2].type, 0, "without the page");
    is_u64(post(0, 2, 7), HV_INVALID_SYNIC_STATE, "messages are refused");
    wrmsr(HV_MSR_SIMP, (uintptr_t)slots[0] | 1);
    is_u64(slots[0][2].type, 5, "the page is as it was");
    take(&slots[0][2]);
    ok(interrupted(0, 2, 1) && slots[0][2].type == 6, "and what waited has waited");
    take(&slots[0][2]);
    wrmsr(HV_MSR_SCONTROL, 0);
    is_u64(post(0, 2, 8), HV_INVALID_SYNIC_STATE, "switched off: messages are refused");
    wrmsr(HV_MSR_SCONTROL, 1);
}

static volatile bool as_before;

static void look(uintptr_t unused)
{
    (void)unused;
    as_before = rdmsr(HV_MSR_SCONTROL) == 1 && rdmsr(HV_MSR_SIMP) == ((uintptr_t)slots[1] | 1) &&
                rdmsr(HV_MSR_SIEFP) == ((uintptr_t)flags[1] | 1);
    for (unsigned i = 0; i < 16; i++)
        as_before = as_before && rdmsr(HV_MSR_SINT0 + i) == VECTOR + i;
}

/* A message waits in its slot, another behind it, while the processor is reset. */
static void init(void)
{
    post(1, 3, 10);
    post(1, 3, 11);
    ok(interrupted(1, 3, 1), "a message to the other processor, and one more");
    ok(smp_restart(cpus[1]->apic_id, 0, 1 << 1, STARTUP_PAGE), "which gets INIT and starts anew");
    cpu_call(cpus[1], look, 0);
    ok(as_before, "its SynIC's registers are as they were");
    is_u64(slots[1][3].type, 10, "the message is there");
    slots[1][3].type = 0;
    is_u64(post(1, 3, 12), HV_SUCCESS, "the next post");
    ok(interrupted(1, 3, 1) && slots[1][3].type == 11, "brings the one that waited");
    slots[1][3].type = 0;
    is_u64(signal(1, 5, 64), HV_SUCCESS, "an event");
    ok(interrupted(1, 5, 1) && flags[1][5 * 32 + 1] == 1, "comes, too");
}

static void flood(uintptr_t unused)
{
    static struct post mine __attribute__((aligned(256)));
    (void)unused;
    for (unsigned i = 1; i <= 300;) {
        mine = (struct post){.connection = connection(0, 7), .type = i, .size = 0};
        if (hv_call(POST_MESSAGE, (uintptr_t)&mine, 0) == HV_SUCCESS)
            i++;
    }
}

/* The poster fills the queue all the time; no message is lost, none comes twice. */
static void against_each_other(void)
{
    bool all = true;

    wrmsr(HV_MSR_SINT0 + 7, SINT_POLLING | (VECTOR + 7));
    cpu_begin(cpus[1], flood, 0);
    for (unsigned i = 1; i <= 300; i++) {
        if (!WAIT_UNTIL(slots[0][7].type != 0, 1000)) {
            all = ok(false, "message %u does not come", i);
            break;
        }
        all = all && slots[0][7].type == i;
        take(&slots[0][7]);
    }
    ok(all, "300 messages of another processor come in order");
    cpu_wait(cpus[1]);
}

void test_main(void)
{
    in = page_alloc();
    smp_start();
    for (unsigned i = 0; i < 16; i++)
        set_handler(VECTOR + i, count_ipi);
    wrmsr(HV_MSR_GUEST_OS_ID, HV_TEST_OS_ID);
    registers();
    refused();
    cpu_call(cpus[0], enable, 0);
    cpu_call(cpus[1], enable, 1);
    messages();
    many_messages();
    bad_messages();
    events();
    auto_eoi();
    pages();
    init();
    against_each_other();
}
