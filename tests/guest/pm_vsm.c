/* SPDX-License-Identifier: BSD-2-Clause */
/* Virtual Trust Levels of 32-bit code: the code page's offsets and stubs for it, and the registers
   that a return loads. */
// hyperv: on
// vtls: 2
#include "tests/guest/lib/hv.h"

enum {
    ENABLE_PARTITION_VTL = 0x0d,
    ENABLE_VP_VTL = 0x0f,
    VTL_CALL = 0x11,
    VTL_RETURN = 0x12,
    GET_VP_REGISTERS = 0x50,
    REG_CODE_PAGE_OFFSETS = 0xd0002,
    ASSIST_REASON = 0x08,
    ASSIST_EAX = 0x10,
};

struct segment {
    uint64_t base;
    uint32_t limit;
    uint16_t selector, attributes;
};

struct table {
    uint16_t reserved[3], limit;
    uint64_t base;
};

static struct {
    uint64_t partition;
    uint32_t vp;
    uint8_t vtl, reserved[3];
    uint64_t rip, rsp, rflags;
    struct segment cs, ds, es, fs, gs, ss, tr, ldtr;
    struct table idtr, gdtr;
    uint64_t efer, cr0, cr3, cr4, pat;
} context __attribute__((aligned(256)));
_Static_assert(sizeof(context) == 240, "HvCallEnableVpVtl");

static uint32_t in[8] __attribute__((aligned(64))), out[4] __attribute__((aligned(64)));
static uint8_t code_page[2][PAGE_SIZE] __attribute__((aligned(PAGE_SIZE)));
static uint8_t assist_page[PAGE_SIZE] __attribute__((aligned(PAGE_SIZE)));
static uint8_t stack[PAGE_SIZE] __attribute__((aligned(PAGE_SIZE)));

/* EAX EBX ECX EDX ESI EDI EBP, of the instruction's end. */
struct registers {
    uint32_t a, b, c, d, si, di, bp;
};

/* VMCALL with these registers, or a call of `stub`. */
void stub_call(struct registers *r, const void *stub);
asm(".pushsection .text\n"
    ".globl stub_call\n"
    "stub_call:\n\t"
    "push %ebp; push %ebx; push %esi; push %edi\n\t"
    "mov 20(%esp), %ebp\n\t"
    "mov 24(%esp), %eax\n\t"
    "mov %eax, stub_target\n\t"
    "mov (%ebp), %eax; mov 4(%ebp), %ebx; mov 8(%ebp), %ecx; mov 12(%ebp), %edx\n\t"
    "mov 16(%ebp), %esi; mov 20(%ebp), %edi; mov 24(%ebp), %ebp\n\t"
    "call *stub_target\n\t"
    "push %ebp\n\t"
    "mov 24(%esp), %ebp\n\t"
    "mov %eax, (%ebp); mov %ebx, 4(%ebp); mov %ecx, 8(%ebp); mov %edx, 12(%ebp)\n\t"
    "mov %esi, 16(%ebp); mov %edi, 20(%ebp)\n\t"
    "pop %eax; mov %eax, 24(%ebp)\n\t"
    "pop %edi; pop %esi; pop %ebx; pop %ebp\n\t"
    "ret\n"
    "raw_vmcall: vmcall; ret\n"
    ".popsection\n"
    ".pushsection .bss\n"
    "stub_target: .long 0\n"
    ".popsection");
extern const char raw_vmcall[];

static volatile uint32_t entries, reason, fast, level1_offsets __attribute__((used));
static volatile uint32_t return_stub __attribute__((used));
static volatile struct registers seen;

/* VTL1: counts, notes what it was entered with, and returns by its own page's stub. */
asm(".pushsection .text\n"
    ".globl vtl1_start\n"
    "vtl1_start:\n\t"
    "pusha\n\t"
    "mov %esp, %eax\n\t"
    "push %eax\n\t"
    "call vtl1_main\n\t"
    "add $4, %esp\n\t"
    "popa\n\t"
    "mov fast, %eax\n\t"
    "xor %edx, %edx\n\t"
    "call *return_stub\n\t"
    "jmp vtl1_start\n"
    ".popsection");
extern const char vtl1_start[];

static uint32_t code_offsets(void)
{
    struct registers r = {.a = GET_VP_REGISTERS, .d = 1, .c = (uint32_t)in, .si = (uint32_t)out};
    in[0] = in[1] = 0xffffffff;
    in[2] = 0xfffffffe;
    in[3] = 0;
    in[4] = REG_CODE_PAGE_OFFSETS;
    out[0] = out[1] = 0;
    stub_call(&r, raw_vmcall);
    return r.a == 0 && r.d == 1 ? out[0] : 0;
}

