/* SPDX-License-Identifier: BSD-2-Clause */
/* Which state a Virtual Trust Level has for itself, register by register, and the ways in and out.
 */
// hyperv: on
// vtls: 2
#include "tests/guest/lib/vsm.h"

enum { SELF = HV_VP_SELF, LOWER = HV_USE_TARGET_VTL };

/* Registers by the TLFS's numbers. */
static const struct {
    uint32_t name;
    bool shared;
    uint64_t value; /* one that can be written; 0: none is tried */
    const char *text;
} registers[] = {
    {0x20002, true, 0, "RDX"},
    {0x20004, false, 0, "RSP"},
    {0x20010, false, 0, "RIP"},
    {0x20011, false, 0, "RFLAGS"},
    {0x40000, false, 0, "CR0"},
    {0x40001, true, 0x12345000, "CR2"},
    {0x40002, false, 0, "CR3"},
    {0x40003, false, 0, "CR4"},
    {0x40004, false, 5, "CR8"},
    {0x40005, true, 0, "XCR0"},
    {0x50000, true, 0x1000, "DR0"},
    {0x50001, true, 0x1100, "DR1"},
    {0x50002, true, 0x1200, "DR2"},
    {0x50003, true, 0x1300, "DR3"},
    {0x50004, true, 0, "DR6"},
    {0x50005, false, 0x402, "DR7"},
    {0x80001, false, 0, "EFER"},
    {0x80002, false, 0x7000, "KERNEL_GS_BASE"},
    {0x80003, false, 0, "APIC_BASE"},
    {0x80004, false, 0x0606060606060606, "PAT"},
    {0x80005, false, 0x10, "SYSENTER_CS"},
    {0x80006, false, 0x2000, "SYSENTER_EIP"},
    {0x80007, false, 0x3000, "SYSENTER_ESP"},
    {0x80008, false, 0x0010000800000000, "STAR"},
    {0x80009, false, 0x4000, "LSTAR"},
    {0x8000a, false, 0x5000, "CSTAR"},
    {0x8000b, false, 0x600, "SFMASK"},
    {0x8007b, false, 0x77, "TSC_AUX"},
    {0x8000d, true, 0, "MTRRCAP"},
    {0x8000e, true, 0, "MTRR_DEF_TYPE"},
    {0x80010, true, 0, "MTRR_PHYSBASE0"},
    {0x80070, true, 0, "MTRR_FIX64K"},
    {0x800a0, true, 0, "MISC_ENABLE"},
    {0x8000c, true, 0, "initial APIC ID"},
    {0x84808, false, 0x50, "APIC TPR"},
    {0x8480f, false, 0x1ff, "APIC SVR"},
};
enum { REGISTERS = sizeof(registers) / sizeof(registers[0]) };

/* ---- Reading and writing by hypercall ---- */

static struct {
    unsigned get, set, get_own, set_own;
    uint64_t was, now, own;
} by_vtl1[REGISTERS];

static void read_and_write(uintptr_t unused)
{
    (void)unused;
    for (unsigned i = 0; i < REGISTERS; i++) {
        uint64_t value[2];
        by_vtl1[i].get = vsm_get((uint32_t)SELF, LOWER, registers[i].name, value);
        by_vtl1[i].was = value[0];
        by_vtl1[i].get_own = vsm_get((uint32_t)SELF, 0, registers[i].name, value);
        by_vtl1[i].own = value[0];
        by_vtl1[i].set_own = vsm_set((uint32_t)SELF, 0, registers[i].name, value[0], 0);
        if (registers[i].value == 0)
            continue;
        by_vtl1[i].set = vsm_set((uint32_t)SELF, LOWER, registers[i].name, registers[i].value, 0);
        vsm_get((uint32_t)SELF, LOWER, registers[i].name, value);
        by_vtl1[i].now = value[0];
        vsm_set((uint32_t)SELF, LOWER, registers[i].name, by_vtl1[i].was, 0);
    }
}

