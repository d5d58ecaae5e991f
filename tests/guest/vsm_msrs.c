// hyperv: on
// vtls: 2
/*
 * Which of Hyper-V's MSRs each Virtual Trust Level has for itself, and which all share; that pages
 * of one level do not lie over the memory that another sees; and SynIC messages between levels.
 */
#include "tests/guest/lib/smp.h"
#include "tests/guest/lib/vsm.h"

enum {
    POST_MESSAGE = 0x5c,
    SIGNAL_EVENT = 0x5d,
    SEND_IPI = 0x0b,
    VECTOR = 0x71,
    DIRECT = 1 << 12,
    AUTO_ENABLE = 1 << 3,
    MS = 10000,
    PORT_ID = 0x11,
};

static uint8_t *page0, *page1; /* a page that VTL0, VTL1 uses as an overlay's place */
static uint32_t *in;           /* parameters */
static volatile uint64_t seen[24];
static volatile unsigned fired[2];

static void on_vector(struct trap_frame *frame)
{
    (void)frame;
    fired[vsm_self() != NULL]++;
    lapic_eoi();
}

static const struct {
    uint32_t msr;
    uint64_t value; /* that VTL1 writes; 0: the address of page1, and 1 */
    const char *name;
} privates[] = {
    {HV_MSR_GUEST_OS_ID, 0x8100000000000001, "GUEST_OS_ID"},
    {HV_MSR_HYPERCALL, 0, "HYPERCALL"},
    {HV_MSR_REFERENCE_TSC, 0, "REFERENCE_TSC"},
    {HV_MSR_VP_ASSIST_PAGE, 0, "VP_ASSIST_PAGE"},
    {HV_MSR_SCONTROL, 1, "SCONTROL"},
    {HV_MSR_SIEFP, 0, "SIEFP"},
    {HV_MSR_SIMP, 0, "SIMP"},
    {HV_MSR_SINT0, 0x10030, "SINT0"},
    {HV_MSR_SINT0 + 15, 0x10031, "SINT15"},
    {HV_MSR_STIMER0_CONFIG, AUTO_ENABLE | DIRECT | 0x30 << 4, "STIMER0_CONFIG"},
    {HV_MSR_STIMER0_COUNT + 6, 0x1234567890123, "STIMER3_COUNT"},
    {HV_MSR_TPR, 0x20, "TPR"},
};
enum { PRIVATES = sizeof(privates) / sizeof(*privates) };

static void write_privates(uintptr_t unused)
{
    (void)unused;
    vsm_use_assist();
    lapic_enable();
    for (unsigned i = 0; i < PRIVATES; i++) {
        seen[i] = rdmsr(privates[i].msr);
        wrmsr(privates[i].msr, privates[i].value != 0 ? privates[i].value : ((uintptr_t)page1 | 1));
    }
    wrmsr(HV_MSR_TPR, 0);
}

static void read_privates(uintptr_t unused)
{
    (void)unused;
    for (unsigned i = 0; i < PRIVATES; i++)
        seen[i] = rdmsr(privates[i].msr);
    wrmsr(HV_MSR_SIMP, 0);
    wrmsr(HV_MSR_SIEFP, 0);
    wrmsr(HV_MSR_REFERENCE_TSC, 0);
    wrmsr(HV_MSR_HYPERCALL, 0);
    vsm_use_assist();
}

