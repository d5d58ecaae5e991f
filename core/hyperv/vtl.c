/* SPDX-License-Identifier: BSD-2-Clause */
/* Enabling VTLs, calling the next higher one and returning to the next lower one. */
#include "core/hyperv/vtl.h"

#include "core/epoch.h"
#include "core/guest/apic.h"
#include "core/guest/trace.h"
#include "core/hyperv/protect.h"
#include "core/hyperv/secure.h"
#include "core/remote.h"
#include "core/string.h"
#include "core/x86.h"

/* ---- Who there is ---------------------------------------------------------------------------- */

static bool is_zero(const uint8_t *bytes, size_t count)
{
    while (count > 0 && bytes[count - 1] == 0)
        count--;
    return count == 0;
}

enum hv_status hv_find_vp(struct vcpu *caller, uint64_t partition, uint32_t index, struct vcpu **vp)
{
    const struct vm *vm = caller->vm;

    if (partition != HV_PARTITION_SELF)
        return HV_INVALID_PARTITION_ID;
    if (index == HV_VP_SELF)
        index = caller->index;
    if (index >= vm->vcpu_count)
        return HV_INVALID_VP_INDEX;
    *vp = vm->vcpus[index];
    return HV_SUCCESS;
}

/* The highest bit below @vtl in a set that has bit 0. */
static unsigned highest_below(uint16_t set, unsigned vtl)
{
    return 31 - (unsigned)__builtin_clz((unsigned)set & ((1u << vtl) - 1));
}

/* ---- Enabling -------------------------------------------------------------------------------- */

enum { ENABLE_MBEC = 1 << 0 };

struct enable_partition_vtl {
    uint64_t partition;
    uint8_t vtl;
    uint8_t flags;
    uint8_t reserved[6];
};

bool hv_has_mbec(const struct context *ctx)
{
    return vmx_has(ctx->vmx.caps, VMX_MODE_BASED_EXECUTE) && ctx->vmx.policy.cr4_allowed & CR4_SMEP;
}

enum hv_status hv_enable_partition_vtl(struct hv_hypercall *call)
{
    const struct enable_partition_vtl *in = (const void *)call->in;
    const struct vm *vm = call->vcpu->vm;
    struct hv_partition *hv = vm->hv;
    uint8_t possible = hv_has_mbec(call->vcpu->active) ? ENABLE_MBEC : 0;
    enum hv_status status = HV_SUCCESS;

    if (in->partition != HV_PARTITION_SELF)
        return HV_INVALID_PARTITION_ID;
    if (in->vtl == 0 || in->vtl >= vm->vtls || in->flags & ~possible ||
        !is_zero(in->reserved, sizeof(in->reserved)))
        return HV_INVALID_PARAMETER;
    spin_lock(&hv->lock);
    if (call->vcpu->active->vtl < highest_below(hv->enabled, in->vtl))
        status = HV_ACCESS_DENIED;
    else if (hv->enabled >> in->vtl & 1)
        status = HV_INVALID_VTL_STATE;
    else {
        hv->enabled |= (uint16_t)(1u << in->vtl);
        hv->vtl[in->vtl].mbec = in->flags & ENABLE_MBEC;
    }
    spin_unlock(&hv->lock);
    return status;
}

struct vp_context {
    uint64_t partition;
    uint32_t vp;
    uint8_t vtl; /* a plain number */
    uint8_t reserved[3];
    struct hv_initial_context initial;
};
_Static_assert(sizeof(struct vp_context) == 240, "HvCallEnableVpVtl, HvCallStartVirtualProcessor");

/* Carried out by the CPU that owns the processor. */
struct enabling {
    struct context *ctx;
    const struct hv_initial_context *initial;
    enum hv_status status;
};

static void enable(void *arg)
{
    struct enabling *e = arg;
    struct vcpu *vp = e->ctx->vcpu;

    if (vcpu_has_vtl(vp, e->ctx->vtl)) {
        e->status = HV_VTL_ALREADY_ENABLED;
        return;
    }
    struct vmx_context *before = vcpu_borrow(e->ctx);
    e->status = HV_INVALID_REGISTER_VALUE;
    if (hv_set_initial_context(e->ctx, e->initial)) {
        guest_apic_set_present(e->ctx, true);
        e->ctx->state = CONTEXT_RUNNABLE;
        vp->enabled |= (uint16_t)(1u << e->ctx->vtl);
        e->status = HV_SUCCESS;
    }
    vcpu_give_back(before);
}

/*
 * Until any processor has the VTL, the highest one below may hand it to processors; from then on
 * only who is in it, or above. TLFS, "Enabling a Target VTL for a Virtual Processor".
 */
static enum hv_status claim(struct vcpu *caller, unsigned vtl, bool *first)
{
    struct hv_partition *hv = caller->vm->hv;
    enum hv_status status = HV_SUCCESS;

