/* SPDX-License-Identifier: BSD-2-Clause */
/* Reading and writing a context's registers, wherever each of them is kept. */
#include "vmx/control_rules.h"
#include "vmx/internal.h"
#include "vmx/msr_rules.h"

static void assert_current(const struct vmx_context *ctx)
{
    ASSERT(ctx->cpu && ctx->cpu->current == ctx);
}

/* The field that holds a register as it is, or NO_FIELD. */
enum { NO_FIELD = UINT16_MAX };

static uint32_t field_of(enum vmx_reg reg)
{
    switch (reg) {
    case VMX_RIP:
        return GUEST_RIP.code;
    case VMX_RSP:
        return GUEST_RSP.code;
    case VMX_RFLAGS:
        return GUEST_RFLAGS.code;
    case VMX_CR3:
        return GUEST_CR3.code;
    case VMX_DR7:
        return GUEST_DR7.code;
    case VMX_EFER:
        return GUEST_EFER.code;
    case VMX_PAT:
        return GUEST_PAT.code;
    case VMX_SYSENTER_CS:
        return GUEST_SYSENTER_CS.code;
    case VMX_SYSENTER_ESP:
        return GUEST_SYSENTER_ESP.code;
    case VMX_SYSENTER_EIP:
        return GUEST_SYSENTER_EIP.code;
    case VMX_PDPTE0 ... VMX_PDPTE3:
        return GUEST_PDPTE0.code + 2 * (reg - VMX_PDPTE0);
    default:
        return NO_FIELD;
    }
}

static uint64_t *shared_slot(struct guest_regs *regs, enum vmx_reg reg)
{
    switch (reg) {
    case VMX_CR2:
        return &regs->cr2;
    case VMX_DR0 ... VMX_DR3:
        return &regs->dr[reg - VMX_DR0];
    case VMX_DR6:
        return &regs->dr6;
    case VMX_XCR0:
        return &regs->xcr0;
    default:
        panic("no such register: %u", reg);
    }
}

/* XCR0 changes only through us, so that its slot is always up to date. */
static uint64_t shared_get(struct guest_regs *regs, enum vmx_reg reg)
{
    if (regs->cpu && reg != VMX_XCR0)
        vmx_cr2_dr_save(regs);
    return *shared_slot(regs, reg);
}

static void shared_set(struct guest_regs *regs, enum vmx_reg reg, uint64_t value)
{
    if (regs->cpu)
        vmx_cr2_dr_save(regs);
    *shared_slot(regs, reg) = value;
    if (regs->cpu && reg == VMX_XCR0)
        xsetbv(0, value);
    else if (regs->cpu)
        vmx_cr2_dr_load(regs);
}

uint64_t vmx_get(struct vmx_context *ctx, enum vmx_reg reg)
{
    uint32_t field = field_of(reg);

    assert_current(ctx);
    if (field != NO_FIELD)
        return vmcs_read(field);
    switch (reg) {
    case VMX_CR0:
        return (vmread(GUEST_CR0) & ~ctx->cr0_mask) | (vmread(CR0_SHADOW) & ctx->cr0_mask);
    case VMX_CR4:
        return (vmread(GUEST_CR4) & ~ctx->cr4_mask) | (vmread(CR4_SHADOW) & ctx->cr4_mask);
    case VMX_PENDING_DEBUG:
        return vmread(GUEST_PENDING_DEBUG) & ~PENDING_DEBUG_BREAKPOINT;
    case VMX_STAR ... VMX_TSC_AUX:
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
    vmwrite(CR0_SHADOW, value | CR0_ET);
}

static void set_cr4(struct vmx_context *ctx, uint64_t value)
{
    vmwrite(GUEST_CR4, value | ctx->caps->cr4_fixed0 | CR4_VMXE | CR4_MCE);
    vmwrite(CR4_SHADOW, value);
    if (ctx->mbec_wanted)
        vmx_update_mbec(ctx);
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
    case VMX_CR0:
        set_cr0(ctx, value);
        return;
    case VMX_CR4:
        set_cr4(ctx, value);
        return;
    case VMX_EFER:
        set_efer(ctx, value);
        return;
    case VMX_PENDING_DEBUG:
        vmwrite(GUEST_PENDING_DEBUG, value | (value & MASK(3, 0) ? PENDING_DEBUG_BREAKPOINT : 0));
        return;
    case VMX_STAR ... VMX_TSC_AUX:
        vmx_private_msr_set(ctx, reg, value);
        return;
    default:
        break;
    }
    if (field_of(reg) != NO_FIELD)
        vmcs_write(field_of(reg), value);
    else
        shared_set(ctx->regs, reg, value);
}

bool vmx_value_allowed(const struct vmx_context *ctx, enum vmx_reg reg, uint64_t value)
{
    switch (reg) {
    case VMX_CR0:
        return !(value & ~(uint64_t)CR0_DEFINED) && (value & CR0_PE || !(value & CR0_PG)) &&
               (value & CR0_CD || !(value & CR0_NW));
    case VMX_CR3:
        return value >> ctx->policy.physical_bits == 0;
    case VMX_CR4:
        return !(value & ~ctx->policy.cr4_allowed);
    case VMX_EFER:
        return !(value & ~(ctx->policy.efer_allowed | EFER_LMA));
    case VMX_RFLAGS:
        return (value & (MASK(63, 22) | BIT(15) | BIT(5) | BIT(3) | RFLAGS_ONE)) == RFLAGS_ONE;
    case VMX_DR6:
    case VMX_DR7:
        return value >> 32 == 0;
    default:
        return msr_value_allowed(vmx_msr_of(reg), value, vmx_linear_bits(ctx));
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

struct vmx_table vmx_get_table(struct vmx_context *ctx, enum vmx_table_register which)
{
    assert_current(ctx);
    return (struct vmx_table){
        .base = vmcs_read(GUEST_GDTR_BASE.code + 2 * which),
        .limit = vmcs_read(GUEST_GDTR_LIMIT.code + 2 * which),
    };
}

void vmx_set_table(struct vmx_context *ctx, enum vmx_table_register which, struct vmx_table table)
{
    assert_current(ctx);
    vmcs_write(GUEST_GDTR_BASE.code + 2 * which, table.base);
    vmcs_write(GUEST_GDTR_LIMIT.code + 2 * which, table.limit);
}

unsigned vmx_cpl(struct vmx_context *ctx)
{
    assert_current(ctx);
    return field_get(vmread32(GUEST_SS_ACCESS), SEGMENT_DPL);
}

unsigned vmx_linear_bits(const struct vmx_context *ctx)
{
    return ctx->policy.cr4_allowed & CR4_LA57 ? 57 : 48;
}

bool vmx_is_kernel(struct vmx_context *ctx, bool *long_mode)
{
    assert_current(ctx);
    *long_mode = in_64bit_mode();
    return !(vmread32(GUEST_SS_ACCESS) & SEGMENT_DPL) &&
           (*long_mode || (vmread(GUEST_CR0) & CR0_PE));
}

unsigned vmx_instruction_length(struct vmx_context *ctx)
{
    assert_current(ctx);
    return vmread32(EXIT_INSTRUCTION_LENGTH);
}