static void private_ones(void)
{
    uint64_t before[PRIVATES];

    for (unsigned i = 0; i < PRIVATES; i++)
        before[i] = rdmsr(privates[i].msr);
    vsm_run(write_privates, 0);
    for (unsigned i = 0; i < PRIVATES; i++) {
        uint32_t msr = privates[i].msr;
        bool set = msr == HV_MSR_VP_ASSIST_PAGE; /* by vsm_use_assist() */
        bool sint = msr >= HV_MSR_SINT0 && msr <= HV_MSR_SINT0 + 15;
        if (!set)
            is_u64(seen[i], sint ? 0x10000 : 0, "%s is as after reset in VTL1", privates[i].name);
        is_u64(rdmsr(msr), before[i], "what VTL1 writes does not change VTL0's");
    }
    vsm_run(read_privates, 0);
    for (unsigned i = 0; i < PRIVATES; i++)
        is_u64(seen[i],
               privates[i].msr == HV_MSR_TPR ? 0
               : privates[i].value != 0      ? privates[i].value
                                             : ((uintptr_t)page1 | 1),
               "%s is kept in VTL1", privates[i].name);
}

static void look_at_shared(uintptr_t unused)
{
    (void)unused;
    seen[0] = rdmsr(HV_MSR_VP_INDEX);
    seen[1] = rdmsr(HV_MSR_TIME_REF_COUNT);
    seen[2] = rdmsr(HV_MSR_TSC_FREQUENCY);
    seen[3] = rdmsr(HV_MSR_CRASH_P0);
    seen[4] = rdmsr(HV_MSR_APIC_FREQUENCY);
}

static void shared_ones(void)
{
    wrmsr(HV_MSR_CRASH_P0, 0x5eed);
    uint64_t before = rdmsr(HV_MSR_TIME_REF_COUNT);
    vsm_run(look_at_shared, 0);
    is_u64(seen[0], rdmsr(HV_MSR_VP_INDEX), "VP_INDEX is one");
    in_range(seen[1], before, rdmsr(HV_MSR_TIME_REF_COUNT), "TIME_REF_COUNT is one");
    is_u64(seen[2], rdmsr(HV_MSR_TSC_FREQUENCY), "TSC_FREQUENCY is one");
    is_u64(seen[3], 0x5eed, "CRASH_P0 is one");
    is_u64(seen[4], rdmsr(HV_MSR_APIC_FREQUENCY), "APIC_FREQUENCY is the same");
}

/* ---- Pages ---- */

static void show_over_page0(uintptr_t unused)
{
    (void)unused;
    wrmsr(HV_MSR_SIMP, (uintptr_t)page0 | 1);
    seen[0] = page0[7];
    page0[7] = 0x11;
}

static void look_at_page0(uintptr_t unused)
{
    (void)unused;
    seen[0] = page0[7];
    wrmsr(HV_MSR_SIMP, 0);
    seen[1] = page0[7];
}

static void pages(void)
{
    memset(page0, 0x5a, PAGE_SIZE);
    vsm_run(show_over_page0, 0);
    is_u64(seen[0], 0, "VTL1 sees its page over the memory");
    is_u64(page0[7], 0x5a, "VTL0 sees the memory");
    page0[7] = 0x22;
    vsm_run(look_at_page0, 0);
    is_u64(seen[0], 0x11, "what each writes the other does not see");
    is_u64(seen[1], 0x22, "with the page away, VTL1 sees the memory");
}

/* ---- Messages, events, IPIs ---- */

static uint64_t post(unsigned vtl, unsigned sint)
{
    memset(in, 0, 256);
    in[0] = vtl << 4 | sint;
    in[2] = 1;
    return hv_call(POST_MESSAGE, (uintptr_t)in, 0);
}

static void use_synic(uintptr_t page)
{
    set_handler(VECTOR, on_vector);
    wrmsr(HV_MSR_SIMP, page | 1);
    wrmsr(HV_MSR_SCONTROL, 1);
    wrmsr(HV_MSR_SINT0 + 2, VECTOR);
}

static void post_down(uintptr_t unused)
{
    (void)unused;
    seen[0] = post(0, 2);
    seen[1] = post(1, 2);
    seen[2] = post(2, 2);
    seen[3] = *(volatile uint32_t *)(page1 + 2 * 256);
    seen[4] = hv_call(SIGNAL_EVENT | HV_FAST, 0x02, 0);
    seen[5] = hv_call(SEND_IPI | HV_FAST, VECTOR | 0x10ull << 32, 1);
    seen[6] = hv_call(SEND_IPI | HV_FAST, VECTOR, 1);
    seen[7] = hv_call(SEND_IPI | HV_FAST, VECTOR | 0x12ull << 32, 1);
    asm volatile("sti; nop; nop; cli");
}

