/* SPDX-License-Identifier: BSD-2-Clause */
/* Guest MSRs. Those that belong to a context's VMCS are vmx/'s; the rest is here. */
#include "core/guest/msr.h"

#include "core/bits.h"
#include "core/guest/apic.h"
#include "core/hyperv/hyperv.h"
#include "core/hyperv/tlfs.h"
#include "core/string.h"
#include "core/vcpu.h"
#include "core/x86.h"

#define MISC_ENABLE_FAST_STRINGS     BIT(0)
#define MISC_ENABLE_BTS_UNAVAILABLE  BIT(11)
#define MISC_ENABLE_PEBS_UNAVAILABLE BIT(12)

/* All that SDM Vol 4, "Architectural MSRs", has as read/write: the thermal control circuit,
 * SpeedStep, MONITOR, the limit of CPUID, xTPR messages, XD-bit disable. Only firmware has a use
 * for them. */
#define MISC_ENABLE_STORED   (BIT(3) | BIT(16) | BIT(18) | BIT(22) | BIT(23) | BIT(34))
#define MISC_ENABLE_WRITABLE (MISC_ENABLE_FAST_STRINGS | MISC_ENABLE_STORED)

void guest_msrs_reset(struct guest_msrs *msrs)
{
    memset(msrs, 0, sizeof(*msrs));
    msrs->misc_enable =
        MISC_ENABLE_FAST_STRINGS | MISC_ENABLE_BTS_UNAVAILABLE | MISC_ENABLE_PEBS_UNAVAILABLE;
    mtrr_reset(&msrs->mtrr);
}

/*
 * IA32_TSC_DEADLINE counts in guest TSC, the APIC engine in VM time. A deadline that the shift
 * would push below 1 has passed; 1 has, too.
 */
static uint64_t read_deadline(struct vcpu *vcpu)
{
    uint64_t deadline = lapic_read_tsc_deadline(&vcpu->active->lapic);

    return deadline == 0 ? 0 : deadline + vcpu->msrs.tsc_adjust;
}

static void write_deadline(struct vcpu *vcpu, uint64_t value)
{
    int64_t vm_time = (int64_t)(value - vcpu->msrs.tsc_adjust);

    if (value != 0 && vm_time < 1)
        vm_time = 1;
    guest_apic_write_deadline(vcpu, value == 0 ? 0 : (uint64_t)vm_time);
}

static void set_tsc_adjust(struct vcpu *vcpu, uint64_t adjust)
{
    uint64_t deadline = read_deadline(vcpu);

    vcpu->msrs.tsc_adjust = adjust;
    for (unsigned vtl = 0; vtl < vcpu->vm->vtls; vtl++) {
        vmx_load(this_cpu()->vmx, &vcpu->contexts[vtl].vmx);
        vmx_set_tsc_offset(&vcpu->contexts[vtl].vmx, adjust - vcpu->vm->tsc_start);
    }
    vmx_load(this_cpu()->vmx, &vcpu->active->vmx);
    if (deadline != 0)
        write_deadline(vcpu, deadline);
}

static bool is_apic(uint32_t msr)
{
    return msr >= APIC_MSR_FIRST && msr <= APIC_MSR_LAST;
}

static bool is_hyperv(const struct vcpu *vcpu, uint32_t msr)
{
    return vcpu->hv != NULL && msr >= HV_MSR_FIRST && msr <= HV_MSR_LAST;
}

