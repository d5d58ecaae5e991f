/* SPDX-License-Identifier: BSD-2-Clause */
/* Virtual Trust Levels for tests. */
#include "tests/guest/lib/vsm.h"

enum {
    ASSIST_REASON = 0x08,
    ASSIST_RAX = 0x10,
    ASSIST_RCX = 0x18,
    TSS_BUSY = 0x8b,
};

static struct {
    struct vsm_level level;
    uint8_t stack[VSM_AREA_SIZE - sizeof(struct vsm_level)];
} areas[VSM_CPUS][VSM_LEVELS - 1] __attribute__((aligned(VSM_AREA_SIZE)));

extern char tss[];

struct vsm_level *vsm_level(unsigned cpu, unsigned vtl)
{
    return &areas[cpu][vtl - 1].level;
}

struct vsm_level *vsm_self(void)
{
    uintptr_t stack = (uintptr_t)__builtin_frame_address(0);
    if (stack - (uintptr_t)areas >= sizeof(areas))
        return NULL;
    return (struct vsm_level *)(stack & ~(uintptr_t)(VSM_AREA_SIZE - 1));
}

/* By the stack, in whichever level. */
static unsigned cpu_number(void)
{
    const struct vsm_level *self = vsm_self();
    if (self)
        return (unsigned)((uintptr_t)self - (uintptr_t)areas) / sizeof(areas[0]);
    return this_cpu()->number;
}

/* A level's code: it is entered here at first, and then behind VMCALL. */
asm(".pushsection .text\n"
    ".globl vsm_start\n"
    "vsm_start:\n\t"
    "push %rax; push %rcx; push %rdx; push %rbx; push %rbp; push %rsi; push %rdi\n\t"
    "push %r8; push %r9; push %r10; push %r11; push %r12; push %r13; push %r14; push %r15\n\t"
    "cld\n\t"
    "mov %rsp, %rdi\n\t"
    "mov %rsp, %rbx\n\t"
    "and $-16, %rsp\n\t"
    "call vsm_dispatch\n\t"
    "mov %rbx, %rsp\n\t"
    "pop %r15; pop %r14; pop %r13; pop %r12; pop %r11; pop %r10; pop %r9; pop %r8\n\t"
    "pop %rdi; pop %rsi; pop %rbp; pop %rbx; pop %rdx; pop %rcx; pop %rax\n\t"
    "vmcall\n\t"
    "jmp vsm_start\n"
    ".popsection");
extern char vsm_start[];

struct vsm_frame {
    unsigned long r15, r14, r13, r12, r11, r10, r9, r8, di, si, bp, bx, dx, cx, ax;
};
void vsm_dispatch(struct vsm_frame *frame);

void vsm_dispatch(struct vsm_frame *frame)
{
    struct vsm_level *self = vsm_self();
    uint32_t reason = 0;
    if (self->assist)
        reason = *(volatile uint32_t *)(self->assist + ASSIST_REASON);
    self->entries[reason & 3]++;
    if (reason == ENTRY_INTERRUPT && self->entered) {
        self->entered();
    } else if (reason == ENTRY_INTERRUPT) {
        sti_nop();
        cli();
    } else if (self->function) {
        void (*function)(uintptr_t) = self->function;
        self->function = NULL;
        function(self->argument);
    }
    if (self->assist) {
        *(volatile uint64_t *)(self->assist + ASSIST_RAX) = frame->ax;
        *(volatile uint64_t *)(self->assist + ASSIST_RCX) = frame->cx;
    }
    frame->ax = self->fast;
    frame->cx = HV_CALL_VTL_RETURN;
}

void vsm_begin(void)
{
    wrmsr(HV_MSR_GUEST_OS_ID, HV_TEST_OS_ID);
}

static struct hv_segment flat(uint16_t selector, uint16_t attributes)
{
    return (struct hv_segment){.limit = 0xffffffff, .selector = selector, .attributes = attributes};
}

void vsm_fill_context(struct hv_vp_context *parameters, unsigned cpu, unsigned vtl)
{
    struct table_register gdtr, idtr;
    struct vsm_level *level = vsm_level(cpu, vtl);
    asm volatile("sgdt %0" : "=m"(gdtr));
    asm volatile("sidt %0" : "=m"(idtr));
    level->vtl = vtl;
    *parameters = (struct hv_vp_context){
        .partition = HV_SELF,
        .vp = cpu,
        .vtl = (uint8_t)vtl,
        .initial =
            {
                .rip = (uintptr_t)vsm_start,
                .rsp = (uintptr_t)level + VSM_AREA_SIZE - 16,
                .rflags = 2,
                .cs = flat(SEL_CODE, 0xa09b),
                .ds = flat(SEL_DATA, 0xc093),
                .es = flat(SEL_DATA, 0xc093),
                .fs = flat(SEL_DATA, 0xc093),
                .gs = flat(SEL_DATA, 0xc093),
                .ss = flat(SEL_DATA, 0xc093),
                .tr = {(uintptr_t)tss, 0x67, SEL_TSS, TSS_BUSY},
                .idtr = {.limit = idtr.limit, .base = idtr.base},
                .gdtr = {.limit = gdtr.limit, .base = gdtr.base},
                .efer = rdmsr(MSR_EFER),
                .cr0 = read_cr0(),
                .cr3 = read_cr3(),
                .cr4 = read_cr4(),
                .pat = rdmsr(MSR_PAT),
            },
    };
}

