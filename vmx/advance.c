/* SPDX-License-Identifier: BSD-2-Clause */
/* Ending an instruction that was carried out for the guest. */
#include "vmx/internal.h"

void vmx_end_special(uint32_t blocking, uint64_t rflags)
{
    vmwrite32(GUEST_INTERRUPTIBILITY, blocking & ~(uint32_t)BLOCKING_BY_STI_OR_MOV_SS);
    vmwrite(GUEST_RFLAGS, rflags & ~(uint64_t)RFLAGS_RF);
    if (rflags & RFLAGS_TF)
        vmwrite(GUEST_PENDING_DEBUG, vmread(GUEST_PENDING_DEBUG) | PENDING_DEBUG_BS);
}

void vmx_advance_to(struct vmx_context *, uint64_t rip)
{
    vmwrite(GUEST_RIP, rip);
    vmx_end_instruction();
}

void vmx_block_by_mov_ss(struct vmx_context *)
{
    vmwrite32(GUEST_INTERRUPTIBILITY, vmread32(GUEST_INTERRUPTIBILITY) | BLOCKING_BY_MOV_SS);
}

enum vmx_outcome vmx_act_other(struct vmx_context *ctx, enum vmx_action action,
                               const struct vmx_exception *exception)
{
    switch (action) {
    case VMX_NEXT:
        break;
    case VMX_AGAIN:
        return VMX_RESUME;
    case VMX_RAISE_GP:
        vmx_inject_gp(ctx);
        return VMX_RESUME;
    case VMX_RAISE_UD:
        vmx_inject_ud(ctx);
        return VMX_RESUME;
    case VMX_RAISE:
        ASSERT(exception);
        vmx_inject_exception(ctx, exception);
        return VMX_RESUME;
    case VMX_STOP:
        return VMX_STOPPED;
    }
    panic("client answered %u", action);
}
