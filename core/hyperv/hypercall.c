/* SPDX-License-Identifier: BSD-2-Clause */
/* How a hypercall's parameters come and its results go. TLFS, "Hypercall Interface". */
#include "core/hyperv/hypercall.h"

#include "core/hyperv/intercept.h"

#include "core/memory.h"
#include "core/string.h"
#include "core/time.h"
#include "core/x86.h"

enum {
    PAIR = 16, /* parameters in registers come in pairs of 8 bytes, or XMM registers */
    FAST_SIZE = PAIR + VMX_XMM_BYTES,
    BUDGETS_PER_SECOND = 20000, /* a rep call runs for 50 us at a time */
};

bool hv_more(const struct hv_hypercall *call)
{
    if (call->index == call->count)
        return false;
    return call->index == call->first || time_now_tsc() < call->deadline;
}

/* ---- Registers ------------------------------------------------------------------------------- */

static uint64_t get_pair(const struct vcpu *vcpu, enum vmx_gpr high, enum vmx_gpr low)
{
    return vcpu->regs.gpr[high] << 32 | (uint32_t)vcpu->regs.gpr[low];
}

static void set_pair(struct vcpu *vcpu, enum vmx_gpr high, enum vmx_gpr low, uint64_t value)
{
    vcpu->regs.gpr[high] = value >> 32;
    vcpu->regs.gpr[low] = (uint32_t)value;
}

static uint64_t input_value(const struct vcpu *vcpu, bool long_mode)
{
    return long_mode ? vcpu->regs.gpr[VMX_RCX] : get_pair(vcpu, VMX_RDX, VMX_RAX);
}

static uint64_t first_parameter(const struct hv_hypercall *call)
{
    const struct vcpu *vcpu = call->vcpu;

    return call->long_mode ? vcpu->regs.gpr[VMX_RDX] : get_pair(vcpu, VMX_RBX, VMX_RCX);
}

static uint64_t second_parameter(const struct hv_hypercall *call)
{
    const struct vcpu *vcpu = call->vcpu;

    return call->long_mode ? vcpu->regs.gpr[VMX_R8] : get_pair(vcpu, VMX_RDI, VMX_RSI);
}

/* ---- Parameters ------------------------------------------------------------------------------ */

/* Sizes of the whole lists, all elements included. */
struct sizes {
    size_t in, out;
};

static struct sizes sizes_of(const struct hv_call *entry, const struct hv_hypercall *call)
{
    return (struct sizes){
        .in = entry->header + call->variable + (size_t)call->count * entry->element,
        .out = entry->output + (size_t)call->count * entry->output_element,
    };
}

static size_t whole_pairs(size_t size)
{
    return (size + PAIR - 1) / PAIR;
}

static bool is_fast(const struct hv_hypercall *call)
{
    return call->input & HV_INPUT_FAST;
}

static enum hv_status read_fast(struct hv_hypercall *call, struct sizes sizes, uint8_t *in)
{
    uint64_t general[2] = {first_parameter(call), second_parameter(call)};

    if (sizes.in > FAST_SIZE || whole_pairs(sizes.in) * PAIR + sizes.out > FAST_SIZE)
        return HV_INVALID_HYPERCALL_INPUT;
    if (sizes.out > 0 && !call->long_mode)
        return HV_INVALID_HYPERCALL_INPUT;
    memcpy(in, general, sizeof(general));
    if (sizes.in > PAIR)
        vmx_get_xmm(&call->vcpu->active->vmx, in + PAIR);
    return HV_SUCCESS;
}

/* A list must lie in one page, which the address space has. */
static bool is_aligned_list(const struct vm *vm, gpa_t gpa, size_t size)
{
    return is_aligned(gpa, 8) && (gpa & (PAGE_SIZE - 1)) + size <= PAGE_SIZE &&
           hv_gpa_exists(vm, gpa);
}

/* Where a higher VTL denies the caller its own list, that hears of it, and the call starts over. */
static enum hv_status no_list(struct hv_hypercall *call, gpa_t gpa, unsigned access)
{
    const struct vmx_ept_violation violation = {.gpa = gpa, .access = access};
    enum vmx_action action;

