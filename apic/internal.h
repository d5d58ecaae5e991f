/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of apic/ share and nobody else needs. */
#pragma once

#include "apic/domain.h"
#include "apic/lapic.h"

enum {
    APIC_TIMER_ONESHOT = 0,
    APIC_TIMER_PERIODIC = 1,
    APIC_TIMER_TSC_DEADLINE = 2,
};

#define APIC_VECTORS_PER_WORD 64u

static inline bool apic_unlikely(bool condition)
{
    return __builtin_expect(condition, false);
}

static inline uint32_t *lapic_reg(const struct lapic *lapic, uint32_t offset)
{
    return &lapic->regs[offset / sizeof(uint32_t)];
}

/* domain.c: tells the hook, which there is. Its being cold keeps the callers' registers free. */
__attribute__((cold)) void apic_trace_tell(struct apic_domain *domain, enum apic_trace_kind kind,
                                           const struct lapic *lapic, const struct apic_msg *msg,
                                           uint64_t a, uint64_t b);

/* Trace one decision; `kind`, `lapic` and `msg` as the hook's documentation says. */
static inline void apic_trace(struct apic_domain *domain, enum apic_trace_kind kind,
                              const struct lapic *lapic, const struct apic_msg *msg, uint64_t a,
                              uint64_t b)
{
    if (apic_unlikely(domain->calls.trace != NULL))
        apic_trace_tell(domain, kind, lapic, msg, a, b);
}

/* The same of what an APIC does without a message, for where every instruction counts. */
static inline void lapic_trace(const struct lapic *lapic, enum apic_trace_kind kind, uint64_t a,
                               uint64_t b)
{
    if (apic_unlikely(lapic->traced))
        apic_trace_tell(lapic->domain, kind, lapic, NULL, a, b);
}

/* ---- vectors.c: IRR, ISR, TMR, PPR ---- */
void lapic_accept_vector(struct lapic *lapic, uint8_t vector, bool level);
void lapic_update_ppr(struct lapic *lapic);
/* The vectors' part of lapic_merge(), for before the APIC is disabled. */
void lapic_merge_vectors(struct lapic *lapic);

/* ---- lvt.c ---- */
void lapic_error(struct lapic *lapic, uint32_t esr_bits);
/* A Fixed interrupt from inside the APIC. */
void lapic_local_interrupt(struct lapic *lapic, uint8_t vector, bool level);
void lapic_deliver_lvt(struct lapic *lapic, uint32_t reg);
void lapic_write_lvt(struct lapic *lapic, uint32_t reg, uint32_t value);
void lapic_mask_lvts(struct lapic *lapic);
void lapic_reset_lvts(struct lapic *lapic);
void lapic_lint_eoi(struct lapic *lapic, uint8_t vector);

/* ---- timer.c ---- */
void lapic_timer_reset(struct lapic *lapic);
void lapic_timer_write_lvt(struct lapic *lapic, uint32_t value);
void lapic_timer_write_initial(struct lapic *lapic, uint32_t value);
void lapic_timer_write_divide(struct lapic *lapic, uint32_t value);
uint32_t lapic_timer_current(struct lapic *lapic);

/* ---- icr.c ---- */
void lapic_send_icr(struct lapic *lapic);
void lapic_self_ipi(struct lapic *lapic, uint8_t vector);

/* ---- post.c ---- */
/* Each returns true when the target must be kicked. */
bool apic_post_level(struct apic_post *post, uint8_t vector);
bool apic_post_event(struct apic_post *post, const struct apic_msg *msg);
bool apic_post_bad_vector(struct apic_post *post);
void apic_post_clear(struct apic_post *post);

/* Whether the target's TMR may say "level" for the vector. */
static inline bool apic_post_may_be_level(const struct apic_post *post, uint8_t vector)
{
    return (atomic_load_explicit(&post->levels, memory_order_relaxed) >> (vector / 4) & 1) != 0;
}

/* Posts a Fixed, edge-triggered vector (16-255). Always a locked operation, even when the bit is
 * set already: the target must see everything the sender wrote before. */
static inline bool apic_post_edge(struct apic_post *post, uint8_t vector)
{
    atomic_fetch_or(&post->pir[vector / APIC_VECTORS_PER_WORD],
                    UINT64_C(1) << (vector % APIC_VECTORS_PER_WORD));
    if ((atomic_load(&post->control) & APIC_PI_ON) != 0)
        return false;
    return (atomic_fetch_or(&post->control, APIC_PI_ON) & APIC_PI_ON) == 0;
}

/* ---- group.c ---- */
bool apic_group_add(struct apic_group *group, struct lapic *lapic);
/* The identity of a member changed. When this returns, every later message sees it. */
void apic_group_update(struct apic_group *group);
void apic_group_destroy(struct apic_group *group);

/* ---- lapic.c ---- */
void lapic_publish(struct lapic *lapic);
/* What lapic->identity says; any CPU. */
struct apic_identity lapic_unpack_identity(const struct lapic *lapic, uint64_t packed);

/* ---- epoch.c ---- */
/* Waits until no CPU is inside that entered in `epoch` or before. The caller is outside. */
void apic_epoch_wait(struct apic_epoch *all, uint64_t epoch);
