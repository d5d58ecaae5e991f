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

#define SIMPLE(handler_, header_, flags_)                                                          \
    {                                                                                              \
        .handler = (handler_), .header = (header_), .flags = (flags_)                              \
    }

/* TLFS, "Virtual Secure Mode", "VSM Detection": all three. */
#define VSM (HV_ACCESS_VSM | HV_ACCESS_VP_REGISTERS | HV_ACCESS_SYNIC)

const struct hv_call hv_calls[HV_CALLS] = {
    [HV_CALL_FLUSH_SPACE] = SIMPLE(hv_flush_space, 24, HV_FAST),
    [HV_CALL_FLUSH_LIST] = {hv_flush_list, .header = 24, .element = 8, .flags = HV_REP | HV_FAST},
    [HV_CALL_NOTIFY_LONG_SPIN_WAIT] = SIMPLE(notify_long_spin_wait, 8, HV_FAST),
    [HV_CALL_SEND_IPI] = SIMPLE(hv_send_ipi, 16, HV_FAST),
    [HV_CALL_ENABLE_PARTITION_VTL] = {hv_enable_partition_vtl, .flags = HV_FAST, .header = 16,
                                      .privilege = VSM},
    [HV_CALL_ENABLE_VP_VTL] = {hv_enable_vp_vtl, .header = 240, .privilege = VSM},
    [HV_CALL_VTL_CALL] = {hv_vtl_call, .flags = HV_RAW},
    [HV_CALL_VTL_RETURN] = {hv_vtl_return, .flags = HV_RAW},
    [HV_CALL_MODIFY_VTL_PROTECTION_MASK] = {hv_modify_protection, .flags = HV_REP | HV_FAST,
                                            .header = 16, .element = 8, .privilege = VSM},
    [HV_CALL_GET_VP_REGISTERS] = {hv_get_vp_registers, .flags = HV_REP | HV_FAST, .header = 16,
                                  .element = 4, .output_element = 16,
                                  .privilege = HV_ACCESS_VP_REGISTERS},
    [HV_CALL_SET_VP_REGISTERS] = {hv_set_vp_registers, .flags = HV_REP | HV_FAST, .header = 16,
                                  .element = 32, .privilege = HV_ACCESS_VP_REGISTERS},
    [HV_CALL_FLUSH_SPACE_EX] = SIMPLE(hv_flush_space_ex, 32, HV_FAST | HV_VARIABLE),
    [HV_CALL_FLUSH_LIST_EX] = {hv_flush_list_ex, .header = 32, .element = 8,
                               .flags = HV_REP | HV_FAST | HV_VARIABLE},
    [HV_CALL_SEND_IPI_EX] = SIMPLE(hv_send_ipi_ex, 24, HV_FAST | HV_VARIABLE),
    [HV_CALL_POST_MESSAGE] = {hv_post_message, .header = 256, .privilege = HV_POST_MESSAGES},
    [HV_CALL_SIGNAL_EVENT] = {hv_signal_event, .header = 8, .flags = HV_FAST,
                              .privilege = HV_SIGNAL_EVENTS},
    [HV_CALL_TRANSLATE_VA] = {hv_translate, .flags = HV_FAST, .header = 32, .output = 16,
                              .privilege = HV_ACCESS_VP_REGISTERS},
    [HV_CALL_TRANSLATE_VA_EX] = {hv_translate_ex, .flags = HV_FAST, .header = 32, .output = 64,
                                 .privilege = HV_ACCESS_VP_REGISTERS},
    [HV_CALL_START_VP] = {hv_start_vp, .header = 240, .privilege = HV_START_VP},
    [HV_CALL_GET_VP_INDEX_FROM_APIC_ID] = {get_vp_index, .header = 16, .element = 4,
                                           .output_element = 4, .flags = HV_REP | HV_FAST},
};
