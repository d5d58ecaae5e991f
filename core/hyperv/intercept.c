/* SPDX-License-Identifier: BSD-2-Clause */
/* Intercept messages, and the accesses to memory that cause them. */
#include "core/hyperv/intercept.h"

#include "core/emulate/linear.h"
#include "core/guest/trace.h"
#include "core/hyperv/vp.h"
#include "core/hyperv/vtl.h"
#include "core/log.h"
#include "core/memory.h"
#include "core/string.h"
#include "core/x86.h"

enum { INTERCEPT_SINT = 0 };

/* HV_X64_VP_EXECUTION_STATE */
#define STATE_CPL       MASK(1, 0)
#define STATE_PE        BIT(2)
#define STATE_AM        BIT(3)
#define STATE_LMA       BIT(4)
#define STATE_DEBUG     BIT(5)
#define STATE_PENDING   BIT(6)
#define STATE_VTL_SHIFT 7
#define STATE_SHADOW    BIT(12)

#define DR7_ENABLED MASK(7, 0)

static uint16_t execution_state(struct context *ctx)
{
    struct vmx_context *vmx = &ctx->vmx;
    uint64_t cr0 = vmx_get(vmx, VMX_CR0);
    uint64_t state = vmx_cpl(vmx) | (uint64_t)ctx->vtl << STATE_VTL_SHIFT;

    state |= cr0 & CR0_PE ? STATE_PE : 0;
    state |= cr0 & CR0_AM ? STATE_AM : 0;
    state |= vmx_get(vmx, VMX_EFER) & EFER_LMA ? STATE_LMA : 0;
    state |= vmx_get(vmx, VMX_DR7) & DR7_ENABLED ? STATE_DEBUG : 0;
    state |= vmx_get_event(vmx).pending ? STATE_PENDING : 0;
    state |= vmx_get_blocking(vmx).shadow ? STATE_SHADOW : 0;
    return (uint16_t)state;
}

void hv_fill_header(struct vcpu *vcpu, struct hv_intercept_header *header, enum hv_access access,
                    unsigned length)
{
    struct context *ctx = vcpu->active;
    struct vmx_segment cs = vmx_get_segment(&ctx->vmx, VMX_CS);
    struct hv_segment out = hv_segment_out(&cs);

    *header = (struct hv_intercept_header){
        .vp = vcpu->index,
        .length_and_cr8 = (uint8_t)(length | lapic_read_cr8(&ctx->lapic) << 4),
        .access = (uint8_t)access,
        .state = execution_state(ctx),
        .rip = vmx_get(&ctx->vmx, VMX_RIP),
        .rflags = vmx_get(&ctx->vmx, VMX_RFLAGS),
    };
    memcpy(&header->cs, &out, sizeof(out));
}

void hv_send_intercept(struct context *to, uint32_t type, const void *payload, uint8_t size)
{
    struct hv_message message = {.type = type, .size = size};

    memcpy(message.payload, payload, size);
    synic_post(hv_synic_lock(to), INTERCEPT_SINT, &message, true);
    hv_synic_unlock(to);
    to->vcpu->active->vmx.leave |= VMX_LEAVE;
}

/* ---- Memory ---------------------------------------------------------------------------------- */

enum { INSTRUCTION_BYTES = 16, CACHE_WRITE_BACK = 6 };
enum { INFO_GVA_VALID = 1 << 0, INFO_GVA_GPA_VALID = 1 << 1 };

/* HV_X64_MEMORY_INTERCEPT_MESSAGE */
struct memory_intercept {
    struct hv_intercept_header header;
    uint32_t cache_type;
    uint8_t byte_count;
    uint8_t info;
    uint8_t tpr;
    uint8_t reserved;
    uint64_t gva;
    uint64_t gpa;
    uint8_t bytes[INSTRUCTION_BYTES];
};
_Static_assert(sizeof(struct memory_intercept) == 80, "as the TLFS has it");

