/* SPDX-License-Identifier: BSD-2-Clause */
/* Reading and writing a context's registers, wherever each of them is kept. */
#include "vmx/internal.h"

static void assert_current(const struct vmx_context *ctx)
{
    ASSERT(ctx->cpu && ctx->cpu->current == ctx);
}

static struct vmcs_field64 pdpte_field(enum vmx_reg reg)
{
    return (struct vmcs_field64){GUEST_PDPTE0.code + 2 * (reg - VMX_PDPTE0)};
}

static uint64_t *shared_slot(struct guest_regs *regs, enum vmx_reg reg)
{
    switch (reg) {
    case VMX_CR2:
        return &regs->cr2;
    case VMX_DR0:
    case VMX_DR1:
    case VMX_DR2:
    case VMX_DR3:
        return &regs->dr[reg - VMX_DR0];
    case VMX_DR6:
        return &regs->dr6;
    case VMX_XCR0:
        return &regs->xcr0;
    default:
        panic("no such register: %u", reg);
    }
}

static uint64_t shared_get(struct guest_regs *regs, enum vmx_reg reg)
{
    if (!regs->cpu)
        return *shared_slot(regs, reg);
    switch (reg) {
    case VMX_CR2:
        return read_cr2();
    case VMX_DR0:
        return read_dr0();
    case VMX_DR1:
        return read_dr1();
    case VMX_DR2:
        return read_dr2();
    case VMX_DR3:
        return read_dr3();
    case VMX_DR6:
        return read_dr6();
    default:
        return *shared_slot(regs, reg); /* XCR0 changes only through us */
    }
}

static void shared_set(struct guest_regs *regs, enum vmx_reg reg, uint64_t value)
{
    *shared_slot(regs, reg) = value;
    if (!regs->cpu)
        return;
    switch (reg) {
    case VMX_CR2:
        write_cr2(value);
        return;
    case VMX_DR0:
        write_dr0(value);
        return;
    case VMX_DR1:
        write_dr1(value);
        return;
    case VMX_DR2:
        write_dr2(value);
        return;
    case VMX_DR3:
        write_dr3(value);
        return;
    case VMX_DR6:
        write_dr6(value);
        return;
    default:
        xsetbv(0, value);
        return;
    }
}

uint64_t vmx_get(struct vmx_context *ctx, enum vmx_reg reg)
{
    assert_current(ctx);
    switch (reg) {
    case VMX_RIP:
        return vmread(GUEST_RIP);
    case VMX_RSP:
        return vmread(GUEST_RSP);
    case VMX_RFLAGS:
        return vmread(GUEST_RFLAGS);
    case VMX_CR0:
        return (vmread(GUEST_CR0) & ~ctx->cr0_mask) | (vmread(CR0_SHADOW) & ctx->cr0_mask);
    case VMX_CR3:
        return vmread(GUEST_CR3);
    case VMX_CR4:
        return (vmread(GUEST_CR4) & ~ctx->cr4_mask) | (vmread(CR4_SHADOW) & ctx->cr4_mask);
    case VMX_DR7:
        return vmread(GUEST_DR7);
    case VMX_EFER:
        return vmread64(GUEST_EFER);
    case VMX_PAT:
        return vmread64(GUEST_PAT);
    case VMX_SYSENTER_CS:
        return vmread32(GUEST_SYSENTER_CS);
    case VMX_SYSENTER_ESP:
        return vmread(GUEST_SYSENTER_ESP);
    case VMX_SYSENTER_EIP:
        return vmread(GUEST_SYSENTER_EIP);
    case VMX_PDPTE0:
    case VMX_PDPTE1:
    case VMX_PDPTE2:
    case VMX_PDPTE3:
        return vmread64(pdpte_field(reg));
    case VMX_STAR:
    case VMX_LSTAR:
    case VMX_CSTAR:
    case VMX_SFMASK:
    case VMX_KERNEL_GS_BASE:
    case VMX_TSC_AUX:
        return vmx_private_msr_get(ctx, reg);
    default:
        return shared_get(ctx->regs, reg);
    }
}

/* CR0.CD and CR0.NW are the guest's fancy: caching is not turned off for it. */
static void set_cr0(struct vmx_context *ctx, uint64_t value)
{
    uint64_t insisted = ctx->caps->cr0_fixed0 & ~(CR0_PE | CR0_PG);
    uint64_t real = (value & ~(CR0_CD | CR0_NW)) | insisted | CR0_ET;
    vmwrite(GUEST_CR0, real & ctx->caps->cr0_fixed1);
    vmwrite(CR0_SHADOW, value);
}

static void set_cr4(struct vmx_context *ctx, uint64_t value)
{
    vmwrite(GUEST_CR4, value | ctx->caps->cr4_fixed0 | CR4_VMXE | CR4_MCE);
    vmwrite(CR4_SHADOW, value);
}

