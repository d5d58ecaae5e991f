/* SPDX-License-Identifier: BSD-2-Clause */
/* The local vector table, the pins and sources behind it, and error logging
 * (SDM Vol 3A, "Local Vector Table" and "Error Handling"). */
#include "apic/internal.h"

static uint8_t delivery_of(uint32_t lvt)
{
    return (lvt >> 8) & 7u;
}

/* An event that is not a vector goes through the APIC's own mailbox; lapic_merge() hands it out. */
static void local_event(struct lapic *lapic, uint8_t delivery)
{
    struct apic_msg msg = {.delivery = delivery, .group = lapic->group};
    if (delivery == APIC_SMI) {
        apic_trace(lapic->domain, APIC_TRACE_DROP, lapic, &msg, APIC_DROP_SMI, 0);
        return;
    }
    (void)apic_post_event(lapic->post, &msg);
}

void lapic_local_interrupt(struct lapic *lapic, uint8_t vector, bool level)
{
    if (vector < APIC_FIRST_VECTOR) {
        lapic_error(lapic, APIC_ESR_RECEIVE_ILLEGAL);
        return;
    }
    lapic_accept_vector(lapic, vector, level);
}

/* Which delivery modes an entry knows besides Fixed; the others are reserved there. */
static bool mode_exists(uint32_t reg, uint8_t delivery)
{
    switch (delivery) {
    case APIC_SMI:
    case APIC_NMI:
        return true;
    case APIC_INIT:
        return reg == APIC_LVT_LINT0 || reg == APIC_LVT_LINT1;
    default:
        return false;
    }
}

void lapic_deliver_lvt(struct lapic *lapic, uint32_t reg)
{
    uint32_t lvt = *lapic_reg(lapic, reg);
    if ((lvt & APIC_LVT_MASKED) != 0)
        return;
    if (delivery_of(lvt) == APIC_FIXED)
        lapic_local_interrupt(lapic, (uint8_t)lvt, false);
    else if (mode_exists(reg, delivery_of(lvt)))
        local_event(lapic, delivery_of(lvt));
}

/* One interrupt per ESR write, however many errors follow. */
void lapic_error(struct lapic *lapic, uint32_t esr_bits)
{
    lapic->errors |= esr_bits;
    apic_trace(lapic->domain, APIC_TRACE_ERROR, lapic, NULL, esr_bits, 0);
    if (lapic->error_armed) {
        lapic->error_armed = false;
        lapic_deliver_lvt(lapic, APIC_LVT_ERROR);
    }
}

static unsigned lint_of(uint32_t reg)
{
    return reg == APIC_LVT_LINT0 ? 0 : 1;
}

static uint32_t lint_reg(unsigned pin)
{
    return pin == 0 ? APIC_LVT_LINT0 : APIC_LVT_LINT1;
}

/* Level triggering exists for Fixed interrupts on LINT0 only. */
static bool lint_is_level(uint32_t lvt, unsigned pin)
{
    return pin == 0 && delivery_of(lvt) == APIC_FIXED && (lvt & APIC_LVT_LEVEL) != 0;
}

static void lint_show_remote_irr(struct lapic *lapic, unsigned pin)
{
    uint32_t *lvt = lapic_reg(lapic, lint_reg(pin));
    *lvt = lapic->lint_remote_irr[pin] ? *lvt | APIC_LVT_REMOTE_IRR : *lvt & ~APIC_LVT_REMOTE_IRR;
}

static void lint_evaluate_level(struct lapic *lapic, unsigned pin)
{
    uint32_t lvt = *lapic_reg(lapic, lint_reg(pin));
    if ((lvt & APIC_LVT_MASKED) != 0 || !lint_is_level(lvt, pin) || !lapic->lint_line[pin] ||
        lapic->lint_remote_irr[pin])
        return;
    lapic->lint_remote_irr[pin] = true;
    lint_show_remote_irr(lapic, pin);
    lapic_local_interrupt(lapic, (uint8_t)lvt, true);
}

