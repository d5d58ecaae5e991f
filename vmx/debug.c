/* SPDX-License-Identifier: BSD-2-Clause */
/* What debuggers need of the processor: SDM Vol 3C, "Monitor Trap Flag" and "Exception Bitmap". */
#include "vmx/internal.h"

void vmx_debug(struct vmx_context *ctx)
{
    ctx->debugged = true;
    vmwrite32(EXCEPTION_BITMAP, vmread32(EXCEPTION_BITMAP) | BIT(EXCEPTION_BP));
}

static void set_trap(struct vmx_context *ctx, bool on)
{
    uint32_t trap = vmx_feature_bit(ctx->caps, VMX_MONITOR_TRAP_FLAG);
    ctx->primary = on ? ctx->primary | trap : ctx->primary & ~trap;
    vmwrite32(PRIMARY_CONTROLS, ctx->primary);
}

void vmx_trap_next(struct vmx_context *ctx)
{
    ctx->trapped = false;
    ctx->leave |= VMX_LEAVE;
    set_trap(ctx, true);
}

bool vmx_end_trap(struct vmx_context *ctx)
{
    if (!vmx_waits_for_trap(ctx))
        set_trap(ctx, false);
    return ctx->trapped;
}
