/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Hypercalls that interrupt: IPIs, messages, event flags. TLFS, "HvCallSendSyntheticClusterIpi",
 * "HvCallPostMessage", "HvCallSignalEvent".
 *
 * Lapwing's choice: connection n of a partition leads to the SINT n[3:0] of the VTL n[7:4] of the
 * processor n[23:8], without being made first.
 */
#include "core/epoch.h"
#include "core/hyperv/hypercall.h"
#include "core/hyperv/vp.h"
#include "core/hyperv/vp_set.h"
#include "core/string.h"

enum { FIRST_VECTOR = 16, LAST_VECTOR = 255 };

struct ipi {
    uint32_t vector;
    uint8_t vtl; /* HV_INPUT_VTL */
    uint8_t reserved[3];
    uint64_t mask; /* of processors; in the Ex form the format of a set, and what follows it */
    uint64_t valid_banks;
};

enum hv_status hv_input_vtl(const struct hv_hypercall *call, uint8_t input, unsigned *vtl)
{
    *vtl = input & HV_VTL_USE_TARGET ? input & HV_VTL_NUMBER : hv_caller_vtl(call);
    if (input & HV_VTL_RESERVED)
        return HV_INVALID_PARAMETER;
    return *vtl > hv_caller_vtl(call) ? HV_ACCESS_DENIED : HV_SUCCESS;
}

/* Processors that do not exist, or not in this VTL, are passed over. */
static enum hv_status send_ipi(struct hv_hypercall *call, const struct hv_vp_set *set)
{
    const struct ipi *in = (const struct ipi *)call->in;
    const struct vm *vm = call->vcpu->vm;
    unsigned vtl;
    enum hv_status status = hv_input_vtl(call, in->vtl, &vtl);

    if (status != HV_SUCCESS)
        return status;
    if (in->vector < FIRST_VECTOR || in->vector > LAST_VECTOR)
        return HV_INVALID_PARAMETER;
    epoch_enter();
    for (uint32_t i = 0; i < vm->vcpu_count; i++)
        if (hv_vp_set_has(set, i) && vcpu_has_vtl(vm->vcpus[i], vtl))
            lapic_post(&vm->vcpus[i]->contexts[vtl].lapic, (uint8_t)in->vector);
    epoch_leave();
    return HV_SUCCESS;
}

enum hv_status hv_send_ipi(struct hv_hypercall *call)
{
    const struct ipi *in = (const struct ipi *)call->in;
    const struct hv_vp_set set = hv_vp_set_from_mask(&in->mask);

    return send_ipi(call, &set);
}

enum hv_status hv_send_ipi_ex(struct hv_hypercall *call)
{
    const struct ipi *in = (const struct ipi *)call->in;
    struct hv_vp_set set;

    if (!hv_vp_set_from_sparse(&set, in->mask, in->valid_banks, (const uint64_t *)(in + 1),
                               call->variable))
        return HV_INVALID_PARAMETER;
    return send_ipi(call, &set);
}

/* ---- Messages and event flags ---------------------------------------------------------------- */

struct connection {
    struct context *ctx;
    unsigned sint;
};

static enum hv_status find(const struct hv_hypercall *call, uint32_t id,
                           struct connection *connection)
{
    const struct vm *vm = call->vcpu->vm;
    uint32_t vp = id >> 8, vtl = id >> 4 & 0xf;

    if (vp >= vm->vcpu_count)
        return HV_INVALID_CONNECTION_ID;
    if (vtl > hv_caller_vtl(call))
        return HV_ACCESS_DENIED;
    if (!vcpu_has_vtl(vm->vcpus[vp], vtl))
        return HV_INVALID_PORT_ID;
    connection->ctx = &vm->vcpus[vp]->contexts[vtl];
    connection->sint = id & 0xf;
    return HV_SUCCESS;
}

struct post_message {
    uint32_t connection;
    uint32_t reserved;
    uint32_t type;
    uint32_t size;
    uint8_t payload[HV_MESSAGE_PAYLOAD];
};

/* Types with bit 31 are the hypervisor's. */
static bool is_guests_type(uint32_t type)
{
    return type != 0 && !(type & BIT(31));
}

enum hv_status hv_post_message(struct hv_hypercall *call)
{
    const struct post_message *in = (const struct post_message *)call->in;
    struct connection connection;
    enum hv_status status = find(call, in->connection, &connection);

    if (status != HV_SUCCESS)
        return status;
    if (!is_guests_type(in->type) || in->size > HV_MESSAGE_PAYLOAD)
        return HV_INVALID_PARAMETER;
    struct hv_message message = {
        .type = in->type, .size = (uint8_t)in->size, .origin = in->connection};
    memcpy(message.payload, in->payload, in->size);
    status = synic_post(hv_synic_lock(connection.ctx), connection.sint, &message, false);
    hv_synic_unlock(connection.ctx);
    return status;
}

struct signal_event {
    uint32_t connection;
    uint16_t flag;
    uint16_t reserved;
};

enum hv_status hv_signal_event(struct hv_hypercall *call)
{
    const struct signal_event *in = (const struct signal_event *)call->in;
    struct connection connection;
    enum hv_status status = find(call, in->connection, &connection);

    if (status != HV_SUCCESS)
        return status;
    if (in->flag >= HV_EVENT_FLAGS)
        return HV_INVALID_PARAMETER;
    status = synic_signal(hv_synic_lock(connection.ctx), connection.sint, in->flag);
    hv_synic_unlock(connection.ctx);
    return status;
}