static void between_levels(void)
{
    use_synic((uintptr_t)page0);
    vsm_run(use_synic, (uintptr_t)page1);
    is_u64(post(1, 2), HV_ACCESS_DENIED, "VTL0 posts no message to VTL1");
    is_u64(hv_call(SIGNAL_EVENT | HV_FAST, 0x12, 0), HV_ACCESS_DENIED, "nor an event");
    is_u64(hv_call(SEND_IPI | HV_FAST, VECTOR | 0x11ull << 32, 1), HV_ACCESS_DENIED, "nor an IPI");
    delay_us(200);
    ok(fired[0] == 0 && fired[1] == 0, "nobody is interrupted");
    vsm_run(post_down, 0);
    is_u64(seen[0], HV_SUCCESS, "VTL1 posts one to VTL0");
    is_u64(*(volatile uint32_t *)(page0 + 2 * 256), 1, "it is there");
    is_u64(seen[1], HV_SUCCESS, "and one to itself");
    is_u64(seen[3], 1, "which is in its own page");
    is_u64(seen[2], HV_ACCESS_DENIED, "and none to a level above");
    is_u64(seen[4], HV_INVALID_SYNIC_STATE, "an event where the page is missing");
    is_u64(seen[5], HV_SUCCESS, "an IPI to VTL0");
    is_u64(seen[6], HV_SUCCESS, "an IPI to its own level");
    is_u64(seen[7], HV_ACCESS_DENIED, "none to a level above");
    delay_us(200);
    is_u64(fired[0], 1, "VTL0 takes one interrupt for message and IPI");
    is_u64(fired[1], 1, "VTL1 takes its own");
}

/* ---- Timers ---- */

static volatile uint64_t timer_due[2];

static void arm(uintptr_t in_ms)
{
    unsigned level = vsm_self() != NULL;
    timer_due[level] = rdmsr(HV_MSR_TIME_REF_COUNT) + in_ms * MS;
    wrmsr(HV_MSR_STIMER0_CONFIG + 2, 0);
    wrmsr(HV_MSR_STIMER0_CONFIG + 2, AUTO_ENABLE | DIRECT | VECTOR << 4);
    wrmsr(HV_MSR_STIMER0_COUNT + 2, timer_due[level]);
}

static void timers(void)
{
    for (unsigned first = 0; first < 2; first++) {
        fired[0] = fired[1] = 0;
        arm(first == 0 ? 1 : 3);
        vsm_run(arm, first == 0 ? 3 : 1);
        WAIT_UNTIL(fired[0] + fired[1] > 0, 20);
        unsigned one = fired[first], other = fired[1 - first];
        WAIT_UNTIL(fired[0] + fired[1] > 1, 20);
        uint64_t end = rdmsr(HV_MSR_TIME_REF_COUNT);
        is_u64(one, 1, "VTL%u's timer fires first", first);
        is_u64(other, 0, "the other's does not");
        is_u64(fired[1 - first], 1, "then the other's");
        ok(end >= timer_due[1 - first], "not early");
    }
}

void test_main(void)
{
    page0 = page_alloc();
    page1 = page_alloc();
    in = page_alloc();
    lapic_enable();
    asm volatile("sti");
    set_handler(VECTOR, on_vector);
    tsc_per_ms(); /* measured now: it takes longer than the timers below */
    vsm_begin();
    is_u64(post(1, 2), HV_ACCESS_DENIED, "a level that is not enabled, and above");
    vsm_enable(1);
    private_ones();
    shared_ones();
    pages();
    between_levels();
    timers();
}