/* All but the APIC's. */
static __attribute__((noinline)) enum vmx_action read_other(struct vcpu *vcpu, uint32_t msr,
                                                            uint64_t *value)
{
    struct context *ctx = vcpu->active;

    if (is_hyperv(vcpu, msr))
        return hv_rdmsr(vcpu, msr, value);
    switch (msr) {
    case MSR_IA32_TSC:
        return msr_is(value, vm_time_tsc(vcpu->vm) + vcpu->msrs.tsc_adjust);
    case MSR_IA32_TSC_ADJUST:
        return msr_is(value, vcpu->msrs.tsc_adjust);
    case MSR_IA32_TSC_DEADLINE:
        return msr_is(value, read_deadline(vcpu));
    case MSR_IA32_APIC_BASE:
        return msr_is(value, ctx->lapic.base);
    case MSR_IA32_MISC_ENABLE:
        return msr_is(value, vcpu->msrs.misc_enable);
    case MSR_IA32_BIOS_SIGN_ID: /* the guest sees and loads no microcode */
    case MSR_IA32_PLATFORM_ID:
    case MSR_IA32_MCG_CAP: /* no error-reporting banks */
    case MSR_IA32_DEBUGCTL:
        return msr_is(value, 0);
    case MSR_IA32_MCG_STATUS:
        return msr_is(value, vcpu->msrs.mcg_status);
    case MSR_IA32_XSS:
        *value = 0;
        return msr_ok_or_gp(ctx->vmx.policy.xsaves);
    default:
        if (mtrr_has(msr))
            return msr_is(value, mtrr_read(&vcpu->msrs.mtrr, msr));
        return vmx_msr_read(&ctx->vmx, msr, value) == VMX_MSR_OK ? VMX_NEXT : VMX_RAISE_GP;
    }
}

enum vmx_action guest_rdmsr(struct vcpu *vcpu, uint32_t msr, uint64_t *value)
{
    if (is_apic(msr))
        return msr_ok_or_gp(lapic_rdmsr(&vcpu->active->lapic, msr, value));
    return read_other(vcpu, msr, value);
}

static __attribute__((noinline)) enum vmx_action write_other(struct vcpu *vcpu, uint32_t msr,
                                                             uint64_t value)
{
    struct context *ctx = vcpu->active;

    if (is_hyperv(vcpu, msr))
        return hv_wrmsr(vcpu, msr, value);
    switch (msr) {
    case MSR_IA32_TSC:
        set_tsc_adjust(vcpu, value - vm_time_tsc(vcpu->vm));
        return VMX_NEXT;
    case MSR_IA32_TSC_ADJUST:
        set_tsc_adjust(vcpu, value);
        return VMX_NEXT;
    case MSR_IA32_APIC_BASE:
        return msr_ok_or_gp(guest_apic_write_base(vcpu, value));
    case MSR_IA32_MISC_ENABLE:
        if ((value ^ vcpu->msrs.misc_enable) & ~MISC_ENABLE_WRITABLE)
            return VMX_RAISE_GP;
        vcpu->msrs.misc_enable = value;
        return VMX_NEXT;
    case MSR_IA32_BIOS_SIGN_ID: /* written 0 before CPUID to have it filled in: stays 0 */
        return VMX_NEXT;
    case MSR_IA32_MCG_STATUS:
        vcpu->msrs.mcg_status = value;
        return VMX_NEXT;
    case MSR_IA32_DEBUGCTL: /* no branch records, no single-stepping on branches */
        return msr_ok_or_gp(value == 0);
    case MSR_IA32_XSS: /* no supervisor state component is offered */
        return msr_ok_or_gp(ctx->vmx.policy.xsaves && value == 0);
    default:
        if (mtrr_has(msr))
            return msr_ok_or_gp(
                mtrr_write(&vcpu->msrs.mtrr, msr, value, ctx->vmx.policy.physical_bits));
        return vmx_msr_write(&ctx->vmx, msr, value) == VMX_MSR_OK ? VMX_NEXT : VMX_RAISE_GP;
    }
}

enum vmx_action guest_wrmsr(struct vcpu *vcpu, uint32_t msr, uint64_t value)
{
    if (is_apic(msr))
        return msr_ok_or_gp(guest_apic_wrmsr(vcpu, msr, value));
    if (msr != MSR_IA32_TSC_DEADLINE)
        return write_other(vcpu, msr, value);
    write_deadline(vcpu, value);
    return VMX_NEXT;
}
