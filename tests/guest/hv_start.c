// hyperv: on
// vcpus: 3
/* HvCallStartVirtualProcessor: a processor starts in long mode, without INIT and SIPI. */
#include "tests/guest/lib/smp.h"
#include "tests/guest/lib/vsm.h"

enum { START_VP = 0x99 };

static struct hv_vp_context *in;
static uint8_t stacks[3][4096] __attribute__((aligned(16)));
static volatile unsigned starts[3];
static volatile uint64_t seen_index, seen_efer, seen_cr3, seen_pat, seen_flags;

static _Noreturn void run_there(void)
{
    uint64_t flags;
    asm volatile("pushf; pop %0" : "=r"(flags));
    seen_index = rdmsr(HV_MSR_VP_INDEX);
    seen_efer = rdmsr(MSR_EFER);
    seen_cr3 = read_cr3();
    seen_pat = rdmsr(MSR_PAT);
    seen_flags = flags;
    starts[seen_index]++;
    for (;;)
        asm volatile("cli; hlt");
}

/* Parameters with which processor @vp runs run_there(). */
static void fill(unsigned vp)
{
    vsm_fill_context(in, vp, 1);
    in->vtl = 0;
    in->initial.rip = (uintptr_t)run_there;
    in->initial.rsp = (uintptr_t)stacks[vp] + sizeof(stacks[vp]) - 8;
    in->initial.rflags = 2;
    in->initial.pat = 0x0007040600070406;
}

static uint64_t start(void)
{
    return hv_call(START_VP, (uintptr_t)in, 0);
}

static void refused(void)
{
    fill(1);
    is_u64(hv_call(START_VP | HV_FAST, 0, 0), HV_INVALID_HYPERCALL_INPUT, "not in registers");
    in->partition = 0;
    is_u64(start(), HV_INVALID_PARTITION_ID, "another partition");
    fill(0);
    is_u64(start(), HV_INVALID_VP_INDEX, "the caller");
    in->vp = (uint32_t)HV_VP_SELF;
    is_u64(start(), HV_INVALID_VP_INDEX, "the caller by its other name");
    in->vp = 3;
    is_u64(start(), HV_INVALID_VP_INDEX, "a processor that is not there");
    fill(1);
    in->vtl = 1;
    is_u64(start(), HV_ACCESS_DENIED, "a higher VTL");
    fill(1);
    in->reserved[2] = 1;
    is_u64(start(), HV_INVALID_PARAMETER, "a reserved byte");
}

static void bad_contexts(void)
{
    static const struct {
        size_t offset;
        uint64_t flip;
        const char *what;
    } bad[] = {
        {offsetof(struct hv_initial_context, cr0), 1, "CR0.PE clear"},
        {offsetof(struct hv_initial_context, cr0), 1ull << 32, "a reserved bit of CR0"},
        {offsetof(struct hv_initial_context, cr4), 1ull << 40, "a reserved bit of CR4"},
        {offsetof(struct hv_initial_context, cr4), CR4_PAE, "long mode without CR4.PAE"},
        {offsetof(struct hv_initial_context, cr4), CR4_VMXE, "CR4.VMXE"},
        {offsetof(struct hv_initial_context, efer), EFER_LMA, "paging and LME without LMA"},
        {offsetof(struct hv_initial_context, efer), 1ull << 20, "a reserved bit of EFER"},
        {offsetof(struct hv_initial_context, rip), 1ull << 60, "RIP not canonical"},
        {offsetof(struct hv_initial_context, rflags), 2, "RFLAGS bit 1 clear"},
        {offsetof(struct hv_initial_context, rflags), 1 << 17, "RFLAGS.VM in long mode"},
        {offsetof(struct hv_initial_context, pat), 4, "a reserved type in PAT"},
        {offsetof(struct hv_initial_context, cr3), 1ull << 52, "a reserved bit of CR3"},
        {offsetof(struct hv_initial_context, cs.attributes), 1 << 7, "CS not present"},
        {offsetof(struct hv_initial_context, tr.attributes), 1 << 1, "TR not busy"},
        {offsetof(struct hv_initial_context, gdtr.base), 1ull << 60, "GDTR not canonical"},
    };

    for (unsigned i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        uint8_t *field = (uint8_t *)&in->initial + bad[i].offset;
        uint64_t value;
        fill(1);
        memcpy(&value, field, sizeof(value));
        value ^= bad[i].flip;
        memcpy(field, &value, sizeof(value));
        is_u64(start(), HV_INVALID_REGISTER_VALUE, "%s", bad[i].what);
    }
}

static void good(void)
{
    fill(1);
    is_u64(start(), HV_SUCCESS, "a start");
    ok(wait_for(&starts[1], 1, 100), "the processor runs");
    is_u64(seen_index, 1, "it is the right one");
    is_u64(seen_efer, in->initial.efer, "EFER as asked for");
    is_u64(seen_cr3, in->initial.cr3, "CR3");
    is_u64(seen_pat, in->initial.pat, "PAT");
    is_u64(seen_flags & ~(uint64_t)0x8d5, 2, "RFLAGS, but for the arithmetic ones");
    is_u64(start(), HV_INVALID_VP_STATE, "a second start");
    delay_us(1000);
    is_u64(starts[1], 1, "does nothing");
    is_u64(starts[2], 0, "the third processor still waits");
    fill(2);
    is_u64(start(), HV_SUCCESS, "until it is started");
    ok(wait_for(&starts[2], 1, 100), "and runs");
    ipi(1, ICR_INIT | ICR_ASSERT);
    delay_us(1000);
    fill(1);
    is_u64(start(), HV_SUCCESS, "after an INIT a processor can be started again");
    ok(wait_for(&starts[1], 2, 100), "it runs");
}

void test_main(void)
{
    in = page_alloc();
    lapic_enable();
    wrmsr(HV_MSR_GUEST_OS_ID, HV_TEST_OS_ID);
    refused();
    bad_contexts();
    is_u64(starts[1] + starts[2], 0, "nobody has started");
    good();
}
