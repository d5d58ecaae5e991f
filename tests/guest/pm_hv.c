// hyperv: on
/* Hypercalls of 32-bit code without paging, and VMCALL in real mode. */
#include "tests/guest/lib/hv.h"

enum {
    REAL_CODE = 0x8000,
    RESULT = 0x9000,
    SPIN_WAIT = 0x08,
    FLUSH_SPACE = 0x02,
    VP_INDEX = 0x9a,
    FAST = 1 << 16,
};

/* EAX EBX ECX EDX ESI EDI */
void call_with(uint32_t regs[6]);
void real_mode_vmcall(void);
extern const char real_code[];
extern const uint32_t real_code_size;

static uint32_t in[8] __attribute__((aligned(64))), out[8] __attribute__((aligned(64)));

static void calls(void)
{
    uint32_t fast[6] = {SPIN_WAIT | FAST, 11, 12, 0, 13, 14};
    uint32_t reserved[6] = {SPIN_WAIT | FAST, 0, 0, 1u << 31, 0, 0};
    uint32_t count[6] = {SPIN_WAIT | FAST, 0, 0, 1, 0, 0};
    uint32_t high[6] = {SPIN_WAIT, 1, 0, 0, 0, 0};
    uint32_t reps[6] = {VP_INDEX, 0, (uint32_t)in, 1, (uint32_t)out, 0};
    uint32_t bad[6] = {VP_INDEX, 0, (uint32_t)in, 2, (uint32_t)out, 0};

    call_with(fast);
    ok(fast[0] == 0 && fast[3] == 0, "a call by registers");
    ok(fast[1] == 11 && fast[2] == 12 && fast[4] == 13 && fast[5] == 14, "keeps them");
    call_with(reserved);
    is_u64(reserved[0], HV_INVALID_HYPERCALL_INPUT, "a reserved bit of EDX");
    call_with(count);
    is_u64(count[0], HV_INVALID_HYPERCALL_INPUT, "a count in EDX");
    call_with(high);
    is_u64(high[0], HV_INVALID_ALIGNMENT, "EBX is the upper half of an address");
    in[0] = in[1] = 0xffffffff;
    in[5] = 5;
    out[0] = out[1] = 0xeeeeeeee;
    call_with(reps);
    ok(reps[0] == 0 && reps[3] == 1, "a rep call");
    ok(out[0] == 0 && out[1] == 0xeeeeeeee, "its result");
    call_with(bad);
    ok(bad[0] == HV_INVALID_PARAMETER && bad[3] == 1, "a bad second element");
}

/* XMM0 holds the mask of a flush. */
static void xmm(void)
{
    static const uint32_t masks[2][4] = {{1, 0, 0, 0}, {0, 0, 0, 0}};

    write_cr4(read_cr4() | CR4_OSFXSR);
    for (unsigned i = 0; i < 2; i++) {
        uint32_t regs[6] = {FLUSH_SPACE | FAST, 0, 0, 0, 0, 0};
        asm volatile("movups %0, %%xmm0" : : "m"(masks[i]));
        call_with(regs);
        is_u64(regs[0], i == 0 ? HV_SUCCESS : HV_INVALID_PARAMETER, "a parameter in XMM0: %u",
               masks[i][0]);
    }
}

void test_main(void)
{
    wrmsr(HV_MSR_GUEST_OS_ID, HV_TEST_OS_ID);
    calls();
    xmm();
    memcpy((void *)REAL_CODE, real_code, real_code_size);
    real_mode_vmcall();
    is_u64(*(volatile uint32_t *)RESULT, 1, "VMCALL in real mode raises #UD");
}
