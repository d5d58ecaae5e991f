/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Delivering exceptions, interrupts and NMIs, and delivering again what an exit interrupted.
 * Source: SDM Vol 3C, "Event Injection" and "Information for VM Exits During Event Delivery".
 */
#include "vmx/internal.h"

/* Faults are pushed with RF set, so that a code breakpoint on the instruction hits once. */
static bool is_fault(uint8_t vector)
{
    return vector != EXCEPTION_DB && vector != EXCEPTION_DF && vector != EXCEPTION_MC;
}

static void queue_exception(struct vmx_context *ctx, uint8_t vector, bool has_error, uint32_t error)
{
    /* Real-address mode pushes no error codes, and entry refuses to. */
    has_error = has_error && (vmread(GUEST_CR0) & CR0_PE);
    ctx->event = event_info(EVENT_HARDWARE_EXCEPTION, vector) | (has_error ? EVENT_HAS_ERROR : 0);
    ctx->event_error = error;
    if (is_fault(vector))
        vmwrite(GUEST_RFLAGS, vmread(GUEST_RFLAGS) | RFLAGS_RF);
}

void vmx_inject_exception(struct vmx_context *ctx, const struct vmx_exception *exception)
{
    enum combination combination = COMBINE_SECOND;
    if (ctx->event != 0)
        combination = combine_events(ctx->event, exception->vector);
    if (exception->vector == EXCEPTION_PF)
        vmx_set(ctx, VMX_CR2, exception->address);
    switch (combination) {
    case COMBINE_SECOND:
        queue_exception(ctx, exception->vector, exception->has_error, exception->error);
        return;
    case COMBINE_DOUBLE_FAULT:
        queue_exception(ctx, EXCEPTION_DF, true, 0);
        return;
    case COMBINE_SHUTDOWN:
        ctx->event = 0;
        ctx->shutdown = true;
        ctx->leave |= VMX_LEAVE;
        return;
    }
}

void vmx_inject_gp(struct vmx_context *ctx)
{
    vmx_inject_exception(ctx, &(struct vmx_exception){.vector = EXCEPTION_GP, .has_error = true});
}

void vmx_inject_ud(struct vmx_context *ctx)
{
    vmx_inject_exception(ctx, &(struct vmx_exception){.vector = EXCEPTION_UD});
}

bool vmx_can_take_interrupt(struct vmx_context *ctx)
{
    if (ctx->event != 0 || !(vmread(GUEST_RFLAGS) & RFLAGS_IF))
        return false;
    return !(vmread32(GUEST_INTERRUPTIBILITY) & BLOCKING_BY_STI_OR_MOV_SS);
}

/* Blocking by STI counts: entry may refuse an NMI under it. */
bool vmx_can_take_nmi(struct vmx_context *ctx)
{
    if (ctx->event != 0)
        return false;
    return !(vmread32(GUEST_INTERRUPTIBILITY) &
             (BLOCKING_BY_STI | BLOCKING_BY_MOV_SS | BLOCKING_BY_NMI));
}

bool vmx_handles_nmi(struct vmx_context *ctx)
{
    return field_get(ctx->event, EVENT_TYPE) == EVENT_NMI ||
           (vmread32(GUEST_INTERRUPTIBILITY) & BLOCKING_BY_NMI);
}

void vmx_inject_interrupt(struct vmx_context *ctx, uint8_t vector)
{
    ASSERT(ctx->event == 0);
    ctx->event = event_info(EVENT_EXTERNAL_INTERRUPT, vector);
}

void vmx_inject_nmi(struct vmx_context *ctx)
{
    ASSERT(ctx->event == 0);
    ctx->event = event_info(EVENT_NMI, EXCEPTION_NMI);
}

void vmx_flip_window(struct vmx_context *ctx, uint32_t control)
{
    ctx->primary ^= control;
    vmwrite32(PRIMARY_CONTROLS, ctx->primary);
}

static bool made_by_instruction(uint32_t info)
{
    return field_get(info, EVENT_TYPE) >= EVENT_SOFTWARE_INTERRUPT;
}

