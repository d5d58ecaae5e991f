/* SPDX-License-Identifier: BSD-2-Clause */
/* From the APIC engine's decisions to events of the trace. */
#include "core/guest/trace.h"

#include "apic/lapic.h"

/* `vtl` and `vcpu` are those of @ctx; of the VM when it is NULL. */
static void put(const struct vm *vm, const struct context *ctx, enum trace_type type, uint16_t info,
                uint64_t a, uint64_t b)
{
    struct trace_event event = {
        .type = (uint8_t)type,
        .vtl = ctx == NULL ? 0 : (uint8_t)ctx->vtl,
        .vcpu = ctx == NULL ? TRACE_NOBODY : (uint16_t)ctx->vcpu->index,
        .vm = vm->number,
        .info = info,
        .a = a,
        .b = b,
    };

    trace_put(&event);
}

void guest_trace_put(const struct context *ctx, enum trace_type type, uint16_t info, uint64_t a,
                     uint64_t b)
{
    put(ctx->vcpu->vm, ctx, type, info, a, b);
}

static const struct context *context_of(const struct lapic *lapic)
{
    return lapic == NULL ? NULL : lapic->owner;
}

/* Vector, delivery mode, shorthand, and three flags. */
static uint16_t message_info(const struct apic_msg *msg)
{
    return (uint16_t)(msg->vector | (unsigned)msg->delivery << 8 | (unsigned)msg->shorthand << 11 |
                      (unsigned)msg->logical << 13 | (unsigned)msg->level << 14 |
                      (unsigned)msg->broadcast << 15);
}

/* Number and VTL of the processor that sends a message. */
static uint64_t sender(const struct apic_msg *msg)
{
    const struct context *from = context_of(msg->source);

    return from == NULL ? TRACE_NOBODY : from->vcpu->index | (uint64_t)from->vtl << 16;
}

/* Guest time of a timer as the host's; 0, no time, stays. */
static uint64_t host_tsc(const struct vm *vm, uint64_t guest_tsc)
{
    return guest_tsc == 0 ? 0 : guest_tsc + vm->tsc_start;
}

static const enum trace_type types[] = {
    [APIC_TRACE_ROUTE] = TRACE_ROUTE,     [APIC_TRACE_DROP] = TRACE_DROP,
    [APIC_TRACE_POST] = TRACE_ACCEPT,     [APIC_TRACE_MAP] = TRACE_MAP,
    [APIC_TRACE_BASE] = TRACE_BASE,       [APIC_TRACE_RESET] = TRACE_RESET,
    [APIC_TRACE_DISPATCH] = TRACE_INJECT, [APIC_TRACE_EOI] = TRACE_EOI,
    [APIC_TRACE_ARM] = TRACE_ARM,         [APIC_TRACE_TIMER] = TRACE_FIRE,
    [APIC_TRACE_ERROR] = TRACE_ERROR,     [APIC_TRACE_WRITE] = TRACE_WRITE,
};

static void put_message(const struct vm *vm, const struct apic_trace *what, enum trace_type type)
{
    const struct apic_msg *msg = what->msg;
    bool accepted = type == TRACE_ACCEPT;
    uint64_t dest = msg->dest | (uint64_t)msg->wide << 32;

    put(vm, context_of(what->lapic), type, message_info(msg), accepted ? sender(msg) : dest,
        what->a);
}

static void trace_apic(void *arg, const struct apic_trace *what)
{
    const struct vm *vm = arg;
    const struct context *ctx = context_of(what->lapic);
    enum trace_type type = types[what->kind];

    if (!trace_wants(vm->trace, type))
        return;
    if (what->msg != NULL) {
        put_message(vm, what, type);
        return;
    }
    switch (what->kind) {
    case APIC_TRACE_DISPATCH:
    case APIC_TRACE_EOI:
    case APIC_TRACE_WRITE:
        put(vm, ctx, type, (uint16_t)what->a, what->b, 0);
        break;
    case APIC_TRACE_ARM:
    case APIC_TRACE_TIMER:
        put(vm, ctx, type, 0, host_tsc(vm, what->a), 0);
        break;
    default:
        put(vm, ctx, type, 0, what->a, what->b);
        break;
    }
}

apic_trace_hook *guest_trace_apic_hook(const struct vm *vm)
{
    const uint32_t told = 1u << CONFIG_TRACE_APIC | 1u << CONFIG_TRACE_MESSAGES |
                          1u << CONFIG_TRACE_INTERRUPTS | 1u << CONFIG_TRACE_TIMERS;

    return vm->trace & told ? trace_apic : NULL;
}