    spin_lock(&hv->lock);
    *first = !hv->vtl[vtl].on_a_vp;
    unsigned least = *first ? highest_below(hv->enabled, vtl) : vtl;
    if (!(hv->enabled >> vtl & 1))
        status = HV_INVALID_VTL_STATE;
    else if (caller->active->vtl < least)
        status = HV_ACCESS_DENIED;
    else
        hv->vtl[vtl].on_a_vp = true;
    spin_unlock(&hv->lock);
    return status;
}

enum hv_status hv_enable_vp_vtl(struct hv_hypercall *call)
{
    const struct vp_context *in = (const void *)call->in;
    struct vcpu *caller = call->vcpu, *vp;
    enum hv_status status = hv_find_vp(caller, in->partition, in->vp, &vp);

    if (status != HV_SUCCESS)
        return status;
    if (in->vtl == 0 || in->vtl >= caller->vm->vtls || !is_zero(in->reserved, 3))
        return HV_INVALID_PARAMETER;
    bool first;
    status = claim(caller, in->vtl, &first);
    if (status != HV_SUCCESS)
        return status;
    struct enabling e = {.ctx = &vp->contexts[in->vtl], .initial = &in->initial};
    remote_call(vp->sched.home, enable, &e);
    if (e.status != HV_SUCCESS && first)
        caller->vm->hv->vtl[in->vtl].on_a_vp = false;
    return e.status;
}

/* ---- HvCallStartVirtualProcessor ------------------------------------------------------------- */

static bool has_started(const struct vcpu *vp)
{
    return vp->active->vtl > 0 || vp->active->state != CONTEXT_WAITS_FOR_SIPI;
}

/* A processor begins in its highest VTL, and gets to the lower ones by VTL return. */
static void start(void *arg)
{
    struct enabling *e = arg;
    struct vcpu *vp = e->ctx->vcpu;

    e->status = HV_INVALID_VP_STATE;
    if (has_started(vp) || !vcpu_has_vtl(vp, e->ctx->vtl))
        return;
    struct vmx_context *before = vcpu_borrow(e->ctx);
    e->status = HV_INVALID_REGISTER_VALUE;
    if (hv_set_initial_context(e->ctx, e->initial)) {
        e->ctx->state = CONTEXT_RUNNABLE;
        vp->active = &vp->contexts[highest_below(vp->enabled, VM_VTLS_MAX)];
        e->status = HV_SUCCESS;
    }
    vcpu_give_back(before);
}

static bool startup_denied(const struct vcpu *caller)
{
    const struct vm *vm = caller->vm;

    for (unsigned vtl = caller->active->vtl + 1; vtl < vm->vtls; vtl++)
        if (vm->hv->vtl[vtl].config & HV_PARTITION_CONFIG_DENY_STARTUP)
            return true;
    return false;
}

enum hv_status hv_start_vp(struct hv_hypercall *call)
{
    const struct vp_context *in = (const void *)call->in;
    struct vcpu *caller = call->vcpu, *vp;
    enum hv_status status = hv_find_vp(caller, in->partition, in->vp, &vp);

    if (status == HV_SUCCESS && vp == caller)
        status = HV_INVALID_VP_INDEX;
    if (status != HV_SUCCESS)
        return status;
    if (in->vtl > caller->active->vtl || startup_denied(caller))
        return HV_ACCESS_DENIED;
    if (!is_zero(in->reserved, 3))
        return HV_INVALID_PARAMETER;
    struct enabling e = {.ctx = &vp->contexts[in->vtl], .initial = &in->initial};
    remote_call(vp->sched.home, start, &e);
    sched_wake(vp);
    return e.status;
}

/* ---- Call and return ------------------------------------------------------------------------- */

enum { RETURN_FAST = 1 << 0 };

/* Offsets in the VP assist page: HV_VP_VTL_CONTROL. */
enum {
    ASSIST_ENTRY_REASON = 0x08,
    ASSIST_VINA = 0x0c,
    ASSIST_RAX = 0x10, /* outside 64-bit mode EAX and ECX */
    ASSIST_RCX = 0x18, /* and EDX */
};

static uint8_t *assist(const struct context *ctx)
{
    return ctx->hv->assist_page.shown ? ctx->hv->assist_page.page : NULL;
}

/* ---- VINA: a higher VTL hears that it holds up a lower one ----------------------------------- */

/* HV_REGISTER_VSM_VINA */
#define VINA_VECTOR     MASK(7, 0)
#define VINA_ENABLED    BIT(8)
#define VINA_AUTO_RESET BIT(9)
#define VINA_AUTO_EOI   BIT(10)

/* It is the page's whether the guest has it shown or not. */
static volatile uint8_t *vina_status(const struct context *ctx)
{
    return (uint8_t *)ctx->hv->assist_page.page + ASSIST_VINA;
}

static bool has_interrupt(struct context *ctx)
{
    if (lapic_pending(&ctx->lapic) < 0)
        return false;
    struct vmx_context *before = vcpu_borrow(ctx);
    bool can_take = vmx_can_take_interrupt(&ctx->vmx);
    vcpu_give_back(before);
    return can_take;
}