unsigned vsm_enable_partition(unsigned vtl, uint8_t flags)
{
    return hv_call(HV_CALL_ENABLE_PARTITION_VTL | HV_FAST, HV_SELF, vtl | (unsigned)flags << 8) &
           0xffff;
}

unsigned vsm_enable_vp(const struct hv_vp_context *parameters)
{
    return hv_call(HV_CALL_ENABLE_VP_VTL, (uintptr_t)parameters, 0) & 0xffff;
}

void vsm_enable(unsigned vtl)
{
    struct hv_vp_context *parameters = page_alloc();
    unsigned status = vsm_enable_partition(vtl, 0);
    if (status != HV_SUCCESS)
        bail_out("VTL%u of the partition is refused: 0x%x", vtl, status);
    vsm_fill_context(parameters, cpu_number(), vtl);
    status = vsm_enable_vp(parameters);
    if (status != HV_SUCCESS)
        bail_out("VTL%u of the processor is refused: 0x%x", vtl, status);
}

void vsm_run(void (*function)(uintptr_t), uintptr_t argument)
{
    const struct vsm_level *self = vsm_self();
    struct vsm_level *above = vsm_level(cpu_number(), self ? self->vtl + 1 : 1);
    above->function = function;
    above->argument = argument;
    vtl_call();
}

/* A page for the parameters of hypercalls, one for each level of each processor. */
static void *parameter_page(void)
{
    static uint8_t pages[VSM_CPUS][VSM_LEVELS][PAGE_SIZE] __attribute__((aligned(PAGE_SIZE)));
    const struct vsm_level *self = vsm_self();
    return pages[cpu_number()][self ? self->vtl : 0];
}

struct vp_registers {
    uint64_t partition;
    uint32_t vp;
    uint8_t vtl, reserved[3];
    uint32_t name;
};

unsigned vsm_get(uint32_t vp, uint8_t vtl, uint32_t name, uint64_t value[2])
{
    struct vp_registers *in = parameter_page();
    *in = (struct vp_registers){.partition = HV_SELF, .vp = vp, .vtl = vtl, .name = name};
    uint64_t *out = (uint64_t *)in + 256;
    unsigned status =
        hv_call(HV_CALL_GET_VP_REGISTERS | HV_REPS(1), (uintptr_t)in, (uintptr_t)out) & 0xffff;
    value[0] = out[0];
    value[1] = out[1];
    return status;
}

uint64_t vsm_set_all(uint32_t vp, uint8_t vtl, const struct hv_assignment *list, unsigned count)
{
    struct {
        uint64_t partition;
        uint32_t vp;
        uint8_t vtl, reserved[3];
        struct hv_assignment list[];
    } *in = parameter_page();
    in->partition = HV_SELF;
    in->vp = vp;
    in->vtl = vtl;
    in->reserved[0] = in->reserved[1] = in->reserved[2] = 0;
    memcpy(in->list, list, count * sizeof(*list));
    return hv_call(HV_CALL_SET_VP_REGISTERS | HV_REPS(count), (uintptr_t)in, 0);
}

unsigned vsm_set(uint32_t vp, uint8_t vtl, uint32_t name, uint64_t low, uint64_t high)
{
    const struct hv_assignment one = {.name = name, .value = {low, high}};
    return vsm_set_all(vp, vtl, &one, 1) & 0xffff;
}

struct hv_assignment vsm_segment(uint32_t name, uint64_t base, uint32_t limit, uint16_t selector,
                                 uint16_t attributes)
{
    return (struct hv_assignment){
        .name = name,
        .value = {base, limit | (uint64_t)selector << 32 | (uint64_t)attributes << 48}};
}

unsigned vsm_protect(const void *page, unsigned count, uint32_t flags)
{
    struct {
        uint64_t partition;
        uint32_t flags;
        uint8_t vtl, reserved[3];
        uint64_t pages[];
    } *in = parameter_page();
    in->partition = HV_SELF;
    in->flags = flags;
    in->vtl = 0;
    in->reserved[0] = in->reserved[1] = in->reserved[2] = 0;
    for (unsigned i = 0; i < count; i++)
        in->pages[i] = (uintptr_t)page / PAGE_SIZE + i;
    return hv_call(HV_CALL_MODIFY_PROTECTION | HV_REPS(count), (uintptr_t)in, 0) & 0xffff;
}

void vsm_use_assist(void)
{
    struct vsm_level *self = vsm_self();
    self->assist = page_alloc();
    wrmsr(HV_MSR_VP_ASSIST_PAGE, (uintptr_t)self->assist | 1);
}

uint8_t *vsm_use_synic(void)
{
    uint8_t *messages = page_alloc();
    vsm_use_assist();
    lapic_enable();
    wrmsr(HV_MSR_SIMP, (uintptr_t)messages | 1);
    wrmsr(HV_MSR_SCONTROL, 1);
    wrmsr(HV_MSR_SINT0, VSM_INTERCEPT_VECTOR);
    return messages;
}
