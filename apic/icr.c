/* SPDX-License-Identifier: BSD-2-Clause */
/* IPIs (SDM Vol 3A, "Issuing Interprocessor Interrupts"; "ICR Operation in x2APIC Mode"). */
#include "apic/internal.h"

static bool carries_vector(const struct apic_msg *msg)
{
    return msg->delivery == APIC_FIXED || msg->delivery == APIC_LOWEST;
}

/* Since Pentium 4 an IPI is always edge-triggered and asserted, whatever bits 15:14 say. */
static struct apic_msg decode(const struct lapic *lapic)
{
    bool wide = lapic_mode(lapic) == APIC_X2APIC;
    uint32_t low = *lapic_reg(lapic, APIC_ICR);
    uint32_t dest = wide ? lapic_reg(lapic, APIC_ICR)[1] : *lapic_reg(lapic, APIC_ICR_HIGH) >> 24;
    return (struct apic_msg){
        .source = lapic,
        .dest = dest,
        .vector = (uint8_t)low,
        .delivery = (low >> 8) & 7u,
        .shorthand = (low & APIC_ICR_SHORTHAND) >> 18,
        .group = lapic->group,
        .logical = (low & APIC_ICR_LOGICAL) != 0,
        .wide = wide,
        .broadcast = apic_dest_is_broadcast(dest, wide),
    };
}

static void drop(const struct lapic *lapic, const struct apic_msg *msg, enum apic_drop why)
{
    apic_trace(lapic->domain, APIC_TRACE_DROP, lapic, msg, why, 0);
}

/* The INIT that only synchronised arbitration IDs, up to P6. */
static bool is_init_deassert(uint32_t low)
{
    return (low & APIC_ICR_LEVEL) != 0 && (low & APIC_ICR_ASSERT) == 0;
}

/* Fixed, to self, with a legal vector: nothing to decode, nobody to find. */
static bool is_plain_self_ipi(uint32_t low)
{
    uint32_t kind = low & (APIC_ICR_SHORTHAND | APIC_ICR_DELIVERY);
    return kind == (uint32_t)APIC_SELF << 18 && (uint8_t)low >= APIC_FIRST_VECTOR;
}

static __attribute__((noinline)) void send_message(struct lapic *lapic, uint32_t low)
{
    struct apic_msg msg = decode(lapic);
    if (msg.delivery == APIC_RESERVED3 || msg.delivery == APIC_EXTINT) {
        drop(lapic, &msg, APIC_DROP_RESERVED);
        return;
    }
    if (msg.delivery == APIC_INIT && is_init_deassert(low)) {
        drop(lapic, &msg, APIC_DROP_INIT_DEASSERT);
        return;
    }
    if (msg.delivery == APIC_LOWEST && msg.wide) {
        drop(lapic, &msg, APIC_DROP_LOWEST_X2APIC);
        lapic_error(lapic, APIC_ESR_REDIRECTABLE);
        return;
    }
    if (carries_vector(&msg) && msg.vector < APIC_FIRST_VECTOR)
        lapic_error(lapic, APIC_ESR_SEND_ILLEGAL);
    if (msg.shorthand == APIC_SELF && carries_vector(&msg)) {
        lapic_self_ipi(lapic, msg.vector);
        return;
    }
    (void)apic_route(lapic->domain, &msg);
}

void lapic_send_icr(struct lapic *lapic)
{
    uint32_t low = *lapic_reg(lapic, APIC_ICR);
    if (is_plain_self_ipi(low))
        lapic_self_ipi(lapic, (uint8_t)low);
    else
        send_message(lapic, low);
}

/* Straight into IRR: the bit is set before the next instruction ("SELF IPI Register"). */
static inline void self_ipi(struct lapic *lapic, uint8_t vector)
{
    if (lapic->enabled != 0)
        lapic_local_interrupt(lapic, vector, false);
}

static __attribute__((noinline)) void trace_self_ipi(struct lapic *lapic, uint8_t vector)
{
    struct apic_msg msg = {
        .source = lapic, .vector = vector, .shorthand = APIC_SELF, .group = lapic->group};
    if (lapic->enabled != 0)
        apic_trace(lapic->domain, APIC_TRACE_POST, lapic, &msg, 0, 0);
    apic_trace(lapic->domain, APIC_TRACE_ROUTE, lapic, &msg, lapic->enabled != 0, 0);
    self_ipi(lapic, vector);
}

void lapic_self_ipi(struct lapic *lapic, uint8_t vector)
{
    if (apic_unlikely(lapic->traced))
        trace_self_ipi(lapic, vector);
    else
        self_ipi(lapic, vector);
}