void event_requeue(struct vmx_context *ctx)
{
    uint32_t info = vmread32(IDT_VECTORING_INFO);
    if (!(info & EVENT_VALID))
        return;
    ctx->event = info & ~(uint32_t)EVENT_NMI_UNBLOCK;
    if (info & EVENT_HAS_ERROR)
        ctx->event_error = vmread32(IDT_VECTORING_ERROR_CODE);
    if (made_by_instruction(info))
        ctx->event_length = vmread32(EXIT_INSTRUCTION_LENGTH);
    /* Its delivery had begun to block NMIs; entry refuses to inject one that is blocked. */
    if (field_get(info, EVENT_TYPE) == EVENT_NMI) {
        uint32_t blocking = vmread32(GUEST_INTERRUPTIBILITY);
        vmwrite32(GUEST_INTERRUPTIBILITY, blocking & ~(uint32_t)BLOCKING_BY_NMI);
    }
}

void event_block_nmi_again(void)
{
    vmwrite32(GUEST_INTERRUPTIBILITY, vmread32(GUEST_INTERRUPTIBILITY) | BLOCKING_BY_NMI);
}

void event_enter(struct vmx_context *ctx)
{
    if (ctx->event & EVENT_HAS_ERROR)
        vmwrite32(ENTRY_ERROR_CODE, ctx->event_error);
    if (made_by_instruction(ctx->event))
        vmwrite32(ENTRY_INSTRUCTION_LENGTH, ctx->event_length);
    vmwrite32(ENTRY_INTERRUPTION_INFO, ctx->event);
    ctx->event = 0;
}

struct vmx_event vmx_get_event(struct vmx_context *ctx)
{
    uint32_t info = ctx->event;
    return (struct vmx_event){
        .pending = info != 0,
        .vector = field_get(info, EVENT_VECTOR),
        .type = field_get(info, EVENT_TYPE),
        .has_error = info & EVENT_HAS_ERROR,
        .length = made_by_instruction(info) ? ctx->event_length : 0,
        .error = info & EVENT_HAS_ERROR ? ctx->event_error : 0,
    };
}

/* SDM Vol 3C, "Checks on VM-Entry Control Fields". */
static bool event_exists(const struct vmx_event *event)
{
    bool exception = event->type == EVENT_HARDWARE_EXCEPTION;
    switch (event->type) {
    case EVENT_EXTERNAL_INTERRUPT:
        break;
    case EVENT_NMI:
        return event->vector == EXCEPTION_NMI && !event->has_error;
    case EVENT_HARDWARE_EXCEPTION:
        return event->vector < 32 && event->vector != EXCEPTION_NMI;
    case EVENT_SOFTWARE_INTERRUPT:
    case EVENT_PRIVILEGED_SOFTWARE_EXCEPTION:
    case EVENT_SOFTWARE_EXCEPTION:
        if (event->length == 0 || event->length > 15)
            return false;
        break;
    default:
        return false;
    }
    return exception || !event->has_error;
}

bool vmx_set_event(struct vmx_context *ctx, const struct vmx_event *event)
{
    if (event->pending && !event_exists(event))
        return false;
    ctx->event = event->pending ? event_info(event->type, event->vector) |
                                      (event->has_error ? EVENT_HAS_ERROR : 0)
                                : 0;
    ctx->event_error = event->error;
    ctx->event_length = event->length;
    return true;
}

struct vmx_blocking vmx_get_blocking(struct vmx_context *)
{
    uint32_t blocking = vmread32(GUEST_INTERRUPTIBILITY);
    return (struct vmx_blocking){
        .shadow = blocking & BLOCKING_BY_STI_OR_MOV_SS,
        .nmi = blocking & BLOCKING_BY_NMI,
    };
}