void lapic_lint(struct lapic *lapic, unsigned pin, bool level)
{
    if (pin > 1)
        return;
    bool rising = level && !lapic->lint_line[pin];
    lapic->lint_line[pin] = level;
    if (lint_is_level(*lapic_reg(lapic, lint_reg(pin)), pin))
        lint_evaluate_level(lapic, pin);
    else if (rising)
        lapic_deliver_lvt(lapic, lint_reg(pin));
}

void lapic_lint_eoi(struct lapic *lapic, uint8_t vector)
{
    uint32_t lvt = *lapic_reg(lapic, APIC_LVT_LINT0);
    if (!lapic->lint_remote_irr[0] || (uint8_t)lvt != vector)
        return;
    lapic->lint_remote_irr[0] = false;
    lint_show_remote_irr(lapic, 0);
    lint_evaluate_level(lapic, 0);
}

/* SDM Vol 3A, "Enabling or Disabling the Local APIC": without it LINT0 is the processor's INTR. */
bool lapic_extint(const struct lapic *lapic)
{
    if (lapic_mode(lapic) == APIC_DISABLED)
        return lapic->lint_line[0];
    for (unsigned pin = 0; pin < 2; pin++) {
        uint32_t lvt = *lapic_reg(lapic, lint_reg(pin));
        if (lapic->lint_line[pin] && (lvt & APIC_LVT_MASKED) == 0 &&
            delivery_of(lvt) == APIC_EXTINT)
            return true;
    }
    return false;
}

void lapic_thermal(struct lapic *lapic)
{
    lapic_deliver_lvt(lapic, APIC_LVT_THERMAL);
}

void lapic_cmci(struct lapic *lapic)
{
    if (lapic->domain->config.cmci)
        lapic_deliver_lvt(lapic, APIC_LVT_CMCI);
}

void lapic_pmc(struct lapic *lapic)
{
    lapic_deliver_lvt(lapic, APIC_LVT_PMC);
    *lapic_reg(lapic, APIC_LVT_PMC) |= APIC_LVT_MASKED;
}

/* `value` has reserved and read-only bits cleared. A software-disabled APIC keeps its entries
 * masked. */
void lapic_write_lvt(struct lapic *lapic, uint32_t reg, uint32_t value)
{
    if (lapic->enabled == 0)
        value |= APIC_LVT_MASKED;
    if (reg == APIC_LVT_TIMER) {
        lapic_timer_write_lvt(lapic, value);
        return;
    }
    *lapic_reg(lapic, reg) = value;
    if (reg == APIC_LVT_LINT0 || reg == APIC_LVT_LINT1) {
        unsigned pin = lint_of(reg);
        if (!lint_is_level(value, pin))
            lapic->lint_remote_irr[pin] = false;
        lint_show_remote_irr(lapic, pin);
        lint_evaluate_level(lapic, pin);
    }
}

static const uint16_t lvt_regs[] = {
    APIC_LVT_TIMER, APIC_LVT_THERMAL, APIC_LVT_PMC,  APIC_LVT_LINT0,
    APIC_LVT_LINT1, APIC_LVT_ERROR,   APIC_LVT_CMCI,
};

enum { LVT_ALWAYS = 6, LVT_WITH_CMCI = 7 };

static unsigned lvt_count(const struct lapic *lapic)
{
    return lapic->domain->config.cmci ? LVT_WITH_CMCI : LVT_ALWAYS;
}

void lapic_mask_lvts(struct lapic *lapic)
{
    for (unsigned i = 0; i < lvt_count(lapic); i++)
        *lapic_reg(lapic, lvt_regs[i]) |= APIC_LVT_MASKED;
    lapic->timer.lvt |= APIC_LVT_MASKED;
}

void lapic_reset_lvts(struct lapic *lapic)
{
    for (unsigned i = 0; i < lvt_count(lapic); i++)
        *lapic_reg(lapic, lvt_regs[i]) = APIC_LVT_MASKED;
    lapic->lint_remote_irr[0] = false;
    lapic->lint_remote_irr[1] = false;
}