static void by_name(void)
{
    vsm_run(read_and_write, 0);
    for (unsigned i = 0; i < REGISTERS; i++) {
        const char *text = registers[i].text;
        is_u64(by_vtl1[i].get, HV_SUCCESS, "%s of VTL0 can be read", text);
        is_u64(by_vtl1[i].get_own, HV_SUCCESS, "%s of VTL1 can be read", text);
        is_u64(by_vtl1[i].set_own, HV_ACCESS_DENIED, "%s of VTL1 is not set by itself", text);
        if (registers[i].value == 0)
            continue;
        is_u64(by_vtl1[i].set, HV_SUCCESS, "%s of VTL0 can be set", text);
        is_u64(by_vtl1[i].now, registers[i].value, "%s reads back", text);
    }
    is_u64(by_vtl1[4].was, read_cr0(), "CR0 is VTL0's");
    is_u64(by_vtl1[6].was, read_cr3(), "CR3 is VTL0's");
    is_u64(by_vtl1[16].was, rdmsr(MSR_EFER), "EFER is VTL0's");
}

static volatile unsigned refused[8];

static void wrong_requests(uintptr_t unused)
{
    uint64_t value[2];
    (void)unused;
    refused[0] = vsm_get(9, 0, 0x20010, value);
    refused[1] = vsm_get((uint32_t)SELF, 0x20, 0x20010, value);
    refused[2] = vsm_get((uint32_t)SELF, LOWER | 2, 0x20010, value);
    refused[3] = vsm_get((uint32_t)SELF, 0, 0x12345, value);
    refused[4] = vsm_set((uint32_t)SELF, LOWER, 0x80004, 2, 0);
    refused[5] = vsm_set((uint32_t)SELF, LOWER, 0x40003, 1ul << 40, 0);
    refused[6] = vsm_set((uint32_t)SELF, LOWER, 0x8000d, 0, 0);
    refused[7] = vsm_set((uint32_t)SELF, LOWER, 0x10004, 1 | 13ul << 16, 0);
}

static void wrong(void)
{
    uint64_t value[2];
    vsm_run(wrong_requests, 0);
    is_u64(refused[0], HV_INVALID_VP_INDEX, "a processor that does not exist");
    is_u64(refused[1], HV_INVALID_PARAMETER, "a reserved bit of the VTL");
    is_u64(refused[2], HV_ACCESS_DENIED, "a VTL above the caller's");
    is_u64(refused[3], HV_INVALID_PARAMETER, "a register that does not exist");
    is_u64(refused[4], HV_INVALID_REGISTER_VALUE, "PAT with a reserved type");
    is_u64(refused[5], HV_INVALID_REGISTER_VALUE, "CR4 with a reserved bit");
    is_u64(refused[6], HV_INVALID_REGISTER_VALUE, "MTRRCAP is read-only");
    is_u64(refused[7], HV_INVALID_REGISTER_VALUE, "#GP without its error code");
    is_u64(vsm_get((uint32_t)SELF, LOWER | 1, 0x20010, value), HV_ACCESS_DENIED,
           "VTL0 reads VTL1's registers");
    is_u64(vsm_set((uint32_t)SELF, LOWER | 1, 0x20010, 0, 0), HV_ACCESS_DENIED,
           "VTL0 writes VTL1's registers");
}

/* ---- Synthetic registers by hypercall ---- */

static const struct {
    uint32_t name, msr;
    uint64_t value;
} synthetic[] = {
    {0x90001, HV_MSR_HYPERCALL, 0x100000000},
    {0x90002, HV_MSR_GUEST_OS_ID, HV_TEST_OS_ID + 7},
    {0x90012, HV_MSR_TPR, 0x30},
    {0x90013, HV_MSR_VP_ASSIST_PAGE, 0x100001000},
    {0x90017, HV_MSR_REFERENCE_TSC, 0x100002000},
    {0xa0000, HV_MSR_SINT0, 0x10055},
    {0xa000f, HV_MSR_SINT0 + 15, 0x10056},
    {0xa0010, HV_MSR_SCONTROL, 1},
    {0xa0012, HV_MSR_SIEFP, 0x100003000},
    {0xa0013, HV_MSR_SIMP, 0x100004000},
    {0xb0001, HV_MSR_STIMER0_COUNT, 0x123456789a},
};
enum { SYNTHETIC = sizeof(synthetic) / sizeof(synthetic[0]) };
static uint64_t own_value[SYNTHETIC];

static void set_synthetic(uintptr_t back)
{
    refused[0] = 0;
    for (unsigned i = 0; i < SYNTHETIC; i++) {
        uint64_t value[2];
        own_value[i] = rdmsr(synthetic[i].msr);
        refused[0] |= vsm_get((uint32_t)SELF, LOWER, synthetic[i].name, value);
        refused[0] |= vsm_set((uint32_t)SELF, LOWER, synthetic[i].name,
                              back ? ((const uint64_t *)back)[i] : synthetic[i].value, 0);
    }
    refused[1] = vsm_set((uint32_t)SELF, LOWER, 0xa0000, 0x10005 & ~0x10000, 0);
    refused[2] = vsm_set((uint32_t)SELF, LOWER, 0x90003, 0, 0);
}

