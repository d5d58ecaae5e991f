/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Flushing translations of other processors. What is asked for by address or address space is done
 * for the whole TLB of the VTL: more than asked is allowed. TLFS, "HvCallFlushVirtualAddressSpace"
 * and its relatives.
 */
#include "core/hyperv/hypercall.h"
#include "core/hyperv/secure.h"
#include "core/hyperv/vp_set.h"
#include "core/remote.h"

enum {
    ALL_PROCESSORS = 1 << 0,
    ALL_ADDRESS_SPACES = 1 << 1,
    NON_GLOBAL_ONLY = 1 << 2,
    EXTENDED_RANGES = 1 << 3,
};

/* Input of all four. */
struct flush {
    uint64_t address_space;
    uint64_t flags;
    uint64_t mask; /* of processors; in the Ex forms the format of a set, and what follows it */
    uint64_t valid_banks;
};

/*
 * One asked again meanwhile need not be done again: the guest has not run since. So the bits go
 * when all is done.
 */
void hv_settle(struct vcpu *vcpu)
{
    uint32_t vtls = atomic_load(&vcpu->hv->flush);

    if (vtls == 0)
        return;
    for (unsigned vtl = 0; vtl < vcpu->vm->vtls; vtl++)
        if (vtls >> vtl & 1)
            vmx_flush_linear(&vcpu->contexts[vtl].vmx);
    atomic_fetch_and(&vcpu->hv->flush, ~vtls);
}

static void settle_there(void *arg)
{
    hv_settle(arg);
}

/*
 * A VTL that locked the TLB of the caller's on one of the processors holds the caller: it sees its
 * flush done only when the lock is gone. TLFS, "Virtual Secure Mode", "TLB Locks". Whatever the
 * caller's processor has else to do comes between.
 */
static enum hv_status wait_for_locks(const struct hv_hypercall *call, const struct hv_vp_set *set)
{
    const struct vm *vm = call->vcpu->vm;

    for (uint32_t i = 0; i < vm->vcpu_count; i++) {
        if (hv_vp_set_has(set, i) && hv_tlb_locked(vm->vcpus[i], hv_caller_vtl(call))) {
            call->vcpu->active->vmx.leave |= VMX_LEAVE;
            return HV_AGAIN;
        }
    }
    return HV_SUCCESS;
}

/* A processor that does not run now flushes before it runs. */
static void flush(struct hv_hypercall *call, const struct hv_vp_set *set)
{
    const struct vm *vm = call->vcpu->vm;

    for (uint32_t i = 0; i < vm->vcpu_count; i++) {
        struct vcpu *target = vm->vcpus[i];

        if (!hv_vp_set_has(set, i))
            continue;
        atomic_fetch_or(&target->hv->flush, 1u << hv_caller_vtl(call));
        if (target == call->vcpu)
            hv_settle(target);
        else if (sched_is_running(target))
            remote_call(target->sched.home, settle_there, target);
    }
}

static enum hv_status flush_set(struct hv_hypercall *call, const struct hv_vp_set *set,
                                uint64_t allowed)
{
    const struct flush *in = (const struct flush *)call->in;
    const struct hv_vp_set all = {.all = true};

    if (in->flags & ~allowed)
        return HV_INVALID_PARAMETER;
    if (in->flags & ALL_PROCESSORS)
        set = &all;
    if (hv_vp_set_is_empty(set))
        return HV_INVALID_PARAMETER;
    flush(call, set);
    enum hv_status status = wait_for_locks(call, set);
    if (status == HV_SUCCESS)
        call->index = call->count;
    return status;
}

static enum hv_status flush_mask(struct hv_hypercall *call, uint64_t allowed)
{
    const struct flush *in = (const struct flush *)call->in;
    const struct hv_vp_set set = hv_vp_set_from_mask(&in->mask);

    return flush_set(call, &set, allowed);
}

static enum hv_status flush_sparse(struct hv_hypercall *call, uint64_t allowed)
{
    const struct flush *in = (const struct flush *)call->in;
    struct hv_vp_set set;

    if (!hv_vp_set_from_sparse(&set, in->mask, in->valid_banks, (const uint64_t *)(in + 1),
                               call->variable))
        return HV_INVALID_PARAMETER;
    return flush_set(call, &set, allowed);
}

#define SPACE_FLAGS (ALL_PROCESSORS | ALL_ADDRESS_SPACES | NON_GLOBAL_ONLY)
#define LIST_FLAGS  (ALL_PROCESSORS | ALL_ADDRESS_SPACES | EXTENDED_RANGES)

enum hv_status hv_flush_space(struct hv_hypercall *call)
{
    return flush_mask(call, SPACE_FLAGS);
}

enum hv_status hv_flush_list(struct hv_hypercall *call)
{
    return flush_mask(call, LIST_FLAGS);
}

enum hv_status hv_flush_space_ex(struct hv_hypercall *call)
{
    return flush_sparse(call, SPACE_FLAGS);
}

enum hv_status hv_flush_list_ex(struct hv_hypercall *call)
{
    return flush_sparse(call, LIST_FLAGS);
}