/* A shadow that is there keeps its kind. */
void vmx_set_blocking(struct vmx_context *, struct vmx_blocking blocking)
{
    uint32_t value = vmread32(GUEST_INTERRUPTIBILITY);
    if (!blocking.shadow)
        value &= ~(uint32_t)BLOCKING_BY_STI_OR_MOV_SS;
    else if (!(value & BLOCKING_BY_STI_OR_MOV_SS))
        value |= vmread(GUEST_RFLAGS) & RFLAGS_IF ? BLOCKING_BY_STI : BLOCKING_BY_MOV_SS;
    value = blocking.nmi ? value | BLOCKING_BY_NMI : value & ~(uint32_t)BLOCKING_BY_NMI;
    vmwrite32(GUEST_INTERRUPTIBILITY, value);
}

static void host_exception(uint8_t vector)
{
    if (vector == EXCEPTION_NMI)
        __asm__ volatile("int $2" : : : "memory");
    else
        __asm__ volatile("int $18" : : : "memory");
}

/*
 * #DB is intercepted only so that a guest cannot make its delivery repeat for ever without an
 * exit (as with #AC). What delivery would have done before is made up for.
 */
static void reflect_debug_exception(struct vmx_context *ctx)
{
    uint64_t conditions = vmread(EXIT_QUALIFICATION) & DEBUG_CONDITIONS;
    if (conditions & DR6_BD) /* a fault, before the instruction: no step has been taken */
        conditions &= ~(uint64_t)DR6_BS;
    uint64_t dr6 = vmx_get(ctx, VMX_DR6);
    vmx_set(ctx, VMX_DR6, (dr6 & ~(uint64_t)DR6_BREAKPOINTS) | conditions);
    vmwrite(GUEST_DR7, vmread(GUEST_DR7) & ~(uint64_t)DR7_GD);
}

/* Injects what was intercepted. It may be the second event of a pair. */
static void reflect(struct vmx_context *ctx, uint32_t info)
{
    if (field_get(info, EVENT_TYPE) != EVENT_HARDWARE_EXCEPTION) {
        ctx->event = info & ~(uint32_t)EVENT_NMI_UNBLOCK;
        ctx->event_length = vmread32(EXIT_INSTRUCTION_LENGTH);
        return;
    }
    struct vmx_exception exception = {
        .vector = field_get(info, EVENT_VECTOR),
        .has_error = info & EVENT_HAS_ERROR,
        .error = info & EVENT_HAS_ERROR ? vmread32(EXIT_ERROR_CODE) : 0,
        .address = vmread(EXIT_QUALIFICATION), /* of #PF; others have none */
    };
    vmx_inject_exception(ctx, &exception);
}

/*
 * With RFLAGS.TF and blocking by STI or MOV SS, entry wants the single step recorded as pending,
 * even where the injected #DB takes its place. SDM Vol 3C, "Checks on Guest Non-Register State".
 */
static void keep_single_step_consistent(void)
{
    uint32_t blocking = vmread32(GUEST_INTERRUPTIBILITY) & BLOCKING_BY_STI_OR_MOV_SS;
    if (blocking != 0 && (vmread(GUEST_RFLAGS) & RFLAGS_TF))
        vmwrite(GUEST_PENDING_DEBUG, vmread(GUEST_PENDING_DEBUG) | PENDING_DEBUG_BS);
}

enum vmx_outcome exit_exception(struct vmx_context *ctx)
{
    uint32_t info = vmread32(EXIT_INTERRUPTION_INFO);
    uint8_t vector = field_get(info, EVENT_VECTOR);
    event_requeue(ctx);
    if (ctx->event == 0 && (info & EVENT_NMI_UNBLOCK) && vector != EXCEPTION_DF)
        event_block_nmi_again();
    switch (vector) {
    case EXCEPTION_NMI:
    case EXCEPTION_MC:
        host_exception(vector);
        return VMX_RESUME;
    case EXCEPTION_DB:
        reflect_debug_exception(ctx);
        reflect(ctx, info);
        keep_single_step_consistent();
        return VMX_RESUME;
    case EXCEPTION_BP:
        if (ctx->debugged && ctx->client->breakpoint(ctx->owner))
            ctx->leave |= VMX_LEAVE;
        else
            reflect(ctx, info);
        return VMX_RESUME;
    default:
        reflect(ctx, info);
        return VMX_RESUME;
    }
}
