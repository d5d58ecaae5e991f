// hyperv: on
// vcpus: 2
/*
 * How hypercalls take their parameters and give their results: in memory, in registers, in XMM
 * registers; 64-bit callers and 32-bit ones; what is refused, and with which status.
 */
#include "tests/guest/lib/hv.h"
#include "tests/guest/lib/smp.h"

enum {
    FLUSH_SPACE = 0x02,
    SPIN_WAIT = 0x08,
    SEND_IPI = 0x0b,
    FLUSH_SPACE_EX = 0x13,
    POST_MESSAGE = 0x5c,
    VP_INDEX = 0x9a, /* of APIC IDs: 16 bytes of header, 4 for each element and its result */
    CALLS_BEYOND = 0xad,
    HOLE = 0xd0000000,
    IDS = 500,
    TIMER = 0x50,
};

void call_with(uint64_t regs[14]);
void compat_call_with(uint32_t regs[6]);

static uint8_t *in, *out; /* a page each */

/* HvCallGetVpIndexFromApicId for these IDs, in memory. */
static void ask_for(const uint32_t *ids, unsigned count)
{
    memset(in, 0, PAGE_SIZE);
    memset(in, 0xff, 8);
    memcpy(in + 16, ids, count * sizeof(*ids));
    memset(out, 0xee, PAGE_SIZE);
}

static uint32_t result_at(unsigned index)
{
    uint32_t value;
    memcpy(&value, out + index * sizeof(value), sizeof(value));
    return value;
}

static uint64_t call_in_memory(uint64_t input)
{
    return hv_call(input, (uintptr_t)in, (uintptr_t)out);
}

static void unknown_calls(void)
{
    is_u64(hv_call(0, 0, 0), HV_INVALID_HYPERCALL_CODE, "call 0");
    is_u64(hv_call(0x7fff, 0, 0), HV_INVALID_HYPERCALL_CODE, "call 7fffh");
    is_u64(hv_call(0xffff, 0, 0), HV_INVALID_HYPERCALL_CODE, "call ffffh");
    is_u64(hv_call(CALLS_BEYOND, 0, 0), HV_INVALID_HYPERCALL_CODE, "the first beyond the table");
    is_u64(hv_call(0x8001, 0, 0), HV_INVALID_HYPERCALL_CODE, "extended calls");
    is_u64(hv_call(7 | 1ul << 63, 0, 0), HV_INVALID_HYPERCALL_CODE,
           "an unknown call with reserved bits");
    is_u64(hv_call(0xd, 0, 0), HV_ACCESS_DENIED, "a call without the privilege");
    is_u64(hv_call(0xd | 1ul << 63, 1, 0), HV_ACCESS_DENIED, "which comes before other errors");
}

static void input_value(void)
{
    bool all = true;
    for (unsigned bit = 27; bit < 64; bit++) {
        if (bit >= 32 && bit < 44)
            continue; /* the count */
        if (hv_call(SPIN_WAIT | HV_FAST | 1ul << bit, 0, 0) != HV_INVALID_HYPERCALL_INPUT)
            all = ok(false, "bit %u set", bit);
    }
    ok(all, "reserved bits and the start of a simple call");
    is_u64(hv_call(SPIN_WAIT | HV_FAST | HV_REPS(1), 0, 0), HV_INVALID_HYPERCALL_INPUT,
           "a simple call with a count");
    is_u64(hv_call(SPIN_WAIT | HV_FAST | HV_VARIABLE(1), 0, 0), HV_INVALID_HYPERCALL_INPUT,
           "a variable header on a call without");
    is_u64(hv_call(POST_MESSAGE | HV_FAST, 0, 0), HV_INVALID_HYPERCALL_INPUT,
           "a fast call of one that cannot be");
    is_u64(call_in_memory(VP_INDEX), HV_INVALID_HYPERCALL_INPUT, "a rep call without a count");
    is_u64(call_in_memory(VP_INDEX | HV_REPS(2) | HV_START(2)), HV_INVALID_HYPERCALL_INPUT,
           "a start that is the count");
    is_u64(call_in_memory(VP_INDEX | HV_REPS(2) | HV_START(4095)), HV_INVALID_HYPERCALL_INPUT,
           "a start beyond the count");
}

