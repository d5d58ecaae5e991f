/* SPDX-License-Identifier: BSD-2-Clause */
/* The registers of Virtual Secure Mode. TLFS, "Virtual Secure Mode". */
#include "core/hyperv/protect.h"
#include "core/hyperv/secure.h"
#include "core/hyperv/vp_registers.h"
#include "core/hyperv/vtl.h"

enum {
    REG_CODE_PAGE_OFFSETS = 0x000d0002,
    REG_VP_STATUS = 0x000d0003,
    REG_PARTITION_STATUS = 0x000d0004,
    REG_VINA = 0x000d0005,
    REG_CAPABILITIES = 0x000d0006,
    REG_PARTITION_CONFIG = 0x000d0007,
    REG_GUEST_PARTITION_CONFIG = 0x000d0008,
    REG_SECURE_CONFIG_VTL0 = 0x000d0010, /* and the VTLs behind */
    REG_WAIT_FOR_TLB_LOCK = 0x000d0020,
    REG_ISOLATION_CAPABILITIES = 0x000d0100,
    REG_CR_CONTROL = 0x000e0000,
    REG_CR0_MASK = 0x000e0001,
    REG_CR4_MASK = 0x000e0002,
    REG_MISC_ENABLE_MASK = 0x000e0003,
};

/* HV_REGISTER_VSM_CAPABILITIES */
#define CAPABILITY_DR6_SHARED   BIT(0)
#define CAPABILITY_DENY_STARTUP BIT(17)

/* DR6 is one of the registers that Intel's VMX leaves alone. */
static uint64_t capabilities(const struct context *ctx)
{
    uint64_t above_0 = BIT(ctx->vcpu->vm->vtls) - 2;

    return CAPABILITY_DR6_SHARED | (hv_has_mbec(ctx) ? above_0 << 1 : 0) | CAPABILITY_DENY_STARTUP;
}

static uint64_t vp_status(const struct vcpu *vp)
{
    return vp->active->vtl | (uint64_t)(vp->active->vmx.mbec_wanted) << 4 |
           (uint64_t)vp->enabled << 16;
}

static uint64_t partition_status(const struct vm *vm)
{
    uint64_t mbec = 0;

    for (unsigned vtl = 1; vtl < vm->vtls; vtl++)
        mbec |= (uint64_t)vm->hv->vtl[vtl].mbec << vtl;
    return vm->hv->enabled | (uint64_t)(vm->vtls - 1) << 16 | mbec << 20;
}

static bool is_secure_config(uint32_t name)
{
    return name - REG_SECURE_CONFIG_VTL0 < 15;
}

enum hv_status hv_get_vsm_register(const struct hv_register_access *access, uint32_t name,
                                   struct hv_value *value)
{
    const struct context *ctx = access->ctx;
    const struct hv_context *hv = ctx->hv;

    switch (name) {
    case REG_CODE_PAGE_OFFSETS:
        return hv_is(value, access->long_mode ? HV_CODE_PAGE_OFFSETS_64 : HV_CODE_PAGE_OFFSETS_32);
    case REG_VP_STATUS:
        return hv_is(value, vp_status(ctx->vcpu));
    case REG_PARTITION_STATUS:
        return hv_is(value, partition_status(ctx->vcpu->vm));
    case REG_CAPABILITIES:
        return hv_is(value, capabilities(ctx));
    case REG_GUEST_PARTITION_CONFIG:
        return hv_is(value, ctx->vcpu->vm->vtls - 1);
    case REG_WAIT_FOR_TLB_LOCK:
        return hv_is(value, hv->waits_for_tlb);
    case REG_ISOLATION_CAPABILITIES: /* as CPUID leaf 4000000CH: none */
        return HV_SUCCESS;
    default:
        break;
    }
    if (ctx->vtl == 0)
        return HV_INVALID_PARAMETER;
    if (is_secure_config(name)) {
        if (name - REG_SECURE_CONFIG_VTL0 >= ctx->vtl)
            return HV_INVALID_PARAMETER;
        return hv_is(value, hv->secure[name - REG_SECURE_CONFIG_VTL0]);
    }
    switch (name) {
    case REG_VINA:
        return hv_is(value, hv->vina);
    case REG_PARTITION_CONFIG:
        return hv_is(value, ctx->vcpu->vm->hv->vtl[ctx->vtl].config);
    case REG_CR_CONTROL:
        return hv_is(value, hv->intercepts);
    case REG_CR0_MASK:
        return hv_is(value, hv->cr0_mask);
    case REG_CR4_MASK:
        return hv_is(value, hv->cr4_mask);
    case REG_MISC_ENABLE_MASK:
        return hv_is(value, hv->misc_enable_mask);
    default:
        return HV_INVALID_PARAMETER;
    }
}

enum hv_status hv_set_vsm_register(const struct hv_register_access *access, uint32_t name,
                                   const struct hv_value *value)
{
    struct context *ctx = access->ctx;
    struct hv_context *hv = ctx->hv;

    if (name == REG_WAIT_FOR_TLB_LOCK)
        return hv_set_tlb_wait(access->caller, ctx, value->low);
    if (ctx->vtl == 0)
        return HV_INVALID_PARAMETER;
    if (is_secure_config(name)) {
        if (name - REG_SECURE_CONFIG_VTL0 >= ctx->vtl)
            return HV_INVALID_PARAMETER;
        return hv_set_secure_config(ctx, name - REG_SECURE_CONFIG_VTL0, value->low);
    }
    switch (name) {
    case REG_VINA:
        hv->vina = value->low;
        return HV_SUCCESS;
    case REG_PARTITION_CONFIG:
        return hv_set_partition_config(ctx, value->low);
    case REG_CR_CONTROL:
        return hv_set_intercepts(ctx, value->low);
    case REG_CR0_MASK:
        hv_set_intercept_mask(ctx, &hv->cr0_mask, value->low);
        return HV_SUCCESS;
    case REG_CR4_MASK:
        hv_set_intercept_mask(ctx, &hv->cr4_mask, value->low);
        return HV_SUCCESS;
    case REG_MISC_ENABLE_MASK:
        hv->misc_enable_mask = value->low;
        return HV_SUCCESS;
    default:
        return HV_INVALID_PARAMETER;
    }
}
