/* SPDX-License-Identifier: BSD-2-Clause */
/* One local APIC. Register state lives in the 4 KiB page that is also the VMX virtual-APIC page;
 * this struct holds what the page cannot.
 *
 * Unless it says otherwise, a function here may be called only by the owner: the CPU that runs, or
 * would run, the APIC's context, one at a time. Functions that may send (register writes, EOI,
 * inputs, timers) must be inside the domain's epoch. Everyone else posts (apic/domain.h).
 *
 * The life of an entry to the guest:
 *     lapic_timer_expire(l, now);
 *     if (apic_posted(l->post)) lapic_merge(l, &events);     handle events
 *     vector = lapic_pending(l);                             ask
 *     if (vector >= 0 and the guest can take it) { lapic_acknowledge(l); inject vector; }
 *     else write lapic_tpr_threshold(l), open an interrupt window if needed
 *     arm the host timer for lapic_timer_deadline(l) */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "apic/domain.h"
#include "apic/post.h"
#include "apic/regs.h"

/* The states of IA32_APIC_BASE's EN and EXTD (SDM Vol 3A, "x2APIC State Transitions"). */
enum apic_mode {
    APIC_DISABLED,
    APIC_XAPIC,
    APIC_X2APIC,
};

/* All that matters for deciding whether an APIC accepts a message. */
struct apic_identity {
    uint32_t id32; /* x2APIC ID; fixed at creation */
    uint8_t mode;  /* enum apic_mode */
    uint8_t id8;   /* xAPIC ID */
    uint8_t ldr;   /* xAPIC logical ID, LDR bits 31:24; unused in x2APIC mode */
    uint8_t dfr;   /* DFR bits 31:28 */
    bool enabled;  /* SVR bit 8 */
    uint8_t group;
};

struct apic_timer {
    uint64_t deadline; /* guest TSC of the next expiry; valid while armed */
    uint32_t lvt;      /* LVT entry in force */
    bool armed;
    uint8_t mode;   /* LVT bits 18:17 in force */
    uint8_t divide; /* log2 of the divider */
};

/* Fields are internal to apic/, except that anyone may read those above the line. */
struct lapic {
    uint32_t *regs; /* the register page; register at byte offset o is regs[o / 4] */
    struct apic_post *post;
    struct apic_domain *domain;
    void *owner;
    uint32_t index; /* order of creation in its group */
    uint32_t id32;
    uint8_t group;
    uint64_t base; /* IA32_APIC_BASE */
    /* ---- */
    _Atomic uint64_t identity; /* packed apic_identity, as the map builder reads it */
    struct apic_timer timer;
    uint32_t errors;   /* logged since the last ESR write */
    uint32_t enabled;  /* SVR bit 8 in force */
    uint8_t id8;       /* xAPIC ID in force */
    bool error_armed;  /* the next error may interrupt */
    bool traced;       /* the domain has had a trace hook when this was made */
    bool lint_line[2]; /* level of LINT0 and LINT1 */
    bool lint_remote_irr[2];
};

struct lapic_params {
    uint32_t id32; /* FFFFFFFFh is not allowed */
    uint8_t group;
    bool bsp;
    void *owner;            /* cookie for callbacks */
    void *page;             /* 4 KiB, page aligned */
    struct apic_post *post; /* see apic/post.h */
};

/* Makes an APIC in reset state and a member of its group. False, and nothing changed, when memory
 * for the maps is missing, the group has APIC_MAX_APICS already, or a parameter is out of range.
 * Configuration, but senders may run; equal IDs in a group are allowed. */
bool lapic_init(struct lapic *lapic, struct apic_domain *domain, const struct lapic_params *params);

/* RESET and INIT, with the values of SDM Vol 3A, "Local APIC State After Power-Up or Reset" and
 * "Local APIC State After It Receives an INIT". Reset goes to xAPIC mode; INIT keeps the mode,
 * both IDs and IA32_APIC_BASE. What is posted and not merged is dropped by reset; INIT keeps the
 * events but no vectors. */
void lapic_reset(struct lapic *lapic);
void lapic_init_signal(struct lapic *lapic);

static inline enum apic_mode lapic_mode(const struct lapic *lapic)
{
    if ((lapic->base & APIC_BASE_EN) == 0)
        return APIC_DISABLED;
    return (lapic->base & APIC_BASE_EXTD) != 0 ? APIC_X2APIC : APIC_XAPIC;
}

/* Software-enabled: SVR bit 8. */
static inline bool lapic_enabled(const struct lapic *lapic)
{
    return lapic->enabled != 0;
}

/* A number that changes with anything that decides what the APIC accepts. */
static inline uint64_t lapic_identity(const struct lapic *lapic)
{
    return atomic_load_explicit(&lapic->identity, memory_order_relaxed);
}

/* ---- Register access ---------------------------------------------------------------------------
 * A result of false means #GP(0) for the guest, and nothing changed. */

/* MMIO access of `size` bytes (1, 2, 4 or 8) at `offset` into the page at lapic->base. Unless in
 * xAPIC mode nothing answers there: reads give all ones, writes vanish. */
uint64_t lapic_read(struct lapic *lapic, uint32_t offset, unsigned size);
void lapic_write(struct lapic *lapic, uint32_t offset, unsigned size, uint64_t value);

/* MSRs APIC_MSR_FIRST to APIC_MSR_LAST. */
bool lapic_rdmsr(struct lapic *lapic, uint32_t msr, uint64_t *value);
bool lapic_wrmsr(struct lapic *lapic, uint32_t msr, uint64_t value);