static void memory_rules(void)
{
    static const uint32_t ids[2] = {0, 1};
    uint64_t two = VP_INDEX | HV_REPS(2);
    uintptr_t i = (uintptr_t)in, o = (uintptr_t)out;
    bool all = true;

    ask_for(ids, 2);
    for (unsigned n = 1; n < 8; n++)
        all = all && hv_call(two, i + n, o) == HV_INVALID_ALIGNMENT &&
              hv_call(two, i, o + n) == HV_INVALID_ALIGNMENT;
    ok(all, "lists that are not aligned");
    is_u64(hv_call(two, i + PAGE_SIZE - 16, o), HV_INVALID_ALIGNMENT, "input across a page");
    is_u64(hv_call(VP_INDEX | HV_REPS(4), i, o + PAGE_SIZE - 8), HV_INVALID_ALIGNMENT,
           "output across a page");
    is_u64(hv_call(VP_INDEX | HV_REPS(4095), i, o), HV_INVALID_ALIGNMENT, "lists beyond a page");
    is_u64(hv_call(two, 1ul << 52, o), HV_INVALID_ALIGNMENT, "input beyond the address space");
    is_u64(hv_call(two, i, 1ul << 52), HV_INVALID_ALIGNMENT, "output beyond the address space");
    is_u64(hv_call(two, ~7ul, o), HV_INVALID_ALIGNMENT, "input at its very end");
    is_u64(hv_call(two, HOLE, o), HV_INVALID_ALIGNMENT, "input where there is no memory");
    is_u64(hv_call(two, i, HOLE), HV_INVALID_ALIGNMENT, "output where there is no memory");
    is_u64(hv_call(two, LAPIC_BASE, o), HV_INVALID_ALIGNMENT, "input from a device");
    is_u64(result_at(0), 0xeeeeeeee, "none of them wrote anything");
    is_u64(hv_call(SPIN_WAIT, i + PAGE_SIZE - 8, 1), HV_SUCCESS,
           "the end of a page; an output that the call does not have");
    is_u64(hv_call(two, i, i + 8), HV_REPS(2), "output over the input's header");
    ok(((uint32_t *)in)[2] == 0 && ((uint32_t *)in)[3] == 1, "which was read first");
    ask_for(ids, 2);
    wrmsr(HV_MSR_HYPERCALL, o | 1);
    is_u64(hv_call(two, i, o), HV_INVALID_ALIGNMENT, "output that may not be written");
    wrmsr(HV_MSR_HYPERCALL, 0);
}

static void rep_results(void)
{
    static const uint32_t ids[4] = {1, 0, 77, 1};

    ask_for(ids, 4);
    is_u64(call_in_memory(VP_INDEX | HV_REPS(2)), HV_REPS(2), "two elements are done");
    ok(result_at(0) == 1 && result_at(1) == 0, "with their results");
    is_u64(result_at(2), 0xeeeeeeee, "and no more");
    ask_for(ids, 4);
    is_u64(call_in_memory(VP_INDEX | HV_REPS(2) | HV_START(1)), HV_REPS(2),
           "the count of a call that starts later is from the first");
    ok(result_at(0) == 0xeeeeeeee && result_at(1) == 0, "which it did not do");
    ask_for(ids, 4);
    is_u64(call_in_memory(VP_INDEX | HV_REPS(4)), HV_REPS(2) | HV_INVALID_PARAMETER,
           "a bad element: those before it are done");
    ok(result_at(0) == 1 && result_at(1) == 0 && result_at(2) == 0xeeeeeeee, "with results");
    in[0] = 0;
    is_u64(call_in_memory(VP_INDEX | HV_REPS(1)), HV_INVALID_PARTITION_ID, "another partition");
    ask_for(ids, 4);
    in[8] = 1;
    is_u64(call_in_memory(VP_INDEX | HV_REPS(1)), HV_ACCESS_DENIED, "a higher VTL");
}

/* ---- Registers ---- */

static uint8_t xmm_before[6 * 16], xmm_after[6 * 16];