static void synthetic_registers(void)
{
    uint64_t before[SYNTHETIC], value[2];
    for (unsigned i = 0; i < SYNTHETIC; i++)
        before[i] = rdmsr(synthetic[i].msr);
    vsm_run(set_synthetic, 0);
    is_u64(refused[0], HV_SUCCESS, "VTL1 sets VTL0's synthetic registers");
    is_u64(refused[1], HV_INVALID_REGISTER_VALUE, "but no SINT with vector 5");
    is_u64(refused[2], HV_INVALID_REGISTER_VALUE, "and not the VP index");
    for (unsigned i = 0; i < SYNTHETIC; i++) {
        is_u64(rdmsr(synthetic[i].msr), synthetic[i].value, "MSR 0x%x has it", synthetic[i].msr);
        ok(own_value[i] != synthetic[i].value, "MSR 0x%x of VTL1 has not", synthetic[i].msr);
        vsm_get((uint32_t)SELF, 0, synthetic[i].name, value);
        is_u64(value[0], synthetic[i].value, "MSR 0x%x by its register", synthetic[i].msr);
    }
    vsm_run(set_synthetic, (uintptr_t)before);
}

/* ---- As instructions see it ---- */

static const uint32_t private_msrs[] = {
    MSR_STAR,
    MSR_LSTAR,
    MSR_CSTAR,
    MSR_FMASK,
    MSR_KERNEL_GS_BASE,
    MSR_FS_BASE,
    MSR_GS_BASE,
    MSR_SYSENTER_CS,
    MSR_SYSENTER_ESP,
    MSR_SYSENTER_EIP,
    MSR_PAT,
    MSR_TSC_AUX,
    HV_MSR_GUEST_OS_ID,
    HV_MSR_HYPERCALL,
    HV_MSR_REFERENCE_TSC,
    HV_MSR_VP_ASSIST_PAGE,
    HV_MSR_SCONTROL,
    HV_MSR_SIMP,
    HV_MSR_SIEFP,
    HV_MSR_SINT0,
    HV_MSR_STIMER0_COUNT,
};
enum { PRIVATE = sizeof(private_msrs) / sizeof(private_msrs[0]) };

/* A value that each takes. */
static uint64_t sample(uint32_t msr, unsigned level)
{
    if (msr == MSR_PAT)
        return level == 0 ? 0x0007040600070406 : 0x0606060606060606;
    if (msr == HV_MSR_SINT0)
        return 0x10000 | (0x20 + level);
    if (msr == HV_MSR_SCONTROL)
        return level;
    if (msr == HV_MSR_HYPERCALL || msr == HV_MSR_REFERENCE_TSC || msr == HV_MSR_VP_ASSIST_PAGE ||
        msr == HV_MSR_SIMP || msr == HV_MSR_SIEFP)
        return 0x100000000ul + ((uint64_t)level << 20);
    if (msr == HV_MSR_GUEST_OS_ID)
        return HV_TEST_OS_ID + level;
    return 0x1000 + 0x100 * level;
}

static uint64_t msr_in_vtl1[PRIVATE];
static unsigned long dr7_in_vtl1, cr2_in_vtl1, dr0_in_vtl1, cr8_in_vtl1, cr4_in_vtl1;

static void use_own(uintptr_t unused)
{
    (void)unused;
    for (unsigned i = 0; i < PRIVATE; i++) {
        msr_in_vtl1[i] = rdmsr(private_msrs[i]);
        wrmsr(private_msrs[i], sample(private_msrs[i], 1));
    }
    cr2_in_vtl1 = read_cr2();
    write_cr2(0x222000);
    asm volatile("mov %%dr0, %0" : "=r"(dr0_in_vtl1));
    asm volatile("mov %0, %%dr0" : : "r"(0x2220ul));
    asm volatile("mov %%dr7, %0" : "=r"(dr7_in_vtl1));
    asm volatile("mov %0, %%dr7" : : "r"(0x402ul));
    cr8_in_vtl1 = read_cr8();
    write_cr8(7);
    cr4_in_vtl1 = read_cr4();
    write_cr4(cr4_in_vtl1 ^ CR4_PCE);
}

