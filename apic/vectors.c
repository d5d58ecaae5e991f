/* SPDX-License-Identifier: BSD-2-Clause */
/* IRR, ISR, TMR and PPR: merging what was posted, priority, acknowledge, EOI
 * (SDM Vol 3A, "Handling Interrupts"). */
#include "apic/internal.h"
#include "apic/ioapic.h"

enum {
    VECTOR_WORDS = 8, /* 32-bit words in each of IRR, ISR and TMR */
    CLASS_MASK = 0xF0,
};

static uint32_t *vector_word(const struct lapic *lapic, uint32_t base, uint8_t vector)
{
    return lapic_reg(lapic, base + (vector / 32u) * 0x10u);
}

static uint32_t vector_bit(uint8_t vector)
{
    return UINT32_C(1) << (vector % 32u);
}

static inline __attribute__((always_inline)) uint8_t highest(const struct lapic *lapic,
                                                             uint32_t base)
{
#pragma GCC unroll 8
    for (uint32_t i = VECTOR_WORDS; i-- > 0;) {
        uint32_t word = *lapic_reg(lapic, base + i * 0x10u);
        if (word != 0)
            return (uint8_t)(i * 32u + 31u - (uint32_t)__builtin_clz(word));
    }
    return 0;
}

uint8_t lapic_highest_irr(const struct lapic *lapic)
{
    return highest(lapic, APIC_IRR);
}

__attribute__((noinline)) uint8_t lapic_highest_isr(const struct lapic *lapic)
{
    return highest(lapic, APIC_ISR);
}

static bool anything_in_service(const struct lapic *lapic)
{
    uint32_t any = 0;
#pragma GCC unroll 8
    for (uint32_t i = 0; i < VECTOR_WORDS; i++)
        any |= *lapic_reg(lapic, APIC_ISR + i * 0x10u);
    return any != 0;
}

/* SDM Vol 3A, "Task and Processor Priorities". */
static uint8_t priority(const struct lapic *lapic)
{
    uint8_t tpr = (uint8_t)*lapic_reg(lapic, APIC_TPR);
    uint8_t isr = anything_in_service(lapic) ? lapic_highest_isr(lapic) : 0;
    return (tpr & CLASS_MASK) >= (isr & CLASS_MASK) ? tpr : isr & CLASS_MASK;
}

void lapic_update_ppr(struct lapic *lapic)
{
    *lapic_reg(lapic, APIC_PPR) = priority(lapic);
}

static uint64_t tmr_word(const struct lapic *lapic, unsigned word64)
{
    uint32_t base = APIC_TMR + word64 * 0x20u;
    return *lapic_reg(lapic, base) | (uint64_t)*lapic_reg(lapic, base + 0x10u) << 32;
}

/* For senders, after a change of TMR. */
static __attribute__((noinline)) void note_levels(struct lapic *lapic)
{
    uint64_t levels = 0;
    for (unsigned vectors = 0; vectors < 256; vectors += 4) {
        uint64_t four = tmr_word(lapic, vectors / 64) >> (vectors % 64) & 0xF;
        levels |= (uint64_t)(four != 0) << (vectors / 4);
    }
    atomic_store(&lapic->post->levels, levels);
}

/* Acceptance sets IRR and makes TMR say how the vector arrived. */
static bool accept_words(struct lapic *lapic, unsigned word64, uint64_t bits, bool level)
{
    bool changed = false;
    uint32_t tmr_changes = 0;
    for (unsigned half = 0; half < 2; half++) {
        uint32_t part = (uint32_t)(bits >> (32 * half));
        uint32_t offset = (word64 * 2 + half) * 0x10u;
        uint32_t *irr = lapic_reg(lapic, APIC_IRR + offset);
        uint32_t *tmr = lapic_reg(lapic, APIC_TMR + offset);
        uint32_t new_tmr = level ? *tmr | part : *tmr & ~part;
        changed |= (part & ~*irr) != 0;
        tmr_changes |= new_tmr ^ *tmr;
        *irr |= part;
        *tmr = new_tmr;
    }
    if (apic_unlikely(tmr_changes != 0)) {
        note_levels(lapic);
        changed = true;
    }
    return changed;
}

static __attribute__((noinline)) void flip_trigger(struct lapic *lapic, uint8_t vector)
{
    *vector_word(lapic, APIC_TMR, vector) ^= vector_bit(vector);
    note_levels(lapic);
}

void lapic_accept_vector(struct lapic *lapic, uint8_t vector, bool level)
{
    uint32_t bit = vector_bit(vector);
    uint32_t *tmr = vector_word(lapic, APIC_TMR, vector);
    uint32_t *irr = tmr + (APIC_IRR - APIC_TMR) / sizeof(*tmr);
    *irr |= bit;
    if (apic_unlikely(((*tmr & bit) != 0) != level))
        flip_trigger(lapic, vector);
}