static uint64_t xmm_call(uint64_t input, uint64_t rdx, uint64_t r8)
{
    register uint64_t output asm("r8") = r8;
    uint64_t result;
    asm volatile("movups (%4), %%xmm0; movups 16(%4), %%xmm1; movups 32(%4), %%xmm2\n\t"
                 "movups 48(%4), %%xmm3; movups 64(%4), %%xmm4; movups 80(%4), %%xmm5\n\t"
                 "vmcall\n\t"
                 "movups %%xmm0, (%5); movups %%xmm1, 16(%5); movups %%xmm2, 32(%5)\n\t"
                 "movups %%xmm3, 48(%5); movups %%xmm4, 64(%5); movups %%xmm5, 80(%5)"
                 : "=&a"(result), "+c"(input), "+d"(rdx), "+r"(output)
                 : "S"(xmm_before), "D"(xmm_after)
                 : "memory");
    return result;
}

static void xmm_parameters(void)
{
    static const uint32_t ids[3] = {1, 0, 1};
    uint32_t seen[3];

    write_cr4(read_cr4() | CR4_OSFXSR);
    memset(xmm_before, 0xab, sizeof(xmm_before));
    memcpy(xmm_before, ids, sizeof(ids));
    is_u64(xmm_call(VP_INDEX | HV_FAST | HV_REPS(3), HV_SELF, 0), HV_REPS(3),
           "elements in XMM0, after a header in RDX and R8");
    memcpy(seen, xmm_after + 16, sizeof(seen));
    ok(seen[0] == 1 && seen[1] == 0 && seen[2] == 1, "the results are in XMM1");
    ok(memcmp(xmm_after, xmm_before, 16) == 0, "XMM0 keeps its value");
    ok(memcmp(xmm_after + 32, xmm_before + 32, 64) == 0, "XMM2 to XMM5, too");
    for (unsigned i = 0; i < 12; i++)
        memcpy(xmm_before + 4 * i, &ids[0], 4);
    is_u64(xmm_call(VP_INDEX | HV_FAST | HV_REPS(12), HV_SELF, 0), HV_REPS(12),
           "as many elements as there is room for: three registers in, three out");
    memcpy(seen, xmm_after + 84, sizeof(seen));
    ok(seen[0] == 1 && seen[1] == 1 && seen[2] == 1, "up to the end of XMM5");
    is_u64(xmm_call(VP_INDEX | HV_FAST | HV_REPS(13), HV_SELF, 0), HV_INVALID_HYPERCALL_INPUT,
           "one more has no room for the results");
    is_u64(xmm_call(VP_INDEX | HV_FAST | HV_REPS(25), HV_SELF, 0), HV_INVALID_HYPERCALL_INPUT,
           "more than the registers hold");
    memset(xmm_before, 0, sizeof(xmm_before));
    xmm_before[0] = 3;
    is_u64(xmm_call(FLUSH_SPACE | HV_FAST, 0, 0), HV_SUCCESS, "24 bytes in RDX, R8 and XMM0");
    xmm_before[0] = 0;
    is_u64(xmm_call(FLUSH_SPACE | HV_FAST, 0, 0), HV_INVALID_PARAMETER, "whose last 8 matter");
    /* 32 bytes of header and ten banks of a set. */
    is_u64(xmm_call(FLUSH_SPACE_EX | HV_FAST | HV_VARIABLE(11), 1, 0), HV_INVALID_HYPERCALL_INPUT,
           "a variable header that does not fit");
    xmm_before[8] = 7;
    is_u64(xmm_call(FLUSH_SPACE_EX | HV_FAST | HV_VARIABLE(10), 0, 0), HV_INVALID_PARAMETER,
           "one that fits, with more banks than its mask says");
}

static void all_registers(void)
{
    uint64_t regs[14];
    bool kept = true;

    for (unsigned i = 0; i < 14; i++)
        regs[i] = 0x0101010101010101 * (i + 1);
    regs[1] = SPIN_WAIT | HV_FAST;
    call_with(regs);
    is_u64(regs[0], 0, "the result is in RAX");
    for (unsigned i = 2; i < 14; i++)
        kept = kept && regs[i] == 0x0101010101010101 * (i + 1);
    ok(kept && regs[1] == (SPIN_WAIT | HV_FAST), "no other register changes");
}

