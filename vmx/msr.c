/* SPDX-License-Identifier: BSD-2-Clause */
/* The MSRs that are part of a context, and which MSR accesses exit. */
#include "vmx/internal.h"
#include "vmx/msr_rules.h"

static const struct {
    uint32_t msr;
    enum vmx_reg reg;
} own_msrs[] = {
    {MSR_IA32_EFER, VMX_EFER},
    {MSR_IA32_PAT, VMX_PAT},
    {MSR_IA32_SYSENTER_CS, VMX_SYSENTER_CS},
    {MSR_IA32_SYSENTER_ESP, VMX_SYSENTER_ESP},
    {MSR_IA32_SYSENTER_EIP, VMX_SYSENTER_EIP},
    {MSR_IA32_STAR, VMX_STAR},
    {MSR_IA32_LSTAR, VMX_LSTAR},
    {MSR_IA32_CSTAR, VMX_CSTAR},
    {MSR_IA32_FMASK, VMX_SFMASK},
    {MSR_IA32_KERNEL_GS_BASE, VMX_KERNEL_GS_BASE},
    {MSR_IA32_TSC_AUX, VMX_TSC_AUX},
};

static bool find(struct vmx_context *ctx, uint32_t msr, enum vmx_reg *reg)
{
    for (unsigned i = 0; i < ARRAY_SIZE(own_msrs); i++) {
        if (own_msrs[i].msr != msr)
            continue;
        *reg = own_msrs[i].reg;
        return msr != MSR_IA32_TSC_AUX || ctx->policy.rdtscp;
    }
    return false;
}

uint32_t vmx_msr_of(enum vmx_reg reg)
{
    for (unsigned i = 0; i < ARRAY_SIZE(own_msrs); i++)
        if (own_msrs[i].reg == reg)
            return own_msrs[i].msr;
    return 0;
}

enum vmx_msr_result vmx_msr_read(struct vmx_context *ctx, uint32_t msr, uint64_t *value)
{
    enum vmx_reg reg;
    if (msr == MSR_IA32_FS_BASE)
        *value = vmread(GUEST_FS_BASE);
    else if (msr == MSR_IA32_GS_BASE)
        *value = vmread(GUEST_GS_BASE);
    else if (find(ctx, msr, &reg))
        *value = vmx_get(ctx, reg);
    else
        return VMX_MSR_NOT_MINE;
    return VMX_MSR_OK;
}

enum vmx_msr_result vmx_msr_write(struct vmx_context *ctx, uint32_t msr, uint64_t value)
{
    enum vmx_reg reg;
    bool base = msr == MSR_IA32_FS_BASE || msr == MSR_IA32_GS_BASE;
    if (!base && !find(ctx, msr, &reg))
        return VMX_MSR_NOT_MINE;
    if (msr == MSR_IA32_EFER)
        return vmx_write_efer(ctx, value) ? VMX_MSR_OK : VMX_MSR_GP;
    if (!msr_value_allowed(msr, value, vmx_linear_bits(ctx)))
        return VMX_MSR_GP;
    if (msr == MSR_IA32_FS_BASE)
        vmwrite(GUEST_FS_BASE, value);
    else if (msr == MSR_IA32_GS_BASE)
        vmwrite(GUEST_GS_BASE, value);
    else
        vmx_set(ctx, reg, value);
    return VMX_MSR_OK;
}

/* Four bitmaps of 8192 MSRs each: reads low, reads high, writes low, writes high. */
enum { BITMAP_BYTES = 1024, BITMAP_READS = 0, BITMAP_WRITES = 2 * BITMAP_BYTES };

static void set_intercept(uint8_t *bitmap, uint32_t msr, bool on)
{
    uint32_t index = msr & MASK(12, 0);
    uint8_t *byte = bitmap + (msr & BIT(31) ? BITMAP_BYTES : 0) + index / 8;
    *byte = (*byte & ~(1u << index % 8)) | (unsigned)on << index % 8;
}

void vmx_intercept_msr(struct vmx_context *ctx, uint32_t msr, bool reads, bool writes)
{
    ASSERT((msr & ~0x1fffu) == 0 || (msr & ~0x1fffu) == 0xc0000000u);
    set_intercept(ctx->msr_bitmap + BITMAP_READS, msr, reads);
    set_intercept(ctx->msr_bitmap + BITMAP_WRITES, msr, writes);
}

/*
 * Writes that not every processor refuses as it should exit: those of TSC_AUX with the reserved
 * upper half, and of addresses for SYSENTER that are not canonical (SDM Vol 2D, "WRMSR"), which KVM
 * cuts.
 */
static bool must_check(enum vmx_reg reg)
{
    return reg == VMX_EFER || reg == VMX_TSC_AUX || reg == VMX_SYSENTER_ESP ||
           reg == VMX_SYSENTER_EIP;
}

void vmx_pass_own_msrs(struct vmx_context *ctx)
{
    for (unsigned i = 0; i < ARRAY_SIZE(own_msrs); i++) {
        enum vmx_reg reg;
        if (find(ctx, own_msrs[i].msr, &reg))
            vmx_intercept_msr(ctx, own_msrs[i].msr, false, must_check(reg));
    }
    vmx_intercept_msr(ctx, MSR_IA32_FS_BASE, false, false);
    vmx_intercept_msr(ctx, MSR_IA32_GS_BASE, false, false);
}
