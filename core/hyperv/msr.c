/* SPDX-License-Identifier: BSD-2-Clause */
/* The synthetic MSRs. Scope and layout of each: TLFS, in the chapter of its subject. */
#include "core/guest/apic.h"
#include "core/hyperv/crash.h"
#include "core/hyperv/vp.h"
#include "core/log.h"
#include "core/remote.h"

enum { SYNIC_VERSION = 1 };
#define RESET_NOW BIT(0)

static struct hv_vtl *vtl_of(const struct vcpu *vcpu)
{
    return &vcpu->vm->hv->vtl[vcpu->active->vtl];
}

/* ---- Pages and what the partition has: with its lock held ------------------------------------ */

static enum vmx_action show(struct vcpu *vcpu, struct hv_overlay *overlay, uint64_t msr,
                            unsigned rights)
{
    if (hv_overlay_set(vcpu->vm, vcpu->active->vtl, overlay, msr, rights))
        return VMX_NEXT;
    log_error("vm %s: no memory to lay a page over the guest's", vcpu->vm->config->name);
    vm_stop(vcpu->vm, VM_ERROR, 0);
    return VMX_STOP;
}

/* The page that an MSR places; NULL: it places none. */
static struct hv_overlay *overlay_of(const struct vcpu *vcpu, uint32_t msr)
{
    struct hv_context *ctx = vcpu->active->hv;

    switch (msr) {
    case HV_MSR_HYPERCALL:
        return &vtl_of(vcpu)->hypercall;
    case HV_MSR_REFERENCE_TSC:
        return &vtl_of(vcpu)->reference_tsc;
    case HV_MSR_VP_ASSIST_PAGE:
        return &ctx->assist_page;
    case HV_MSR_SIEFP:
        return &ctx->event_flags;
    case HV_MSR_SIMP:
        return &ctx->messages;
    default:
        return NULL;
    }
}

static enum vmx_action show_code(struct vcpu *vcpu, uint64_t msr)
{
    return show(vcpu, &vtl_of(vcpu)->hypercall, msr, EPT_R | EPT_X | EPT_UX);
}

/* Who takes its name back loses the page, unless that is locked. */
static enum vmx_action write_guest_os_id(struct vcpu *vcpu, uint64_t value)
{
    struct hv_vtl *vtl = vtl_of(vcpu);

    vtl->guest_os_id = value;
    if (value != 0 || vtl->hypercall.msr & HV_PAGE_LOCKED)
        return VMX_NEXT;
    return show_code(vcpu, vtl->hypercall.msr & ~HV_PAGE_ENABLE);
}

static enum vmx_action write_hypercall(struct vcpu *vcpu, uint64_t value)
{
    struct hv_vtl *vtl = vtl_of(vcpu);

    if (vtl->hypercall.msr & HV_PAGE_LOCKED || !hv_gpa_exists(vcpu->vm, value & HV_PAGE_FRAME))
        return VMX_RAISE_GP;
    value &= HV_PAGE_FRAME | HV_PAGE_LOCKED | HV_PAGE_ENABLE;
    if (vtl->guest_os_id == 0)
        value &= ~HV_PAGE_ENABLE;
    return show_code(vcpu, value);
}

static enum vmx_action write_shared(struct vcpu *vcpu, uint32_t msr, uint64_t value)
{
    struct hv_overlay *overlay = overlay_of(vcpu, msr);

    if (msr == HV_MSR_GUEST_OS_ID)
        return write_guest_os_id(vcpu, value);
    if (msr == HV_MSR_HYPERCALL)
        return write_hypercall(vcpu, value);
    if (overlay != NULL)
        return show(vcpu, overlay, value & (HV_PAGE_FRAME | HV_PAGE_ENABLE), EPT_RWX);
    if (msr == HV_MSR_CRASH_CTL)
        hv_crash(vcpu, value);
    else
        vcpu->vm->hv->crash[msr - HV_MSR_CRASH_P0] = value;
    return VMX_NEXT;
}

static bool is_shared(const struct vcpu *vcpu, uint32_t msr)
{
    return msr == HV_MSR_GUEST_OS_ID || overlay_of(vcpu, msr) != NULL ||
           (msr >= HV_MSR_CRASH_P0 && msr <= HV_MSR_CRASH_CTL);
}

/* A page that moved is where it is for all processors before the instruction ends. */
static enum vmx_action lock_and_write(struct vcpu *vcpu, uint32_t msr, uint64_t value)
{
    struct hv_partition *hv = vcpu->vm->hv;
    const struct ept *ept = &vcpu->vm->ept[vcpu->active->vtl];
    uint64_t generation = ept->generation;

    spin_lock(&hv->lock);
    enum vmx_action action = write_shared(vcpu, msr, value);
    spin_unlock(&hv->lock);
    if (ept->generation != generation) {
        vcpu->active->vmx.leave |= VMX_ATTEND; /* this one has to forget the old page, too */
        remote_pass_all();
    }
    return action;
}

/* ---- What a context has for itself ----------------------------------------------------------- */

static bool is_sint(uint32_t msr)
{
    return msr - HV_MSR_SINT0 < HV_SINTS;
}