/* IA32_APIC_BASE (1Bh). The BSP bit is read-only here. The reader uses lapic->base. */
bool lapic_write_base(struct lapic *lapic, uint64_t value);

/* IA32_TSC_DEADLINE (6E0h), in guest TSC ticks. */
uint64_t lapic_read_tsc_deadline(struct lapic *lapic);
bool lapic_write_tsc_deadline(struct lapic *lapic, uint64_t value); /* as lapic_timer_expire() */

/* CR8; writing more than 15 is #GP. Both work in every mode. */
uint64_t lapic_read_cr8(const struct lapic *lapic);
bool lapic_write_cr8(struct lapic *lapic, uint64_t value);

/* The whole TPR and ICR, for interfaces that are neither MMIO nor APIC MSRs (the Hyper-V MSRs).
 * `icr` is in the current mode's layout with the destination in the high half; reserved bits are
 * ignored. Nothing happens while the APIC is disabled. */
void lapic_write_tpr(struct lapic *lapic, uint8_t tpr);
void lapic_write_icr(struct lapic *lapic, uint64_t icr);

/* Ends the highest-priority interrupt in service. */
void lapic_eoi(struct lapic *lapic);

/* ---- Hardware-assisted register access (SDM Vol 3C, "APIC Virtualization") ------------------- */

/* APIC-write exit: the CPU stored the guest's value at `offset` already. Acts on it as
 * lapic_write() would, after applying the register's writable bits to the page. */
void lapic_written(struct lapic *lapic, uint32_t offset);

/* Virtualized-EOI exit: ISR and PPR are up to date, only the broadcast is left to do. */
void lapic_eoi_exit(struct lapic *lapic, uint8_t vector);

/* The EOI-exit bitmap that this APIC needs now: its level-triggered vectors. It changes only in
 * lapic_merge() and LINT input, never by the hardware. */
void lapic_eoi_exit_bitmap(const struct lapic *lapic, uint64_t bitmap[4]);

/* ---- Interrupts
 * --------------------------------------------------------------------------------*/

struct lapic_events {
    uint8_t nmi; /* 0, 1 or 2: how many are owed */
    bool init;   /* comes before sipi */
    bool sipi;
    uint8_t sipi_vector;
    bool extint; /* ask the interrupt controller outside for a vector */
};

/* Folds what was posted into IRR and TMR and hands out the rest. True when IRR, TMR or an event
 * changed. */
bool lapic_merge(struct lapic *lapic, struct lapic_events *events);

/* The vector that the processor would be given now, or -1: the highest in IRR if its priority class
 * is above that of PPR. Does not look at what is posted but not merged. */
int lapic_pending(const struct lapic *lapic);

/* Interrupt acknowledge: moves that vector from IRR to ISR and returns it; the spurious vector, and
 * no change, when none is pending. */
uint8_t lapic_acknowledge(struct lapic *lapic);

/* TPR threshold for the VMCS without virtual-interrupt delivery: the TPR class below which
 * something waits, 0 when lowering TPR would release nothing. At most the TPR class. */
uint8_t lapic_tpr_threshold(const struct lapic *lapic);

/* Highest vector in IRR and in ISR, 0 if none: RVI and SVI. */
uint8_t lapic_highest_irr(const struct lapic *lapic);
uint8_t lapic_highest_isr(const struct lapic *lapic);

/* Does LINT0 or LINT1 ask for an external (8259-style) interrupt? It is the level that asks, and
 * the processor's interrupt flag alone that holds it back: neither IRR nor priority is involved. */
bool lapic_extint(const struct lapic *lapic);

/* Hands one APIC a Fixed, edge-triggered interrupt whatever its ID (synthetic interrupts, VP-index
 * hypercalls). False when it does not accept: not enabled. Any CPU, inside the epoch. */
bool lapic_post(struct lapic *target, uint8_t vector);

/* ---- Local inputs ------------------------------------------------------------------------------
 * A masked entry loses the event, except that the level of a LINT pin is remembered. */
void lapic_lint(struct lapic *lapic, unsigned pin, bool level);
void lapic_thermal(struct lapic *lapic);
void lapic_pmc(struct lapic *lapic); /* sets the entry's mask bit when it delivers */
void lapic_cmci(struct lapic *lapic);

/* ---- Timer ----------------------------------------------------------------------------------- */

/* Guest TSC of the next expiry, masked or not; UINT64_MAX: the timer stands. */
static inline uint64_t lapic_timer_next(const struct lapic *lapic)
{
    return lapic->timer.armed ? lapic->timer.deadline : UINT64_MAX;
}

/* Guest TSC at which lapic_timer_expire() has something to do; UINT64_MAX: never. A masked timer
 * runs on, but nobody has to wake for it: it is brought up to date when looked at. */
static inline uint64_t lapic_timer_deadline(const struct lapic *lapic)
{
    bool masked = (lapic->regs[APIC_LVT_TIMER / sizeof(uint32_t)] & APIC_LVT_MASKED) != 0;
    return masked ? UINT64_MAX : lapic_timer_next(lapic);
}

/* Bits of the ESR logged since it was last written. */
static inline uint32_t lapic_errors(const struct lapic *lapic)
{
    return lapic->errors;
}

/* Lets the timer run up to guest TSC `now`. True when it put a vector into IRR or logged an
 * error. Periods missed meanwhile give one interrupt. */
bool lapic_timer_expire(struct lapic *lapic, uint64_t now);