static void by_instruction(void)
{
    unsigned long dr0, dr7, cr4 = read_cr4();
    for (unsigned i = 0; i < PRIVATE; i++)
        wrmsr(private_msrs[i], sample(private_msrs[i], 0));
    write_cr2(0x111000);
    asm volatile("mov %0, %%dr0" : : "r"(0x1110ul));
    asm volatile("mov %0, %%dr7" : : "r"(0x400ul));
    write_cr8(3);
    vsm_run(use_own, 0);
    for (unsigned i = 0; i < PRIVATE; i++) {
        is_u64(rdmsr(private_msrs[i]), sample(private_msrs[i], 0), "MSR 0x%x is VTL0's own",
               private_msrs[i]);
        ok(msr_in_vtl1[i] != sample(private_msrs[i], 0) || private_msrs[i] == MSR_PAT ||
               private_msrs[i] == HV_MSR_SCONTROL,
           "MSR 0x%x of VTL1 was not VTL0's", private_msrs[i]);
    }
    asm volatile("mov %%dr0, %0" : "=r"(dr0));
    asm volatile("mov %%dr7, %0" : "=r"(dr7));
    is_u64(cr2_in_vtl1, 0x111000, "VTL1 sees VTL0's CR2");
    is_u64(read_cr2(), 0x222000, "and VTL0 VTL1's");
    is_u64(dr0_in_vtl1, 0x1110, "VTL1 sees VTL0's DR0");
    is_u64(dr0, 0x2220, "and VTL0 VTL1's");
    is_u64(dr7_in_vtl1, 0x400, "VTL1's DR7 is that of reset");
    is_u64(dr7, 0x400, "and VTL0 keeps its own");
    is_u64(cr8_in_vtl1, 0, "VTL1's CR8 is 0");
    is_u64(read_cr8(), 3, "and VTL0 keeps its own");
    write_cr8(0);
    is_u64(read_cr4(), cr4, "VTL1's CR4 is its own");
    asm volatile("mov %0, %%dr0" : : "r"(0ul));
}

static volatile uint64_t xmm_in_vtl1;

static void look_at_xmm(uintptr_t unused)
{
    (void)unused;
    uint64_t value;
    asm volatile("movq %%xmm3, %0" : "=r"(value));
    xmm_in_vtl1 = value;
    asm volatile("movq %0, %%xmm3" : : "r"(0x8888ul));
}

static volatile uint64_t tsc_in_vtl1;

static void look_at_tsc(uintptr_t adjust)
{
    tsc_in_vtl1 = rdtsc();
    wrmsr(MSR_TSC_ADJUST, adjust);
}

static void one_tsc(void)
{
    uint64_t before = rdtsc(), adjust = rdmsr(MSR_TSC_ADJUST);
    vsm_run(look_at_tsc, adjust + 0x100000);
    is_u64(rdmsr(MSR_TSC_ADJUST), adjust + 0x100000, "VTL1 sets TSC_ADJUST for all");
    wrmsr(MSR_TSC_ADJUST, adjust);
    in_range(tsc_in_vtl1, before, rdtsc(), "all VTLs read one TSC");
}

static void vectors(void)
{
    uint64_t value;
    asm volatile("movq %0, %%xmm3" : : "r"(0x7777ul));
    vsm_run(look_at_xmm, 0);
    asm volatile("movq %%xmm3, %0" : "=r"(value));
    is_u64(xmm_in_vtl1, 0x7777, "VTL1 sees VTL0's XMM3");
    is_u64(value, 0x8888, "and VTL0 VTL1's");
}

/* ---- Call and return ---- */

static struct fault fault_in_vtl1[4];

static void bad_returns(uintptr_t unused)
{
    (void)unused;
    fault_in_vtl1[0] = TRY("vmcall", : : "a"(2ul), "c"(0x12ul) : "memory");
    fault_in_vtl1[1] = TRY("vmcall", : : "a"(0ul), "c"(0x10012ul) : "memory");
    fault_in_vtl1[2] = TRY("vmcall", : : "a"(0ul), "c"(0x11ul) : "memory");
}

static void use_assist_page(uintptr_t unused)
{
    (void)unused;
    vsm_use_assist();
}

static volatile unsigned changed;

