/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which context's state a processor holds: its VMCS, the MSRs that software switches, and the
 * registers its virtual processor's contexts share. Moved only when somebody else's are needed.
 */
#include "core/cpu.h"
#include "core/memory.h"
#include "vmx/internal.h"

/* Numbered from VMX_STAR on, as ctx->msrs. */
static const uint32_t private_msrs[VMX_PRIVATE_MSRS] = {
    MSR_IA32_STAR,  MSR_IA32_LSTAR,          MSR_IA32_CSTAR,
    MSR_IA32_FMASK, MSR_IA32_KERNEL_GS_BASE, MSR_IA32_TSC_AUX,
};
_Static_assert(VMX_TSC_AUX - VMX_STAR + 1 == VMX_PRIVATE_MSRS,
               "the MSRs are consecutive registers");

/* IA32_TSC_AUX exists only where RDTSCP does. */
static unsigned msr_count(const struct vmx_context *ctx)
{
    return ctx->policy.rdtscp ? VMX_PRIVATE_MSRS : VMX_PRIVATE_MSRS - 1;
}

static void save_msrs(struct vmx_context *ctx)
{
    unsigned count = msr_count(ctx);
    for (unsigned i = 0; i < count; i++)
        ctx->msrs[i] = rdmsr(private_msrs[i]);
}

static void load_msrs(const struct vmx_context *ctx)
{
    unsigned count = msr_count(ctx);
    for (unsigned i = 0; i < count; i++)
        wrmsr(private_msrs[i], ctx->msrs[i]);
}

/* Writes only what differs: between the contexts of one virtual processor that is often nothing. */
static void exchange_msrs(struct vmx_context *from, const struct vmx_context *to)
{
    unsigned count = msr_count(from);
    for (unsigned i = 0; i < count; i++) {
        from->msrs[i] = rdmsr(private_msrs[i]);
        if (from->msrs[i] != to->msrs[i])
            wrmsr(private_msrs[i], to->msrs[i]);
    }
}

static uint64_t *msr_slot(struct vmx_context *ctx, enum vmx_reg reg)
{
    return &ctx->msrs[reg - VMX_STAR];
}

uint64_t vmx_private_msr_get(struct vmx_context *ctx, enum vmx_reg reg)
{
    if (ctx->cpu->live_msrs == ctx && reg - VMX_STAR < msr_count(ctx))
        return rdmsr(private_msrs[reg - VMX_STAR]);
    return *msr_slot(ctx, reg);
}

void vmx_private_msr_set(struct vmx_context *ctx, enum vmx_reg reg, uint64_t value)
{
    *msr_slot(ctx, reg) = value;
    if (ctx->cpu->live_msrs == ctx && reg - VMX_STAR < msr_count(ctx))
        wrmsr(private_msrs[reg - VMX_STAR], value);
}

void vmx_cr2_dr_save(struct guest_regs *regs)
{
    regs->cr2 = read_cr2();
    regs->dr[0] = read_dr0();
    regs->dr[1] = read_dr1();
    regs->dr[2] = read_dr2();
    regs->dr[3] = read_dr3();
    regs->dr6 = read_dr6();
}

void vmx_cr2_dr_load(const struct guest_regs *regs)
{
    write_cr2(regs->cr2);
    write_dr0(regs->dr[0]);
    write_dr1(regs->dr[1]);
    write_dr2(regs->dr[2]);
    write_dr3(regs->dr[3]);
    write_dr6(regs->dr6);
}

/* Takes the shared registers out of the processor that holds them, which is this one. */
static void evict_regs(struct guest_regs *regs)
{
    vmx_cr2_dr_save(regs);
    fpu_save(regs);
    regs->cpu->live_regs = NULL;
    regs->cpu = NULL;
}

uint8_t *vmx_fpu_image(struct vmx_context *ctx)
{
    enum { XSTATE_BV = 512 };
    uint8_t *image = ctx->regs->fpu;
    ASSERT(!ctx->regs->cpu || ctx->regs->cpu == ctx->cpu);
    if (ctx->regs->cpu)
        evict_regs(ctx->regs);
    if (ctx->regs->xcr0_allowed != 0)
        image[XSTATE_BV] |= XCR0_X87 | XCR0_SSE;
    return image;
}

