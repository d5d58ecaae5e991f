/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Loads of GDTR, IDTR, LDTR and TR that the client wants to know of. The processor exits for
 * stores, too: what is not to be refused runs natively, one instruction under the monitor trap
 * flag. Source: SDM Vol 3C, "Information for VM Exits Due to Instruction Execution".
 */
#include "vmx/internal.h"

/* Instruction information. */
#define INFO_SCALE         MASK(1, 0)
#define INFO_REGISTER      MASK(6, 3)
#define INFO_ADDRESS_SIZE  MASK(9, 7)
#define INFO_IS_REGISTER   BIT(10) /* of LLDT and LTR */
#define INFO_SEGMENT       MASK(17, 15)
#define INFO_INDEX         MASK(21, 18)
#define INFO_INDEX_INVALID BIT(22)
#define INFO_BASE          MASK(26, 23)
#define INFO_BASE_INVALID  BIT(27)
#define INFO_LOADS         BIT(29)
#define INFO_SECOND        BIT(28) /* IDTR, or TR */

static void flip_watching(struct vmx_context *ctx, bool watch)
{
    uint32_t tables = vmx_feature_bit(ctx->caps, VMX_DESCRIPTOR_TABLE_EXITING);
    uint32_t trap = vmx_feature_bit(ctx->caps, VMX_MONITOR_TRAP_FLAG);
    ctx->secondary = watch ? ctx->secondary | tables : ctx->secondary & ~tables;
    ctx->primary &= ~trap;
    vmwrite32(SECONDARY_CONTROLS, ctx->secondary);
    vmwrite32(PRIMARY_CONTROLS, ctx->primary);
}

bool vmx_intercept_tables(struct vmx_context *ctx, bool on)
{
    if (on && !(vmx_has(ctx->caps, VMX_DESCRIPTOR_TABLE_EXITING) &&
                vmx_has(ctx->caps, VMX_MONITOR_TRAP_FLAG)))
        return false;
    ctx->watches_tables = on;
    flip_watching(ctx, on);
    return true;
}

static uint64_t linear_operand(struct vmx_context *ctx, uint32_t info)
{
    static const uint64_t masks[] = {MASK(15, 0), MASK(31, 0), UINT64_MAX, UINT64_MAX};
    uint64_t offset = vmread(EXIT_QUALIFICATION);
    unsigned segment = field_get(info, INFO_SEGMENT);
    if (!(info & INFO_BASE_INVALID))
        offset += gpr_read(ctx, field_get(info, INFO_BASE));
    if (!(info & INFO_INDEX_INVALID))
        offset += gpr_read(ctx, field_get(info, INFO_INDEX)) << field_get(info, INFO_SCALE);
    offset &= masks[field_get(info, INFO_ADDRESS_SIZE) % ARRAY_SIZE(masks)];
    return vmx_get_segment(ctx, segment <= VMX_GS ? segment : VMX_DS).base + offset;
}

static enum vmx_outcome table_exit(struct vmx_context *ctx, enum vmx_table_register which)
{
    uint32_t info = vmread32(EXIT_INSTRUCTION_INFO);
    bool is_register = which >= VMX_TABLE_LDTR && (info & INFO_IS_REGISTER);
    uint64_t operand = is_register ? (uint16_t)gpr_read(ctx, field_get(info, INFO_REGISTER))
                                   : linear_operand(ctx, info);
    if (info & INFO_SECOND)
        which++;
    if ((info & INFO_LOADS) && vmx_cpl(ctx) == 0 &&
        ctx->client->refuses_table(ctx->owner, which, !is_register, operand))
        return VMX_RESUME;
    flip_watching(ctx, false);
    ctx->primary |= vmx_feature_bit(ctx->caps, VMX_MONITOR_TRAP_FLAG);
    vmwrite32(PRIMARY_CONTROLS, ctx->primary);
    return VMX_RESUME;
}

enum vmx_outcome exit_gdtr_idtr(struct vmx_context *ctx)
{
    return table_exit(ctx, VMX_TABLE_GDTR);
}

enum vmx_outcome exit_ldtr_tr(struct vmx_context *ctx)
{
    return table_exit(ctx, VMX_TABLE_LDTR);
}

bool vmx_waits_for_trap(const struct vmx_context *ctx)
{
    return ctx->watches_tables &&
           !(ctx->secondary & vmx_feature_bit(ctx->caps, VMX_DESCRIPTOR_TABLE_EXITING));
}

enum vmx_outcome exit_monitor_trap(struct vmx_context *ctx)
{
    ctx->trapped = true;
    flip_watching(ctx, ctx->watches_tables);
    return VMX_RESUME;
}
