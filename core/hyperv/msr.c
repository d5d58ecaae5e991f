/* SPDX-License-Identifier: BSD-2-Clause */
/* The synthetic MSRs. Scope and layout of each: TLFS, in the chapter of its subject. */
#include "core/hyperv/state.h"

#include "core/log.h"
#include "core/string.h"

static struct hv_vtl *vtl_of(const struct vcpu *vcpu)
{
    return &vcpu->vm->hv->vtl[vcpu->active->vtl];
}

static enum vmx_action stop_without_memory(struct vcpu *vcpu)
{
    log_error("vm %s: no memory to lay a page over the guest's", vcpu->vm->config->name);
    vm_stop(vcpu->vm, VM_ERROR, 0);
    return VMX_STOP;
}

/* ---- Identity and hypercall page ---------------------------------------------------------------
 */

static enum vmx_action show_hypercall_page(struct vcpu *vcpu, uint64_t msr)
{
    bool ok = hv_overlay_set(vcpu->vm, vcpu->active->vtl, &vtl_of(vcpu)->hypercall, msr,
                             EPT_R | EPT_X | EPT_UX);

    return ok ? VMX_NEXT : stop_without_memory(vcpu);
}

/* Who takes its name back loses the page, unless that is locked. */
static enum vmx_action write_guest_os_id(struct vcpu *vcpu, uint64_t value)
{
    struct hv_vtl *vtl = vtl_of(vcpu);

    vtl->guest_os_id = value;
    if (value != 0 || vtl->hypercall.msr & HV_PAGE_LOCKED)
        return VMX_NEXT;
    return show_hypercall_page(vcpu, vtl->hypercall.msr & ~HV_PAGE_ENABLE);
}

static enum vmx_action write_hypercall(struct vcpu *vcpu, uint64_t value)
{
    struct hv_vtl *vtl = vtl_of(vcpu);

    if (vtl->hypercall.msr & HV_PAGE_LOCKED || !hv_gpa_exists(vcpu->vm, value & HV_PAGE_FRAME))
        return VMX_RAISE_GP;
    value &= HV_PAGE_FRAME | HV_PAGE_LOCKED | HV_PAGE_ENABLE;
    if (vtl->guest_os_id == 0)
        value &= ~HV_PAGE_ENABLE;
    return show_hypercall_page(vcpu, value);
}

/* ---- The table ---------------------------------------------------------------------------------
 */

enum vmx_action hv_rdmsr(struct vcpu *vcpu, uint32_t msr, uint64_t *value)
{
    switch (msr) {
    case HV_MSR_GUEST_OS_ID:
        *value = vtl_of(vcpu)->guest_os_id;
        return VMX_NEXT;
    case HV_MSR_HYPERCALL:
        *value = vtl_of(vcpu)->hypercall.msr;
        return VMX_NEXT;
    case HV_MSR_VP_INDEX:
        *value = vcpu->index;
        return VMX_NEXT;
    default:
        return VMX_RAISE_GP;
    }
}

/* With the partition's lock held. */
static enum vmx_action write_partition_msr(struct vcpu *vcpu, uint32_t msr, uint64_t value)
{
    switch (msr) {
    case HV_MSR_GUEST_OS_ID:
        return write_guest_os_id(vcpu, value);
    case HV_MSR_HYPERCALL:
        return write_hypercall(vcpu, value);
    default:
        return VMX_RAISE_GP;
    }
}

enum vmx_action hv_wrmsr(struct vcpu *vcpu, uint32_t msr, uint64_t value)
{
    struct hv_partition *hv = vcpu->vm->hv;

    spin_lock(&hv->lock);
    enum vmx_action action = write_partition_msr(vcpu, msr, value);
    spin_unlock(&hv->lock);
    return action;
}