static enum hv_access access_of(const struct vmx_ept_violation *violation)
{
    if (violation->access & VMX_ACCESS_EXECUTE)
        return HV_ACCESS_EXECUTE;
    return violation->access & VMX_ACCESS_WRITE ? HV_ACCESS_WRITE : HV_ACCESS_READ;
}

/* The right that the access needs. */
static unsigned needed(struct vcpu *vcpu, const struct vmx_ept_violation *violation)
{
    struct vmx_context *vmx = &vcpu->active->vmx;

    switch (access_of(violation)) {
    case HV_ACCESS_WRITE:
        return EPT_W;
    case HV_ACCESS_EXECUTE:
        return vmx->mbec && vmx_cpl(vmx) == 3 ? EPT_UX : EPT_X;
    default:
        return EPT_R;
    }
}

/* Who denies it: the lowest VTL above that does, or the next one that the processor has. *denied:
 * whether anybody does, now. */
static struct context *imposer(struct vcpu *vcpu, gpa_t gpa, unsigned right, bool *denied)
{
    *denied = false;
    for (unsigned vtl = vcpu->active->vtl; vtl + 1 < vcpu->vm->vtls; vtl++) {
        struct ept_mapping mapping;

        ept_lookup(&vcpu->vm->ept[vtl], gpa, &mapping);
        if (!(mapping.denied & right))
            continue;
        *denied = true;
        for (unsigned above = vtl + 1; above < vcpu->vm->vtls; above++)
            if (vcpu_has_vtl(vcpu, above))
                return &vcpu->contexts[above];
    }
    return NULL;
}

static void send_memory_intercept(struct vcpu *vcpu, struct context *to,
                                  const struct vmx_ept_violation *violation)
{
    struct memory_intercept m = {
        .cache_type = CACHE_WRITE_BACK,
        .info = (violation->gla_valid ? INFO_GVA_VALID : 0) |
                (violation->gla_valid && !violation->table_walk ? INFO_GVA_GPA_VALID : 0),
        .tpr = (uint8_t)lapic_read_cr8(&vcpu->active->lapic),
        .gva = violation->gla_valid ? violation->gla : 0,
        .gpa = violation->gpa,
    };

    hv_fill_header(vcpu, &m.header, access_of(violation), 0);
    if (access_of(violation) != HV_ACCESS_EXECUTE)
        m.byte_count = (uint8_t)linear_peek_code(vcpu, m.bytes, sizeof(m.bytes));
    hv_send_intercept(to, (uint32_t)HV_MESSAGE_GPA_INTERCEPT, &m, sizeof(m));
}

static enum vmx_action stop_without_handler(struct vcpu *vcpu, gpa_t gpa)
{
    log_error("vm %s: vcpu %u: access to 0x%lx, which is denied by a VTL that it does not have",
              vcpu->vm->config->name, vcpu->index, gpa);
    vm_stop(vcpu->vm, VM_ERROR, 0);
    return VMX_STOP;
}

bool hv_violation(struct vcpu *vcpu, const struct vmx_ept_violation *violation,
                  enum vmx_action *action)
{
    const struct vm *vm = vcpu->vm;
    struct ept_mapping mapping;
    unsigned right = needed(vcpu, violation);

    if (!ept_lookup(&vm->ept[vcpu->active->vtl], violation->gpa, &mapping))
        return false;
    *action = VMX_AGAIN; /* allowed meanwhile, here or below: other processors change rights */
    if (mapping.rights & right)
        return true;
    const void *ram = gm_ptr(&vm->memory, violation->gpa, 1);
    if (ram == NULL || mapping.hpa != virt_to_phys(ram)) {
        /* TLFS, "Establishing the Hypercall Interface": no other overlay denies anything. */
        *action = VMX_RAISE_GP;
        return true;
    }
    bool denied;
    struct context *to = imposer(vcpu, violation->gpa, right, &denied);
    guest_trace(vcpu->active, TRACE_FAULT, (uint16_t)access_of(violation), violation->gpa,
                violation->gla_valid ? violation->gla : 0);
    if (to != NULL)
        send_memory_intercept(vcpu, to, violation);
    else if (denied)
        *action = stop_without_handler(vcpu, violation->gpa);
    return true;
}