void hv_announce_lower(struct context *ctx)
{
    uint64_t vina = ctx->hv->vina;

    if (!(vina & VINA_ENABLED) || *vina_status(ctx) != 0)
        return;
    for (unsigned vtl = 0; vtl < ctx->vtl; vtl++) {
        if (vcpu_has_vtl(ctx->vcpu, vtl) && has_interrupt(&ctx->vcpu->contexts[vtl])) {
            *vina_status(ctx) = 1;
            epoch_enter();
            lapic_post(&ctx->lapic, (uint8_t)field_get(vina, VINA_VECTOR));
            epoch_leave();
            return;
        }
    }
}

bool hv_vina_auto_eoi(const struct context *ctx, uint8_t vector)
{
    uint64_t vina = ctx->hv->vina;

    return (vina & (VINA_ENABLED | VINA_AUTO_EOI)) == (VINA_ENABLED | VINA_AUTO_EOI) &&
           vector == field_get(vina, VINA_VECTOR);
}

void hv_enter_vtl(struct context *to, enum hv_entry_reason reason)
{
    uint32_t value = reason;

    if (assist(to) != NULL)
        memcpy(assist(to) + ASSIST_ENTRY_REASON, &value, sizeof(value));
    if (to->hv->vina & VINA_AUTO_RESET)
        *vina_status(to) = 0;
    guest_trace(to->vcpu->active, TRACE_SWITCH, (uint16_t)to->vtl, reason, 0);
    __atomic_store_n(&to->vcpu->active, to, __ATOMIC_SEQ_CST);
}

/* What the code page's stub hands over: RAX, outside 64-bit mode ECX. */
static uint64_t control_input(const struct hv_hypercall *call)
{
    const uint64_t *gpr = call->vcpu->regs.gpr;

    return call->long_mode ? gpr[VMX_RAX] : (uint32_t)gpr[VMX_RCX];
}

/* The next enabled VTL above or below; -1: there is none. */
static int next_above(const struct vcpu *vcpu)
{
    unsigned above = vcpu->enabled >> (vcpu->active->vtl + 1);

    return above == 0 ? -1 : (int)vcpu->active->vtl + 1 + __builtin_ctz(above);
}

static int next_below(const struct vcpu *vcpu)
{
    return vcpu->active->vtl == 0 ? -1 : (int)highest_below(vcpu->enabled, vcpu->active->vtl);
}

enum hv_status hv_vtl_call(struct hv_hypercall *call)
{
    int to = next_above(call->vcpu);

    if (to < 0 || call->input != HV_CALL_VTL_CALL || control_input(call) != 0)
        return HV_UNDEFINED;
    vmx_switch(&call->vcpu->active->vmx, &call->vcpu->contexts[to].vmx);
    hv_enter_vtl(&call->vcpu->contexts[to], HV_ENTRY_CALL);
    return HV_COMPLETE;
}

static void restore_registers(const struct hv_hypercall *call, const uint8_t *page)
{
    uint64_t *gpr = call->vcpu->regs.gpr;
    uint32_t half[3];

    if (call->long_mode) {
        memcpy(&gpr[VMX_RAX], page + ASSIST_RAX, sizeof(gpr[0]));
        memcpy(&gpr[VMX_RCX], page + ASSIST_RCX, sizeof(gpr[0]));
        return;
    }
    memcpy(half, page + ASSIST_RAX, sizeof(half));
    gpr[VMX_RAX] = half[0];
    gpr[VMX_RCX] = half[1];
    gpr[VMX_RDX] = half[2];
}

/* The locks that the VTL holds end with it; where the lower one has to wait for others the return
 * waits, and takes interrupts meanwhile. */
enum hv_status hv_vtl_return(struct hv_hypercall *call)
{
    struct vcpu *vcpu = call->vcpu;
    int to = next_below(vcpu);
    uint64_t control = control_input(call);

    if (to < 0 || call->input != HV_CALL_VTL_RETURN || control & ~(uint64_t)RETURN_FAST)
        return HV_UNDEFINED;
    hv_unlock_tlbs(vcpu->active);
    if (vcpu->contexts[to].hv->waits_for_tlb && hv_waits_for_tlb(&vcpu->contexts[to])) {
        vcpu->active->vmx.leave |= VMX_LEAVE;
        return HV_AGAIN;
    }
    if (!(control & RETURN_FAST) && assist(vcpu->active) != NULL)
        restore_registers(call, assist(vcpu->active));
    vmx_switch(&vcpu->active->vmx, &vcpu->contexts[to].vmx);
    guest_trace(vcpu->active, TRACE_SWITCH, (uint16_t)to, 0, 0);
    __atomic_store_n(&vcpu->active, &vcpu->contexts[to], __ATOMIC_SEQ_CST);
    return HV_COMPLETE;
}
