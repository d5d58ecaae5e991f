/* SPDX-License-Identifier: BSD-2-Clause */
/* HvCallGetVpRegisters and HvCallSetVpRegisters: whose registers a caller may have. */
#include "core/hyperv/vp_registers.h"
#include "core/hyperv/vtl.h"
#include "core/remote.h"
#include "core/string.h"

struct header {
    uint64_t partition;
    uint32_t vp;
    uint8_t vtl; /* HV_INPUT_VTL */
    uint8_t reserved[3];
};

struct assignment {
    uint32_t name;
    uint8_t reserved[12];
    struct hv_value value;
};
_Static_assert(sizeof(struct header) == 16 && sizeof(struct assignment) == 32,
               "as the TLFS has them");

/* What the CPU that owns the processor is to do. */
struct job {
    struct hv_hypercall *call;
    struct hv_register_access access;
    enum hv_status status;
};

static enum hv_status find(struct hv_hypercall *call, struct context **ctx)
{
    const struct header *in = (const void *)call->in;
    struct vcpu *vp;
    unsigned vtl;
    enum hv_status status = hv_find_vp(call->vcpu, in->partition, in->vp, &vp);

    if (status == HV_SUCCESS)
        status = hv_input_vtl(call, in->vtl, &vtl);
    if (status != HV_SUCCESS)
        return status;
    if ((in->reserved[0] | in->reserved[1] | in->reserved[2]) != 0)
        return HV_INVALID_PARAMETER;
    if (!vcpu_has_vtl(vp, vtl))
        return HV_INVALID_VTL_STATE;
    *ctx = &vp->contexts[vtl];
    return HV_SUCCESS;
}

static void get(void *arg)
{
    struct job *job = arg;
    struct hv_hypercall *call = job->call;
    struct vmx_context *before = vcpu_borrow(job->access.ctx);

    job->status = HV_SUCCESS;
    for (; job->status == HV_SUCCESS && hv_more(call); call->index++) {
        uint32_t name;
        struct hv_value value = {0};

        memcpy(&name, call->elements + call->index * sizeof(name), sizeof(name));
        job->status = hv_get_register(&job->access, name, &value);
        if (job->status != HV_SUCCESS)
            break;
        memcpy(call->out + call->index * sizeof(value), &value, sizeof(value));
    }
    vcpu_give_back(before);
}

_Static_assert((HV_PAGE_SIZE - sizeof(struct header)) / sizeof(struct assignment) <=
                   HV_PAGE_SIZE / sizeof(struct assignment),
               "what any call has changed fits the page of its output");

/* Takes back what the first elements, of which *was tells, have changed. */
static void take_back(const struct hv_register_access *access, const struct assignment *was,
                      uint32_t count)
{
    while (count-- > 0)
        if (hv_judgement_of(was[count].name) != HV_NOT_JUDGED)
            hv_set_register(access, was[count].name, &was[count].value);
}

/*
 * Registers may fit together only when all are set, in whichever order: so a call does all of its
 * elements at once, and is judged at its end. A state that no processor can have is taken back.
 */
static void set(void *arg)
{
    struct job *job = arg;
    struct hv_hypercall *call = job->call;
    struct context *ctx = job->access.ctx;
    struct assignment *was = (void *)call->out;
    struct vmx_context *before = vcpu_borrow(ctx);
    enum hv_judgement judged = HV_NOT_JUDGED;

    job->status = HV_SUCCESS;
    for (; call->index < call->count; call->index++) {
        struct assignment element, *old = &was[call->index - call->first];

        memcpy(&element, call->elements + call->index * sizeof(element), sizeof(element));
        old->name = hv_keeper_of(element.name);
        if (hv_judgement_of(old->name) != HV_NOT_JUDGED)
            hv_get_register(&job->access, old->name, &old->value);
        job->status = hv_set_register(&job->access, element.name, &element.value);
        if (job->status != HV_SUCCESS)
            break;
        judged = max(judged, hv_judgement_of(old->name));
    }
    if (!hv_state_stands(ctx, judged)) {
        take_back(&job->access, was, call->index - call->first);
        hv_state_stands(ctx, judged);
        call->index = call->first;
        job->status = job->status == HV_SUCCESS ? HV_INVALID_REGISTER_VALUE : job->status;
    }
    vcpu_give_back(before);
    ctx->vcpu->active->vmx.leave |= VMX_LEAVE;
}

static enum hv_status carry_out(struct hv_hypercall *call, void (*work)(void *))
{
    struct job job = {.call = call,
                      .access = {.caller = call->vcpu->active, .long_mode = call->long_mode}};
    enum hv_status status = find(call, &job.access.ctx);

    if (status != HV_SUCCESS)
        return status;
    remote_call(job.access.ctx->vcpu->sched.home, work, &job);
    if (work == set)
        sched_wake(job.access.ctx->vcpu);
    return job.status;
}

enum hv_status hv_get_vp_registers(struct hv_hypercall *call)
{
    return carry_out(call, get);
}

enum hv_status hv_set_vp_registers(struct hv_hypercall *call)
{
    return carry_out(call, set);
}