/* As PUSHA leaves them: EDI ESI EBP ESP EBX EDX ECX EAX. */
void vtl1_main(const uint32_t *pushed);
void vtl1_main(const uint32_t *pushed)
{
    if (entries++ == 0) {
        wrmsr(HV_MSR_GUEST_OS_ID, HV_TEST_OS_ID);
        wrmsr(HV_MSR_HYPERCALL, (uint32_t)code_page[1] | 1);
        wrmsr(HV_MSR_VP_ASSIST_PAGE, (uint32_t)assist_page | 1);
        level1_offsets = code_offsets();
        return_stub = (uint32_t)code_page[1] + (level1_offsets >> 12 & 0xfff);
    }
    reason = *(volatile uint32_t *)(assist_page + ASSIST_REASON);
    seen.b = pushed[4];
    seen.si = pushed[1];
    seen.di = pushed[0];
    seen.bp = pushed[2];
    const uint32_t values[] = {0xaaaa0001, 0xcccc0002, 0xdddd0003};
    memcpy(assist_page + ASSIST_EAX, values, sizeof(values));
}

static struct segment flat(uint16_t selector, uint16_t attributes)
{
    return (struct segment){.limit = 0xffffffff, .selector = selector, .attributes = attributes};
}

extern char tss[];

static uint32_t enable(void)
{
    struct table_register gdtr, idtr;
    struct registers r = {.a = ENABLE_PARTITION_VTL | 1 << 16, .b = ~0u, .c = ~0u, .si = 1};
    stub_call(&r, raw_vmcall);
    if (r.a != 0)
        return r.a;
    asm volatile("sgdt %0" : "=m"(gdtr));
    asm volatile("sidt %0" : "=m"(idtr));
    context.partition = ~0ull;
    context.vtl = 1;
    context.rip = (uint32_t)vtl1_start;
    context.rsp = (uint32_t)stack + sizeof(stack);
    context.rflags = 2;
    context.cs = flat(SEL_CODE, 0xc09b);
    context.ds = context.es = context.fs = context.gs = context.ss = flat(SEL_DATA, 0xc093);
    context.tr = (struct segment){(uint32_t)tss, 0x67, SEL_TSS, 0x8b};
    context.gdtr = (struct table){.limit = gdtr.limit, .base = gdtr.base};
    context.idtr = (struct table){.limit = idtr.limit, .base = idtr.base};
    context.cr0 = read_cr0();
    context.cr4 = read_cr4();
    context.pat = 0x0007040600070406;
    r = (struct registers){.a = ENABLE_VP_VTL, .c = (uint32_t)&context};
    stub_call(&r, raw_vmcall);
    return r.a;
}

static void stubs(void)
{
    uint32_t offsets = code_offsets();
    is_u64(offsets & 0xfff, 0x04, "the code page's offset of the 32-bit call");
    is_u64(offsets >> 12, 0x1b, "and of the 32-bit return");
    wrmsr(HV_MSR_HYPERCALL, (uint32_t)code_page[0] | 1);
    struct registers r = {0, 0xb, 0xc, 0, 0x51, 0xd1, 0xb9};
    stub_call(&r, code_page[0] + (offsets & 0xfff));
    is_u64(entries, 1, "VTL call through the stub");
    is_u64(level1_offsets, offsets, "VTL1 reads the same offsets");
    ok(seen.b == 0xb && seen.si == 0x51 && seen.di == 0xd1 && seen.bp == 0xb9,
       "VTL1 sees VTL0's registers");
    is_u64(r.a, 0xaaaa0001, "the return loads EAX from the assist page");
    is_u64(r.c, 0xcccc0002, "ECX");
    is_u64(r.d, 0xdddd0003, "and EDX");
    ok(r.b == 0xb && r.si == 0x51 && r.di == 0xd1 && r.bp == 0xb9, "and leaves the others");

    r.a = r.d = 0;
    fast = 1;
    stub_call(&r, code_page[0] + (offsets & 0xfff));
    is_u64(entries, 2, "again");
    is_u64(reason, 1, "the assist page says that it was a call");
    is_u64(r.a, VTL_RETURN, "a fast return leaves EAX alone");
    is_u64(r.c, 1, "and ECX");
    is_u64(r.d, 0, "and EDX");
    fast = 0;
}

static void refused(void)
{
    is_fault(TRY("vmcall",
                 :
                 : "a"(VTL_CALL), "c"(1), "d"(0)
                 : "memory"),
             UD, 0, "a 32-bit VTL call with control input");
    is_fault(TRY("vmcall",
                 :
                 : "a"(VTL_CALL), "c"(0), "d"(1)
                 : "memory"),
             UD, 0, "with a bit of the input value in EDX");
    is_fault(TRY("vmcall",
                 :
                 : "a"(VTL_RETURN), "c"(0), "d"(0)
                 : "memory"),
             UD, 0, "a 32-bit VTL return from VTL0");
    is_u64(entries, 2, "none of these came through");
}

void test_main(void)
{
    wrmsr(HV_MSR_GUEST_OS_ID, HV_TEST_OS_ID);
    is_u64(enable(), HV_SUCCESS, "VTL1 with a 32-bit context");
    stubs();
    refused();
}