void vmx_make_live(struct vmx_context *ctx)
{
    struct vmx_cpu *cpu = ctx->cpu;
    if (cpu->live_regs != ctx->regs) {
        ASSERT(!ctx->regs->cpu);
        if (cpu->live_regs)
            evict_regs(cpu->live_regs);
        if (vmx_guard.guards & VMX_GUARD_IBPB)
            wrmsr(MSR_IA32_PRED_CMD, PRED_CMD_IBPB);
        vmx_cr2_dr_load(ctx->regs);
        fpu_load(ctx->regs);
        cpu->live_regs = ctx->regs;
        ctx->regs->cpu = cpu;
    }
    if (cpu->live_msrs != ctx) {
        if (cpu->live_msrs)
            save_msrs(cpu->live_msrs);
        load_msrs(ctx);
        cpu->live_msrs = ctx;
    }
}

static void write_host_state(void)
{
    const struct cpu *cpu = this_cpu();
    vmwrite16(HOST_CS_SELECTOR, SELECTOR_CODE);
    vmwrite16(HOST_SS_SELECTOR, SELECTOR_DATA);
    vmwrite16(HOST_DS_SELECTOR, 0);
    vmwrite16(HOST_ES_SELECTOR, 0);
    vmwrite16(HOST_FS_SELECTOR, 0);
    vmwrite16(HOST_GS_SELECTOR, 0);
    vmwrite16(HOST_TR_SELECTOR, SELECTOR_TSS);
    vmwrite(HOST_FS_BASE, 0);
    vmwrite(HOST_GS_BASE, (uint64_t)cpu);
    vmwrite(HOST_TR_BASE, (uint64_t)&cpu->tss);
    vmwrite(HOST_GDTR_BASE, (uint64_t)cpu->gdt);
    vmwrite(HOST_IDTR_BASE, cpu_idt_base());
    vmwrite(HOST_CR0, read_cr0());
    vmwrite(HOST_CR3, read_cr3());
    vmwrite(HOST_CR4, read_cr4());
    vmwrite64(HOST_PAT, rdmsr(MSR_IA32_PAT));
    vmwrite64(HOST_EFER, rdmsr(MSR_IA32_EFER));
    vmwrite32(HOST_SYSENTER_CS, 0);
    vmwrite(HOST_SYSENTER_ESP, 0);
    vmwrite(HOST_SYSENTER_EIP, 0);
    vmwrite(HOST_RIP, (uint64_t)(vmx_is_guarded() ? vmx_exit_point_guarded : vmx_exit_point));
}

static void vmptrld(struct vmx_context *ctx)
{
    uint64_t physical = ctx->vmcs_physical;
    __asm__ goto("vmptrld %0\n\tjbe %l[failed]" : : "m"(physical) : "cc", "memory" : failed);
    return;
failed:
    panic("VMPTRLD of 0x%lx failed", physical);
}

void vmx_clear(struct vmx_context *ctx)
{
    uint64_t physical = ctx->vmcs_physical;
    __asm__ goto("vmclear %0\n\tjbe %l[failed]" : : "m"(physical) : "cc", "memory" : failed);
    ctx->launched = false;
    return;
failed:
    panic("VMCLEAR of 0x%lx failed", physical);
}

void vmx_load(struct vmx_cpu *cpu, struct vmx_context *ctx)
{
    if (cpu->current == ctx)
        return;
    ASSERT(!ctx->cpu || ctx->cpu == cpu);
    vmptrld(ctx);
    cpu->current = ctx;
    if (ctx->cpu)
        return;
    ctx->cpu = cpu;
    ctx->host_rsp = 0;
    write_host_state();
    ctx->ept_generation = __atomic_load_n(&ctx->ept->generation, __ATOMIC_ACQUIRE);
    invept(ctx->caps, ctx->ept_pointer);
    if (ctx->vpid != 0)
        invvpid(ctx->caps, ctx->vpid);
}

struct vmx_context *vmx_take_over(struct vmx_context *from, struct vmx_context *to)
{
    from->launched = true;
    if (to->cpu != from->cpu || !to->launched || to->host_rsp != from->host_rsp || to->shutdown)
        return NULL;
    vmptrld(to);
    to->cpu->current = to;
    exchange_msrs(from, to);
    to->cpu->live_msrs = to;
    return to;
}

void vmx_unload(struct vmx_context *ctx)
{
    struct vmx_cpu *cpu = ctx->cpu;
    if (!cpu)
        return;
    if (cpu->live_regs == ctx->regs)
        evict_regs(ctx->regs);
    if (cpu->live_msrs == ctx) {
        save_msrs(ctx);
        cpu->live_msrs = NULL;
    }
    vmx_clear(ctx);
    if (cpu->current == ctx)
        cpu->current = NULL;
    ctx->cpu = NULL;
}