    if (!hv_violation(call->vcpu, &violation, &action) || action == VMX_RAISE_GP)
        return HV_INVALID_ALIGNMENT;
    return action == VMX_STOP ? HV_STOPPED : HV_AGAIN;
}

/* Of the elements only those that are not done yet. */
static void copy_list(const struct hv_hypercall *call, const struct hv_call *entry, size_t size,
                      const uint8_t *list, uint8_t *in)
{
    size_t header = entry->header + call->variable;
    size_t rest = header + (size_t)call->first * entry->element;

    memcpy(in, list, call->first == 0 ? size : header);
    if (call->first != 0)
        memcpy(in + rest, list + rest, size - rest);
}

static enum hv_status read_memory(struct hv_hypercall *call, const struct hv_call *entry,
                                  struct sizes sizes, uint8_t *in)
{
    const struct vm *vm = call->vcpu->vm;
    gpa_t from = first_parameter(call);

    if (sizes.in > 0 && !is_aligned_list(vm, from, sizes.in))
        return HV_INVALID_ALIGNMENT;
    if (sizes.out > 0 && !is_aligned_list(vm, second_parameter(call), sizes.out))
        return HV_INVALID_ALIGNMENT;
    if (sizes.out > 0 && context_view(call->vcpu->active, second_parameter(call), EPT_W) == NULL)
        return no_list(call, second_parameter(call), VMX_ACCESS_WRITE);
    if (sizes.in == 0)
        return HV_SUCCESS;
    const uint8_t *list = context_view(call->vcpu->active, from, EPT_R);
    if (list == NULL)
        return no_list(call, from, 0);
    copy_list(call, entry, sizes.in, list, in);
    return HV_SUCCESS;
}

static enum hv_status read_parameters(struct hv_hypercall *call, const struct hv_call *entry)
{
    struct hv_vp *hv = call->vcpu->hv;
    struct sizes sizes = sizes_of(entry, call);
    enum hv_status status =
        is_fast(call) ? read_fast(call, sizes, hv->in) : read_memory(call, entry, sizes, hv->in);

    if (status != HV_SUCCESS)
        return status;
    memset(hv->out, 0, sizes.out);
    call->in = hv->in;
    call->out = hv->out;
    call->elements = hv->in + entry->header + call->variable;
    return HV_SUCCESS;
}

/* What this execution of the call produced: the fixed part and the elements that it did. */
static void place(const struct hv_hypercall *call, const struct hv_call *entry, uint8_t *list)
{
    size_t start = entry->output + (size_t)call->first * entry->output_element;
    size_t end = entry->output + (size_t)call->index * entry->output_element;

    memcpy(list, call->out, entry->output);
    memcpy(list + start, call->out + start, end - start);
}

static void write_fast(struct hv_hypercall *call, const struct hv_call *entry, struct sizes sizes)
{
    uint8_t stream[FAST_SIZE];
    uint64_t *gpr = call->vcpu->regs.gpr;

    memcpy(stream, &gpr[VMX_RDX], 8);
    memcpy(stream + 8, &gpr[VMX_R8], 8);
    vmx_get_xmm(&call->vcpu->active->vmx, stream + PAIR);
    place(call, entry, stream + whole_pairs(sizes.in) * PAIR);
    memcpy(&gpr[VMX_RDX], stream, 8);
    memcpy(&gpr[VMX_R8], stream + 8, 8);
    vmx_set_xmm(&call->vcpu->active->vmx, stream + PAIR);
}

static void write_memory(struct hv_hypercall *call, const struct hv_call *entry)
{
    uint8_t *list = context_view(call->vcpu->active, second_parameter(call), EPT_W);

    if (list != NULL) /* else it was taken away meanwhile */
        place(call, entry, list);
}

static void write_output(struct hv_hypercall *call, const struct hv_call *entry)
{
    struct sizes sizes = sizes_of(entry, call);

    if (sizes.out == 0)
        return;
    if (is_fast(call))
        write_fast(call, entry, sizes);
    else
        write_memory(call, entry);
}

