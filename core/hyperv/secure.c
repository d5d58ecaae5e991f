/* SPDX-License-Identifier: BSD-2-Clause */
/* Secure configuration of lower VTLs: mode-based execution, TLB locks. */
#include "core/hyperv/secure.h"

/* HV_REGISTER_VSM_VP_SECURE_VTL_CONFIG */
#define SECURE_MBEC       BIT(0)
#define SECURE_TLB_LOCKED BIT(1)

static void apply_mbec(struct vcpu *vp, unsigned below)
{
    bool on = false;

    for (unsigned vtl = below + 1; vtl < vp->vm->vtls; vtl++)
        on = on || vp->contexts[vtl].hv->secure[below] & SECURE_MBEC;
    struct vmx_context *before = vcpu_borrow(&vp->contexts[below]);
    vmx_use_mbec(&vp->contexts[below].vmx, on);
    vcpu_give_back(before);
}

enum hv_status hv_set_secure_config(struct context *ctx, unsigned below, uint64_t value)
{
    struct vcpu *vp = ctx->vcpu;
    bool mbec = vp->vm->hv->vtl[ctx->vtl].mbec;

    if (value & ~((mbec ? SECURE_MBEC : 0) | SECURE_TLB_LOCKED))
        return HV_INVALID_REGISTER_VALUE;
    uint64_t changed = value ^ ctx->hv->secure[below];
    atomic_store(&ctx->hv->secure[below], value);
    if (changed & SECURE_MBEC)
        apply_mbec(vp, below);
    return HV_SUCCESS;
}

void hv_unlock_tlbs(struct context *ctx)
{
    for (unsigned below = 0; below < ctx->vtl; below++)
        if (ctx->hv->secure[below] & SECURE_TLB_LOCKED)
            atomic_fetch_and(&ctx->hv->secure[below], ~SECURE_TLB_LOCKED);
}

void hv_lock_tlb(struct context *ctx, unsigned below)
{
    atomic_fetch_or(&ctx->hv->secure[below], SECURE_TLB_LOCKED);
}

bool hv_tlb_locked(const struct vcpu *vcpu, unsigned vtl)
{
    for (unsigned above = vtl + 1; above < vcpu->vm->vtls; above++)
        if (atomic_load(&vcpu->contexts[above].hv->secure[vtl]) & SECURE_TLB_LOCKED)
            return true;
    return false;
}

enum hv_status hv_set_intercepts(struct context *ctx, uint64_t value)
{
    (void)ctx;
    return value == 0 ? HV_SUCCESS : HV_INVALID_REGISTER_VALUE;
}
