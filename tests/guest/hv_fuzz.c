// hyperv: on
// vcpus: 2
// time_limit: 30s
/*
 * Hypercalls and MSRs with arbitrary values: whatever they do to the guest, each ends with a status
 * of the TLFS or #GP, and afterwards the interface works as before.
 */
#include "tests/guest/lib/hv.h"
#include "tests/guest/lib/smp.h"

enum { CALLS = 6000, WRITES = 3000, PAGES = 16, VECTORS_FROM = 32 };

static uint8_t *pages; /* where lists and overlays may lie */

static uint64_t state = 0x9e3779b97f4a7c15;

/* xorshift64*, by its description. */
static uint64_t random(void)
{
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return state * 0x2545f4914f6cdd1d;
}

static bool one_in(unsigned n)
{
    return random() >> 32 & (n - 1) ? false : true;
}

/* Mostly sensible, sometimes anything. */
static uint64_t some_address(void)
{
    uint64_t inside = (uintptr_t)pages + random() % (PAGES * PAGE_SIZE);

    if (one_in(16))
        return random();
    return one_in(4) ? inside : inside & ~7ull;
}

static uint64_t some_value(void)
{
    static const uint64_t special[] = {0,          1,          2,       0xff,      0x100,
                                       0x80000000, 0xffffffff, HV_SELF, 1ull << 63};

    return one_in(2) ? special[random() % 9] : random() >> (random() & 63);
}

static uint64_t some_input(void)
{
    static const uint16_t codes[] = {0x02, 0x03, 0x08, 0x0b, 0x0c, 0x0d, 0x0f, 0x11, 0x12,
                                     0x13, 0x14, 0x15, 0x50, 0x52, 0x5c, 0x5d, 0x9a, 0xac};
    uint64_t input = one_in(16) ? random() & 0xffff : codes[random() % 18];

    if (one_in(2))
        input |= HV_FAST;
    if (one_in(2))
        input |= HV_REPS(random() % (one_in(4) ? 4096 : 8));
    if (one_in(8))
        input |= HV_START(random() % 8);
    if (one_in(4))
        input |= HV_VARIABLE(random() % 8);
    if (one_in(32))
        input |= random();
    return input;
}

/* Not VTL call and return, which end in #UD; not the start of a processor. */
static bool is_harmless(uint64_t input)
{
    uint16_t code = (uint16_t)input;
    return code != 0x11 && code != 0x12 && code != 0x51 && code != 0x99;
}

/* Vectors below 32 would come as exceptions, some without the error code that those have. */
static bool sends_ipi(uint64_t input)
{
    return (uint16_t)input == 0x0b || (uint16_t)input == 0x15;
}

static bool is_status(uint64_t result)
{
    static const uint8_t known[] = {0,   2,    3,    4,    5,    6,    7,    0xd,
                                    0xe, 0x11, 0x12, 0x13, 0x15, 0x18, 0x50, 0x51};

    for (unsigned i = 0; i < sizeof(known); i++)
        if ((result & 0xffff) == known[i])
            return (result >> 44) == 0 && (result & 0xffff0000) == 0;
    return false;
}

static void fill(void)
{
    uint64_t *words = (uint64_t *)(pages + random() % PAGES * PAGE_SIZE);
    for (unsigned i = 0; i < 64; i++)
        words[random() % 512] = some_value();
}

static void calls(void)
{
    unsigned successes = 0, failures = 0;

    for (unsigned i = 0; i < CALLS; i++) {
        uint64_t input = some_input();
        if (!is_harmless(input))
            continue;
        if (one_in(8))
            fill();
        if (sends_ipi(input))
            input |= HV_FAST;
        bool fast = input & HV_FAST;
        uint64_t first = fast ? some_value() : some_address();
        if (sends_ipi(input))
            first |= 0x20;
        uint64_t result = hv_call(input, first, fast ? some_value() : some_address());
        if (!is_status(result)) {
            ok(false, "call %#lx answers %#lx", input, result);
            return;
        }
        if ((result & 0xffff) == 0)
            successes++;
        else
            failures++;
    }
    in_range(successes, CALLS / 100, CALLS, "calls that did something");
    in_range(failures, CALLS / 20, CALLS, "calls that were refused");
}

