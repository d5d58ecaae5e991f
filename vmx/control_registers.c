/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Writes of CR0, CR4 and EFER that the processor does not do by itself, and CR accesses' exits.
 * Sources: SDM Vol 3A, "Control Registers"; Vol 3C, "Changes to Instruction Behavior in VMX
 * Non-Root Operation".
 */
#include "vmx/control_rules.h"
#include "vmx/internal.h"

static struct control_state control_state(struct vmx_context *ctx)
{
    return (struct control_state){
        .cr0 = vmx_get(ctx, VMX_CR0),
        .cr3 = vmread(GUEST_CR3),
        .cr4 = vmx_get(ctx, VMX_CR4),
        .efer = vmread64(GUEST_EFER),
        .cr4_allowed = ctx->policy.cr4_allowed,
        .efer_allowed = ctx->policy.efer_allowed,
        .cs_long = vmread32(GUEST_CS_ACCESS) & SEGMENT_L,
        .tss_16bit = (vmread32(GUEST_TR_ACCESS) & SEGMENT_TYPE) == TSS_16BIT_BUSY,
    };
}

/* Without VPID every entry and exit does that. */
void vmx_flush_linear(struct vmx_context *ctx)
{
    if (ctx->vpid != 0)
        invvpid(ctx->caps, ctx->vpid);
}

bool vmx_load_pdptes(struct vmx_context *ctx, uint64_t cr3)
{
    uint64_t reserved = pdpte_reserved(ctx->policy.physical_bits);
    uint64_t pdpte[4];
    for (unsigned i = 0; i < ARRAY_SIZE(pdpte); i++) {
        uint64_t gpa = (cr3 & PAE_CR3_ADDRESS) + i * sizeof(pdpte[0]);
        if (!ctx->client->read_pdpte(ctx->owner, gpa, &pdpte[i]))
            return false;
        if ((pdpte[i] & PTE_P) && (pdpte[i] & reserved))
            return false;
    }
    for (unsigned i = 0; i < ARRAY_SIZE(pdpte); i++)
        vmx_set(ctx, VMX_PDPTE0 + i, pdpte[i]);
    return true;
}

/* PAE paging will be used with these, and its PDPTEs have to be read anew. */
static bool pae_paging(uint64_t cr0, uint64_t cr4, uint64_t efer)
{
    return (cr0 & CR0_PG) && (cr4 & CR4_PAE) && !(efer & EFER_LMA);
}

bool vmx_reload_pdptes(struct vmx_context *ctx)
{
    struct control_state s = control_state(ctx);
    return !pae_paging(s.cr0, s.cr4, s.efer) || vmx_load_pdptes(ctx, s.cr3);
}

bool vmx_write_cr0(struct vmx_context *ctx, uint64_t value)
{
    struct control_state s = control_state(ctx);
    if (!cr0_write_allowed(&s, value))
        return false;
    value = (value & CR0_DEFINED) | CR0_ET;
    uint64_t efer = efer_after_cr0(s.efer, value);
    bool paging_changes = (value ^ s.cr0) & CR0_RELOADS_PDPTES;
    if (paging_changes && pae_paging(value, s.cr4, efer) && !vmx_load_pdptes(ctx, s.cr3))
        return false;
    if (efer != s.efer)
        vmx_set(ctx, VMX_EFER, efer);
    vmx_set(ctx, VMX_CR0, value);
    if ((value ^ s.cr0) & (CR0_PG | CR0_PE | CR0_WP))
        vmx_flush_linear(ctx);
    return true;
}

bool vmx_write_cr4(struct vmx_context *ctx, uint64_t value)
{
    struct control_state s = control_state(ctx);
    if (!cr4_write_allowed(&s, value))
        return false;
    bool paging_changes = (value ^ s.cr4) & CR4_RELOADS_PDPTES;
    if (paging_changes && pae_paging(s.cr0, value, s.efer) && !vmx_load_pdptes(ctx, s.cr3))
        return false;
    vmx_set(ctx, VMX_CR4, value);
    if ((value ^ s.cr4) & ~(CR4_MCE | CR4_OSXSAVE))
        vmx_flush_linear(ctx);
    return true;
}

bool vmx_write_efer(struct vmx_context *ctx, uint64_t value)
{
    struct control_state s = control_state(ctx);
    if (!efer_write_allowed(&s, value))
        return false;
    vmx_set(ctx, VMX_EFER, (value & ~EFER_LMA) | (s.efer & EFER_LMA));
    if ((value ^ s.efer) & EFER_NXE)
        vmx_flush_linear(ctx);
    return true;
}

static enum vmx_outcome done_or_gp(struct vmx_context *ctx, bool done)
{
    if (done)
        vmx_skip();
    else
        vmx_inject_gp(ctx);
    return VMX_RESUME;
}

static enum vmx_outcome write_cr(struct vmx_context *ctx, enum vmx_reg reg, uint64_t value)
{
    if (ctx->client->refuses_write(ctx->owner, reg, value))
        return VMX_RESUME;
    return done_or_gp(ctx, reg == VMX_CR0 ? vmx_write_cr0(ctx, value) : vmx_write_cr4(ctx, value));
}

static enum vmx_outcome move_to_cr8(struct vmx_context *ctx, uint64_t value)
{
    if (value > CR8_MAX)
        return done_or_gp(ctx, false);
    ctx->client->write_cr8(ctx->owner, value);
    return done_or_gp(ctx, true);
}

static enum vmx_outcome move_to_cr(struct vmx_context *ctx, const struct cr_exit *access)
{
    uint64_t value = gpr_read(ctx, access->gpr);
    if (!in_64bit_mode())
        value = (uint32_t)value;
    switch (access->number) {
    case 0:
        return write_cr(ctx, VMX_CR0, value);
    case 4:
        return write_cr(ctx, VMX_CR4, value);
    case 8:
        return move_to_cr8(ctx, value);
    default:
        return vmx_fail(ctx, "unexpected write of CR%u", access->number);
    }
}

static enum vmx_outcome move_from_cr(struct vmx_context *ctx, const struct cr_exit *access)
{
    if (access->number != 8)
        return vmx_fail(ctx, "unexpected read of CR%u", access->number);
    gpr_write(ctx, access->gpr, ctx->client->read_cr8(ctx->owner));
    vmx_skip();
    return VMX_RESUME;
}

/* SDM Vol 2A, "LMSW": the low four bits, PE only upwards. */
static enum vmx_outcome lmsw(struct vmx_context *ctx, uint16_t source)
{
    uint64_t cr0 = vmx_get(ctx, VMX_CR0);
    uint64_t low = (source & LMSW_BITS) | (cr0 & CR0_PE);
    return write_cr(ctx, VMX_CR0, (cr0 & ~LMSW_BITS) | low);
}

enum vmx_outcome exit_cr_access(struct vmx_context *ctx)
{
    struct cr_exit access = decode_cr(vmread(EXIT_QUALIFICATION));
    switch (access.kind) {
    case CR_MOV_TO:
        return move_to_cr(ctx, &access);
    case CR_MOV_FROM:
        return move_from_cr(ctx, &access);
    case CR_CLTS:
        return write_cr(ctx, VMX_CR0, vmx_get(ctx, VMX_CR0) & ~CR0_TS);
    case CR_LMSW:
        return lmsw(ctx, access.lmsw_source);
    }
    return VMX_ERROR;
}