/* ---- The call -------------------------------------------------------------------------------- */

static bool has_privileges(const struct hv_hypercall *call, uint64_t wanted)
{
    return (call->vcpu->vm->hv->privileges & wanted) == wanted;
}

/* Bits of the input value that the call has no use for, and counts that make no sense. */
static bool is_valid_input(struct hv_hypercall *call, const struct hv_call *entry)
{
    uint32_t start = (uint32_t)field_get(call->input, HV_INPUT_START);

    call->variable = 8 * (uint32_t)field_get(call->input, HV_INPUT_VARIABLE);
    call->count = (uint32_t)field_get(call->input, HV_INPUT_COUNT);
    call->first = start;
    if (call->input & HV_INPUT_RESERVED)
        return false;
    if ((call->variable != 0 && !(entry->flags & HV_VARIABLE)) ||
        (is_fast(call) && !(entry->flags & HV_FAST)))
        return false;
    return entry->flags & HV_REP ? start < call->count : call->count == 0 && start == 0;
}

static enum hv_status execute(struct hv_hypercall *call, const struct hv_call *entry)
{
    if (!has_privileges(call, entry->privilege))
        return HV_ACCESS_DENIED;
    if (entry->flags & HV_RAW)
        return entry->handler(call);
    if (!is_valid_input(call, entry))
        return HV_INVALID_HYPERCALL_INPUT;
    enum hv_status status = read_parameters(call, entry);
    if (status != HV_SUCCESS)
        return status;
    call->index = call->first;
    call->deadline = time_now_tsc() + time_tsc_hz() / BUDGETS_PER_SECOND;
    status = entry->handler(call);
    if (status == HV_SUCCESS || call->index > call->first)
        write_output(call, entry);
    return status;
}

/* Time was up: the same instruction goes on with the next element, once events were delivered. */
static enum vmx_action continue_later(struct hv_hypercall *call)
{
    uint64_t input = (call->input & ~HV_INPUT_START) | (uint64_t)call->index << 48;

    if (call->long_mode)
        call->vcpu->regs.gpr[VMX_RCX] = input;
    else
        set_pair(call->vcpu, VMX_RDX, VMX_RAX, input);
    return VMX_AGAIN;
}

static enum vmx_action finish(struct hv_hypercall *call, enum hv_status status)
{
    uint64_t result = status | (uint64_t)call->index << 32;

    switch (status) {
    case HV_AGAIN:
    case HV_DONE:
        return VMX_AGAIN;
    case HV_COMPLETE:
        return VMX_NEXT;
    case HV_UNDEFINED:
        return VMX_RAISE_UD;
    case HV_STOPPED:
        return VMX_STOP;
    case HV_SUCCESS:
        if (call->index < call->count)
            return continue_later(call);
        break;
    default:
        break;
    }
    if (call->long_mode)
        call->vcpu->regs.gpr[VMX_RAX] = result;
    else
        set_pair(call->vcpu, VMX_RDX, VMX_RAX, result);
    return VMX_NEXT;
}

/*
 * Not only from the hypercall page: the TLFS leaves that open, and code that starts a higher VTL
 * calls before it has set up a page of its own. VTL0 has to say first who it is.
 */
enum vmx_action hv_vmcall(struct vcpu *vcpu)
{
    struct hv_hypercall call;

    call.vcpu = vcpu;
    call.index = call.count = 0;
    if (!vmx_is_kernel(&vcpu->active->vmx, &call.long_mode) ||
        (vcpu->active->vtl == 0 && vcpu->vm->hv->vtl[0].guest_os_id == 0))
        return VMX_RAISE_UD;
    call.input = input_value(vcpu, call.long_mode);
    uint64_t code = call.input & HV_INPUT_CODE;
    if (code >= HV_CALLS || hv_calls[code].handler == NULL)
        return finish(&call, HV_INVALID_HYPERCALL_CODE);
    return finish(&call, execute(&call, &hv_calls[code]));
}
