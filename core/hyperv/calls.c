/* SPDX-License-Identifier: BSD-2-Clause */
/* The table of hypercalls, and the calls that need no file of their own. */
#include "core/hyperv/hypercall.h"
#include "core/hyperv/protect.h"
#include "core/hyperv/vp_registers.h"
#include "core/hyperv/vtl.h"

#include "core/string.h"

/* A hint for schedulers: spinning ends with the slice anyway. */
static enum hv_status notify_long_spin_wait(struct hv_hypercall *)
{
    return HV_SUCCESS;
}

/* ---- HvCallGetVpIndexFromApicId -------------------------------------------------------------- */

struct get_vp_index {
    uint64_t partition;
    uint8_t vtl;
    uint8_t reserved[7];
};

/* Of processors that share an ID, the first. */
static const struct vcpu *find_apic_id(const struct vm *vm, uint32_t id)
{
    for (uint32_t i = 0; i < vm->vcpu_count; i++)
        if (vm->vcpus[i]->apic_id == id)
            return vm->vcpus[i];
    return NULL;
}

static enum hv_status get_vp_index(struct hv_hypercall *call)
{
    const struct get_vp_index *in = (const struct get_vp_index *)call->in;

    if (in->partition != HV_PARTITION_SELF)
        return HV_INVALID_PARTITION_ID;
    if (in->vtl > hv_caller_vtl(call))
        return HV_ACCESS_DENIED;
    for (; hv_more(call); call->index++) {
        const uint32_t *ids = (const uint32_t *)call->elements;
        const struct vcpu *vcpu = find_apic_id(call->vcpu->vm, ids[call->index]);

        if (vcpu == NULL)
            return HV_INVALID_PARAMETER;
        memcpy(call->out + call->index * sizeof(vcpu->index), &vcpu->index, sizeof(vcpu->index));
    }
    return HV_SUCCESS;
}

/* ---- The table ------------------------------------------------------------------------------- */

/* TLFS, "Virtual Secure Mode", "VSM Detection": all three. */
#define VSM (HV_ACCESS_VSM | HV_ACCESS_VP_REGISTERS | HV_ACCESS_SYNIC)

#define REGISTERS HV_ACCESS_VP_REGISTERS

/* Handler, flags, header, element, output, output element, privilege. */
const struct hv_call hv_calls[HV_CALLS] = {
    [HV_CALL_FLUSH_SPACE] = {hv_flush_space, HV_FAST, 24},
    [HV_CALL_FLUSH_LIST] = {hv_flush_list, HV_REP | HV_FAST, 24, 8},
    [HV_CALL_NOTIFY_LONG_SPIN_WAIT] = {notify_long_spin_wait, HV_FAST, 8},
    [HV_CALL_SEND_IPI] = {hv_send_ipi, HV_FAST, 16},
    [HV_CALL_ENABLE_PARTITION_VTL] = {hv_enable_partition_vtl, HV_FAST, 16, .privilege = VSM},
    [HV_CALL_ENABLE_VP_VTL] = {hv_enable_vp_vtl, 0, 240, .privilege = VSM},
    [HV_CALL_VTL_CALL] = {hv_vtl_call, HV_RAW},
    [HV_CALL_VTL_RETURN] = {hv_vtl_return, HV_RAW},
    [HV_CALL_MODIFY_VTL_PROTECTION_MASK] = {hv_modify_protection, HV_REP | HV_FAST, 16, 8, 0, 0,
                                            VSM},
    [HV_CALL_GET_VP_REGISTERS] = {hv_get_vp_registers, HV_REP | HV_FAST, 16, 4, 0, 16, REGISTERS},
    [HV_CALL_SET_VP_REGISTERS] = {hv_set_vp_registers, HV_REP | HV_FAST, 16, 32, 0, 0, REGISTERS},
    [HV_CALL_FLUSH_SPACE_EX] = {hv_flush_space_ex, HV_FAST | HV_VARIABLE, 32},
    [HV_CALL_FLUSH_LIST_EX] = {hv_flush_list_ex, HV_REP | HV_FAST | HV_VARIABLE, 32, 8},
    [HV_CALL_SEND_IPI_EX] = {hv_send_ipi_ex, HV_FAST | HV_VARIABLE, 24},
    [HV_CALL_POST_MESSAGE] = {hv_post_message, 0, 256, .privilege = HV_POST_MESSAGES},
    [HV_CALL_SIGNAL_EVENT] = {hv_signal_event, HV_FAST, 8, .privilege = HV_SIGNAL_EVENTS},
    [HV_CALL_TRANSLATE_VA] = {hv_translate, HV_FAST, 32, 0, 16, 0, REGISTERS},
    [HV_CALL_TRANSLATE_VA_EX] = {hv_translate_ex, HV_FAST, 32, 0, 64, 0, REGISTERS},
    [HV_CALL_START_VP] = {hv_start_vp, 0, 240, .privilege = HV_START_VP},
    [HV_CALL_GET_VP_INDEX_FROM_APIC_ID] = {get_vp_index, HV_REP | HV_FAST, 16, 4, 0, 4},
};