static void set_efer(struct vmx_context *ctx, uint64_t value)
{
    uint64_t ia32e = vmx_feature_bit(ctx->caps, VMX_IA32E_GUEST);
    uint64_t controls = vmread32(ENTRY_CONTROLS) & ~ia32e;
    vmwrite32(ENTRY_CONTROLS, controls | (value & EFER_LMA ? ia32e : 0));
    vmwrite64(GUEST_EFER, value);
}

void vmx_set(struct vmx_context *ctx, enum vmx_reg reg, uint64_t value)
{
    assert_current(ctx);
    switch (reg) {
    case VMX_RIP:
        vmwrite(GUEST_RIP, value);
        return;
    case VMX_RSP:
        vmwrite(GUEST_RSP, value);
        return;
    case VMX_RFLAGS:
        vmwrite(GUEST_RFLAGS, value);
        return;
    case VMX_CR0:
        set_cr0(ctx, value);
        return;
    case VMX_CR3:
        vmwrite(GUEST_CR3, value);
        return;
    case VMX_CR4:
        set_cr4(ctx, value);
        return;
    case VMX_DR7:
        vmwrite(GUEST_DR7, value);
        return;
    case VMX_EFER:
        set_efer(ctx, value);
        return;
    case VMX_PAT:
        vmwrite64(GUEST_PAT, value);
        return;
    case VMX_SYSENTER_CS:
        vmwrite32(GUEST_SYSENTER_CS, value);
        return;
    case VMX_SYSENTER_ESP:
        vmwrite(GUEST_SYSENTER_ESP, value);
        return;
    case VMX_SYSENTER_EIP:
        vmwrite(GUEST_SYSENTER_EIP, value);
        return;
    case VMX_PDPTE0:
    case VMX_PDPTE1:
    case VMX_PDPTE2:
    case VMX_PDPTE3:
        vmwrite64(pdpte_field(reg), value);
        return;
    case VMX_STAR:
    case VMX_LSTAR:
    case VMX_CSTAR:
    case VMX_SFMASK:
    case VMX_KERNEL_GS_BASE:
    case VMX_TSC_AUX:
        vmx_private_msr_set(ctx, reg, value);
        return;
    default:
        shared_set(ctx->regs, reg, value);
        return;
    }
}

/* The fields of one kind follow each other in the order of enum vmx_segment_name. */
struct vmx_segment vmx_get_segment(struct vmx_context *ctx, enum vmx_segment_name name)
{
    assert_current(ctx);
    return (struct vmx_segment){
        .base = vmcs_read(GUEST_ES_BASE.code + 2 * name),
        .limit = vmcs_read(GUEST_ES_LIMIT.code + 2 * name),
        .access = vmcs_read(GUEST_ES_ACCESS.code + 2 * name),
        .selector = vmcs_read(GUEST_ES_SELECTOR.code + 2 * name),
    };
}

void vmx_set_segment(struct vmx_context *ctx, enum vmx_segment_name name,
                     const struct vmx_segment *segment)
{
    assert_current(ctx);
    vmcs_write(GUEST_ES_BASE.code + 2 * name, segment->base);
    vmcs_write(GUEST_ES_LIMIT.code + 2 * name, segment->limit);
    vmcs_write(GUEST_ES_ACCESS.code + 2 * name, segment->access);
    vmcs_write(GUEST_ES_SELECTOR.code + 2 * name, segment->selector);
}

struct vmx_table vmx_get_gdtr(struct vmx_context *ctx)
{
    assert_current(ctx);
    return (struct vmx_table){vmread(GUEST_GDTR_BASE), vmread32(GUEST_GDTR_LIMIT)};
}

struct vmx_table vmx_get_idtr(struct vmx_context *ctx)
{
    assert_current(ctx);
    return (struct vmx_table){vmread(GUEST_IDTR_BASE), vmread32(GUEST_IDTR_LIMIT)};
}

void vmx_set_gdtr(struct vmx_context *ctx, struct vmx_table table)
{
    assert_current(ctx);
    vmwrite(GUEST_GDTR_BASE, table.base);
    vmwrite32(GUEST_GDTR_LIMIT, table.limit);
}

void vmx_set_idtr(struct vmx_context *ctx, struct vmx_table table)
{
    assert_current(ctx);
    vmwrite(GUEST_IDTR_BASE, table.base);
    vmwrite32(GUEST_IDTR_LIMIT, table.limit);
}

unsigned vmx_cpl(struct vmx_context *ctx)
{
    assert_current(ctx);
    return field_get(vmread32(GUEST_SS_ACCESS), SEGMENT_DPL);
}