/* What VTL1 finds in its page when it is called, but for the entry reason and its own registers. */
static void look_at_page(uintptr_t fill)
{
    volatile uint8_t *page = vsm_self()->assist;
    changed = 0;
    for (unsigned i = 0; i < PAGE_SIZE; i++) {
        if ((i >= 0x08 && i < 0x0c) || (i >= 0x10 && i < 0x20))
            continue;
        changed += page[i] != 0x77;
        page[i] = (uint8_t)fill;
    }
}

static void return_fast(uintptr_t fast)
{
    vsm_self()->fast = fast;
}

static void calls(void)
{
    is_fault(TRY("vmcall", : : "a"(1ul), "c"(0x11ul) : "memory"), UD, 0, "VTL call with input");
    is_fault(TRY("vmcall", : : "a"(0ul), "c"(0x10011ul) : "memory"), UD, 0, "a fast VTL call");
    is_fault(TRY("vmcall",
                 :
                 : "a"(0ul), "c"(0x100000011ul)
                 : "memory"),
             UD, 0, "a repeated VTL call");
    is_fault(TRY("vmcall", : : "a"(0ul), "c"(0x12ul) : "memory"), UD, 0, "VTL return from VTL0");
    vsm_run(bad_returns, 0);
    is_fault(fault_in_vtl1[0], UD, 0, "VTL return with unknown input");
    is_fault(fault_in_vtl1[1], UD, 0, "a fast hypercall as VTL return");
    is_fault(fault_in_vtl1[2], UD, 0, "VTL call from the highest VTL");

    vsm_run(use_assist_page, 0);
    uint64_t rax = 0, rcx = HV_CALL_VTL_CALL;
    asm volatile("vmcall" : "+a"(rax), "+c"(rcx) : : "memory");
    is_u64(rax, 0, "RAX comes from the assist page");
    is_u64(rcx, HV_CALL_VTL_CALL, "and RCX");
    is_u64(vsm_level(0, 1)->entries[ENTRY_CALL], 1, "the page told VTL1 that it was called");
    vsm_run(return_fast, true);
    asm volatile("vmcall" : "+a"(rax), "+c"(rcx) : : "memory");
    is_u64(rcx, HV_CALL_VTL_RETURN, "a fast return leaves all registers alone");
    rax = 0;
    rcx = HV_CALL_VTL_CALL;
    vsm_run(return_fast, false);
    vsm_run(look_at_page, 0x77);
    vsm_run(look_at_page, 0);
    is_u64(changed, 0, "nothing but the entry reason is written to the page on entry");

    uint64_t offsets[2];
    uint8_t *page = page_alloc();
    is_u64(vsm_get((uint32_t)SELF, 0, 0xd0002, offsets), HV_SUCCESS, "the code page's offsets");
    wrmsr(HV_MSR_HYPERCALL, (uintptr_t)page | 1);
    unsigned before = vsm_level(0, 1)->entries[ENTRY_CALL];
    rcx = 0;
    asm volatile("call *%1" : "+c"(rcx) : "r"(page + (offsets[0] & 0xfff)) : "rax", "memory");
    is_u64(vsm_level(0, 1)->entries[ENTRY_CALL], before + 1, "VTL call through the code page");
    wrmsr(HV_MSR_HYPERCALL, 0);
}

static volatile unsigned injected;

static void inject(uintptr_t event)
{
    injected = vsm_set((uint32_t)SELF, LOWER, 0x10004, event, 0x1234000);
}

static void events(void)
{
    struct fault f = TRY("xor %%eax, %%eax; mov $0x11, %%ecx; vmcall; nop; nop",
                         :
                         :
                         : "rax", "rcx", "memory");
    is_no_fault(f, "VTL1 has nothing to inject yet");
    struct vsm_level *level = vsm_level(0, 1);
    level->argument = 1 | 1 << 8 | 14ul << 16 | 2ul << 32;
    level->function = inject;
    f = TRY("xor %%eax, %%eax; mov $0x11, %%ecx; vmcall; nop; nop", : : : "rax", "rcx", "memory");
    is_fault(f, PF, 2, "a page fault that VTL1 injects into VTL0");
    is_u64(f.address, 0x1234000, "with its address");
    is_u64(injected, HV_SUCCESS, "by HvRegisterPendingEvent0");
}

void test_main(void)
{
    vsm_begin();
    vsm_enable(1);
    calls();
    by_name();
    wrong();
    synthetic_registers();
    by_instruction();
    vectors();
    one_tsc();
    events();
}