static void compatibility_mode(void)
{
    static const uint32_t ids[2] = {1, 0};
    /* EAX EBX ECX EDX ESI EDI */
    uint32_t fast[6] = {SPIN_WAIT | (uint32_t)HV_FAST, 1, 2, 0, 3, 4};
    uint32_t refused[6] = {SPIN_WAIT, 1, 0, 0, 0, 0};
    uint32_t reps[6] = {VP_INDEX, 0, (uint32_t)(uintptr_t)in, 2, (uint32_t)(uintptr_t)out, 0};
    uint32_t late[6] = {VP_INDEX, 0, (uint32_t)(uintptr_t)in, 2 | 1 << 16, (uint32_t)(uintptr_t)out,
                        0};
    uint32_t output[6] = {VP_INDEX | (uint32_t)HV_FAST, 0xffffffff, 0xffffffff, 1, 0, 0};

    compat_call_with(fast);
    ok(fast[0] == 0 && fast[3] == 0, "compatibility mode: a fast call; its result is EDX:EAX");
    ok(fast[1] == 1 && fast[2] == 2 && fast[4] == 3 && fast[5] == 4, "the others keep values");
    compat_call_with(refused);
    ok(refused[0] == HV_INVALID_ALIGNMENT && refused[3] == 0, "input at EBX:ECX");
    ask_for(ids, 2);
    compat_call_with(reps);
    ok(reps[0] == 0 && reps[3] == 2, "elements done are in EDX");
    ok(result_at(0) == 1 && result_at(1) == 0, "output at EDI:ESI");
    ask_for(ids, 2);
    compat_call_with(late);
    ok(late[0] == 0 && late[3] == 2, "a start in EDX");
    is_u64(result_at(0), 0xeeeeeeee, "is taken");
    compat_call_with(output);
    ok(output[0] == HV_INVALID_HYPERCALL_INPUT, "no output in registers");
}

/* ---- Calls that take long ---- */

extern char long_call[];
static volatile uint64_t interrupted_at; /* start in RCX when the timer came in the midst */

static void on_timer(struct trap_frame *frame)
{
    if (frame->ip == (uintptr_t)long_call)
        interrupted_at = frame->cx >> 48;
    lapic_eoi();
}

static uint64_t call_long(uint64_t input)
{
    register uint64_t output asm("r8") = (uintptr_t)out;
    uint64_t result;
    asm volatile("long_call: vmcall" : "=a"(result), "+c"(input) : "d"(in), "r"(output) : "memory");
    return result;
}

static void continuation(void)
{
    static uint32_t ids[IDS];
    bool all = true;

    for (unsigned i = 0; i < IDS; i++)
        ids[i] = i & 1;
    ask_for(ids, IDS);
    set_handler(TIMER, on_timer);
    lapic_timer_start(TIMER, 20);
    is_u64(call_long(VP_INDEX | HV_REPS(IDS)), HV_REPS(IDS), "a call with %u elements", IDS);
    lapic_timer_stop();
    for (unsigned i = 0; i < IDS; i++)
        all = all && result_at(i) == (i & 1);
    ok(all, "all have their results");
    in_range(interrupted_at, 1, IDS - 1, "an interrupt came in the midst of it");
}

static void in_user_mode(uintptr_t argument)
{
    (void)argument;
    asm volatile("vmcall" : : "a"(0), "c"(SPIN_WAIT | HV_FAST), "d"(0) : "memory");
}

void test_main(void)
{
    in = page_alloc();
    out = page_alloc();
    smp_start();
    wrmsr(HV_MSR_GUEST_OS_ID, HV_TEST_OS_ID);
    unknown_calls();
    input_value();
    memory_rules();
    rep_results();
    xmm_parameters();
    all_registers();
    continuation();
    asm volatile("cli");
    compatibility_mode();
    allow_user();
    is_fault(enter_user(in_user_mode, 0), UD, 0, "a call from CPL 3");
}