static bool is_timer(uint32_t msr)
{
    return msr - HV_MSR_STIMER0_CONFIG < 2 * HV_TIMERS;
}

static uint64_t read_timer(const struct context *ctx, uint32_t offset)
{
    const struct stimer *t = &ctx->hv->timers[offset / 2];

    return offset % 2 != 0 ? t->count : t->config;
}

/* Whatever the guest changed may have made room for a message. */
static enum vmx_action write_synic(struct context *ctx, uint32_t msr, uint64_t value)
{
    struct synic *synic = hv_synic_lock(ctx);
    bool ok = true;

    if (is_sint(msr))
        ok = synic_write_sint(synic, msr - HV_MSR_SINT0, value);
    else if (msr == HV_MSR_SCONTROL)
        synic->control = value & SCONTROL_ENABLE;
    synic->has_messages = ctx->hv->messages.msr & HV_PAGE_ENABLE;
    synic->has_flags = ctx->hv->event_flags.msr & HV_PAGE_ENABLE;
    hv_synic_unlock(ctx);
    ctx->eoi_exits_stale = true;
    ctx->vmx.leave |= VMX_ATTEND;
    return msr_ok_or_gp(ok);
}

static uint64_t read_icr(const struct lapic *lapic)
{
    uint64_t high = lapic->regs[APIC_ICR_HIGH / 4];

    return high << 32 | lapic->regs[APIC_ICR / 4];
}

/* ---- All of them ----------------------------------------------------------------------------- */

enum vmx_action hv_rdmsr(struct vcpu *vcpu, uint32_t msr, uint64_t *value)
{
    const struct vm *vm = vcpu->vm;
    const struct hv_context *hv = vcpu->active->hv;
    const struct hv_overlay *overlay;

    switch (msr) {
    case HV_MSR_GUEST_OS_ID:
        return msr_is(value, vtl_of(vcpu)->guest_os_id);
    case HV_MSR_VP_INDEX:
        return msr_is(value, vcpu->index);
    case HV_MSR_RESET:
    case HV_MSR_EOM:
        return msr_is(value, 0);
    case HV_MSR_TIME_REF_COUNT:
        return msr_is(value, hv_time(vm));
    case HV_MSR_TSC_FREQUENCY:
    case HV_MSR_APIC_FREQUENCY: /* the timer's input clock is the TSC's */
        return msr_is(value, vm->tsc_hz);
    case HV_MSR_ICR:
        return msr_is(value, read_icr(&vcpu->active->lapic));
    case HV_MSR_TPR:
        return msr_is(value, vcpu->active->lapic.regs[APIC_TPR / 4]);
    case HV_MSR_SCONTROL:
        return msr_is(value, hv->synic.control);
    case HV_MSR_SVERSION:
        return msr_is(value, SYNIC_VERSION);
    case HV_MSR_CRASH_CTL:
        return msr_is(value, hv_crash_capabilities());
    default:
        break;
    }
    if (is_sint(msr))
        return msr_is(value, hv->synic.sint[msr - HV_MSR_SINT0]);
    if (is_timer(msr))
        return msr_is(value, read_timer(vcpu->active, msr - HV_MSR_STIMER0_CONFIG));
    if (msr - HV_MSR_CRASH_P0 < HV_CRASH_PARAMETERS)
        return msr_is(value, vm->hv->crash[msr - HV_MSR_CRASH_P0]);
    overlay = overlay_of(vcpu, msr);
    return overlay != NULL ? msr_is(value, overlay->msr) : VMX_RAISE_GP;
}

static enum vmx_action write_reset(struct vcpu *vcpu, uint64_t value)
{
    if (value != RESET_NOW)
        return msr_ok_or_gp(value == 0);
    vm_stop(vcpu->vm, VM_RESET, 0);
    return VMX_STOP;
}

enum vmx_action hv_wrmsr(struct vcpu *vcpu, uint32_t msr, uint64_t value)
{
    switch (msr) {
    case HV_MSR_RESET:
        return write_reset(vcpu, value);
    case HV_MSR_EOI:
        if (value >> 32 != 0)
            return VMX_RAISE_GP;
        guest_apic_eoi(vcpu);
        return VMX_NEXT;
    case HV_MSR_ICR:
        guest_apic_write_icr(vcpu, value);
        return VMX_NEXT;
    case HV_MSR_TPR:
        if (value > UINT8_MAX)
            return VMX_RAISE_GP;
        guest_apic_write_tpr(vcpu, (uint8_t)value);
        return VMX_NEXT;
    case HV_MSR_SCONTROL:
    case HV_MSR_EOM:
        return write_synic(vcpu->active, msr, value);
    default:
        break;
    }
    if (is_sint(msr))
        return write_synic(vcpu->active, msr, value);
    if (is_timer(msr))
        return msr_ok_or_gp(hv_write_timer(vcpu->active, msr - HV_MSR_STIMER0_CONFIG, value));
    if (!is_shared(vcpu, msr))
        return VMX_RAISE_GP;
    enum vmx_action action = lock_and_write(vcpu, msr, value);
    if (action == VMX_NEXT && (msr == HV_MSR_SIMP || msr == HV_MSR_SIEFP))
        return write_synic(vcpu->active, msr, value);
    return action;
}