static void writes(void)
{
    unsigned accepted = 0, refused = 0;

    for (unsigned i = 0; i < WRITES; i++) {
        uint32_t msr = one_in(4) ? 0x40000000 + random() % 0x200
                                 : (uint32_t[]){0x40000080, 0x40000090, 0x400000b0, 0x40000070,
                                                0x40000000}[random() % 5] +
                                       random() % 16;
        uint64_t value = one_in(2) ? some_value() : some_address() | 1, seen;
        /* The machine goes on, and keeps its hypercall page. */
        if (msr == HV_MSR_RESET || (msr == HV_MSR_HYPERCALL && value & 2) ||
            msr == HV_MSR_CRASH_CTL)
            continue;
        /* No INIT to itself, and no interrupts that look like exceptions. */
        if (msr == HV_MSR_ICR)
            continue;
        if (msr >= HV_MSR_SINT0 && msr < HV_MSR_SINT0 + 16)
            value |= 0x20;
        if (msr >= HV_MSR_STIMER0_CONFIG && msr < HV_MSR_STIMER0_CONFIG + 8 && !(msr & 1))
            value |= 0x200;
        /* No page over code and stack: only where lists lie. */
        bool page = msr == HV_MSR_HYPERCALL || msr == HV_MSR_REFERENCE_TSC || msr == HV_MSR_SIMP ||
                    msr == HV_MSR_SIEFP || msr == HV_MSR_VP_ASSIST_PAGE;
        if (page)
            value = (some_address() & ~0xfffull) | (value & 0xffd);
        if (page && (value & ~0xfffull) - (uintptr_t)pages >= PAGES * PAGE_SIZE && value >> 32 == 0)
            continue;
        struct fault fault = try_wrmsr(msr, value);
        if (fault.vector == NO_FAULT)
            accepted++;
        else if (fault.vector == GP && fault.error == 0)
            refused++;
        else
            ok(false, "MSR %#x, value %#lx: exception %u", msr, value, fault.vector);
        try_rdmsr(msr, &seen);
        if (one_in(16))
            hv_call(0x5c, some_address(), 0);
    }
    in_range(accepted, WRITES / 20, WRITES, "writes that were taken");
    in_range(refused, WRITES / 20, WRITES, "writes that were refused");
}

static void quiet(void)
{
    for (unsigned i = 0; i < 4; i++)
        wrmsr(HV_MSR_STIMER0_CONFIG + 2 * i, 0);
    for (unsigned i = 0; i < 16; i++)
        wrmsr(HV_MSR_SINT0 + i, 0x10000);
    wrmsr(HV_MSR_SCONTROL, 0);
    wrmsr(HV_MSR_SIMP, 0);
    wrmsr(HV_MSR_SIEFP, 0);
    wrmsr(HV_MSR_VP_ASSIST_PAGE, 0);
    wrmsr(HV_MSR_REFERENCE_TSC, 0);
    wrmsr(HV_MSR_GUEST_OS_ID, HV_TEST_OS_ID);
    wrmsr(HV_MSR_HYPERCALL, 0);
    wrmsr(HV_MSR_TPR, 0);
}

static void still_works(void)
{
    uint64_t *page = (uint64_t *)pages;
    bool all = true;

    quiet();
    for (unsigned i = 0; i < PAGES * PAGE_SIZE / 8; i++)
        page[i] = i;
    for (unsigned i = 0; i < PAGES * PAGE_SIZE / 8; i++)
        all = all && page[i] == i;
    ok(all, "all memory is the guest's again");
    page[0] = HV_SELF;
    page[1] = 0;
    page[2] = 1;
    is_u64(hv_call(0x9a | HV_REPS(2), (uintptr_t)page, (uintptr_t)page + 64), HV_REPS(2),
           "a hypercall works");
    is_u64(page[8], 1, "with its results");
}

void test_main(void)
{
    pages = page_alloc();
    for (unsigned i = 1; i < PAGES; i++)
        page_alloc();
    smp_start();
    for (unsigned i = VECTORS_FROM + 2; i < 256; i++)
        set_handler(i, count_ipi);
    wrmsr(HV_MSR_GUEST_OS_ID, HV_TEST_OS_ID);
    calls();
    still_works();
    writes();
    still_works();
    calls();
    still_works();
}