/* A disabled APIC accepts nothing: what is found then was under way while it was being disabled. */
static bool merge_words(struct lapic *lapic, _Atomic uint64_t words[4], bool level)
{
    bool changed = false;
    for (unsigned i = 0; i < 4; i++) {
        if (atomic_load(&words[i]) == 0)
            continue;
        uint64_t bits = atomic_exchange(&words[i], 0);
        if (lapic->enabled != 0)
            changed |= accept_words(lapic, i, bits, level);
    }
    return changed;
}

void lapic_merge_vectors(struct lapic *lapic)
{
    merge_words(lapic, lapic->post->pir, false);
    merge_words(lapic, lapic->post->level, true);
}

bool lapic_merge(struct lapic *lapic, struct lapic_events *events)
{
    struct apic_post *post = lapic->post;
    *events = (struct lapic_events){0};

    /* ON before PIR: a poster that finds ON set relies on PIR being read after it is cleared. */
    if ((atomic_load(&post->control) & APIC_PI_ON) != 0)
        atomic_fetch_and(&post->control, ~APIC_PI_ON);
    bool changed = merge_words(lapic, post->pir, false);
    if (atomic_load(&post->events) == 0)
        return changed;
    uint32_t taken = atomic_exchange(&post->events, 0);
    changed |= merge_words(lapic, post->level, true);
    if ((taken & APIC_EVENT_BAD_VECTOR) != 0)
        lapic_error(lapic, APIC_ESR_RECEIVE_ILLEGAL);
    events->nmi = taken & APIC_EVENT_NMI_MASK;
    events->init = (taken & APIC_EVENT_INIT) != 0;
    events->sipi = (taken & APIC_EVENT_SIPI) != 0;
    events->sipi_vector = (uint8_t)(taken >> APIC_EVENT_SIPI_SHIFT);
    events->extint = (taken & APIC_EVENT_EXTINT) != 0;
    return changed || (taken & ~APIC_EVENT_LEVEL) != 0;
}

int lapic_pending(const struct lapic *lapic)
{
    uint8_t vector = highest(lapic, APIC_IRR);
    if (vector == 0)
        return -1;
    if ((vector & CLASS_MASK) <= (priority(lapic) & CLASS_MASK))
        return -1;
    return vector;
}

uint8_t lapic_acknowledge(struct lapic *lapic)
{
    int pending = lapic_pending(lapic);
    if (pending < 0)
        return (uint8_t)*lapic_reg(lapic, APIC_SVR);
    uint8_t vector = (uint8_t)pending;
    *vector_word(lapic, APIC_IRR, vector) &= ~vector_bit(vector);
    *vector_word(lapic, APIC_ISR, vector) |= vector_bit(vector);
    lapic_update_ppr(lapic);
    lapic_trace(lapic, APIC_TRACE_DISPATCH, vector, 0);
    return vector;
}

uint8_t lapic_tpr_threshold(const struct lapic *lapic)
{
    uint8_t irr = lapic_highest_irr(lapic) >> 4;
    uint8_t tpr = (uint8_t)*lapic_reg(lapic, APIC_TPR) >> 4;
    return irr > tpr ? 0 : irr;
}

/* SDM Vol 3A, "Signaling Interrupt Servicing Completion". */
void lapic_eoi_exit(struct lapic *lapic, uint8_t vector)
{
    struct apic_domain *domain = lapic->domain;
    bool level = (*vector_word(lapic, APIC_TMR, vector) & vector_bit(vector)) != 0;
    bool suppressed = (*lapic_reg(lapic, APIC_SVR) & APIC_SVR_SUPPRESS_EOI) != 0;
    lapic_trace(lapic, APIC_TRACE_EOI, vector, level && !suppressed);
    if (level && !suppressed)
        for (unsigned i = 0; i < domain->ioapics; i++)
            ioapic_eoi(domain->ioapic[i], lapic->group, vector);
    lapic_lint_eoi(lapic, vector);
}

void lapic_eoi(struct lapic *lapic)
{
    uint8_t vector = lapic_highest_isr(lapic);
    if (vector == 0)
        return;
    *vector_word(lapic, APIC_ISR, vector) &= ~vector_bit(vector);
    lapic_update_ppr(lapic);
    lapic_eoi_exit(lapic, vector);
}

void lapic_eoi_exit_bitmap(const struct lapic *lapic, uint64_t bitmap[4])
{
    for (uint32_t i = 0; i < 4; i++)
        bitmap[i] = tmr_word(lapic, i);
}
