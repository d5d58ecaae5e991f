/* SPDX-License-Identifier: BSD-2-Clause */
/* The naive model: one plain structure per APIC, vectors as arrays of booleans, the timer counted
 * tick by tick, messages delivered at once to whoever lapic_accepts(). */
#include "tests/host/apic_history.h"

#include <string.h>

#include "tests/host/apic_model.h"
#include "tests/host/apic_rig.h"

enum { APICS = 4, MAX_ADVANCE = 700, MAX_COUNT = 63 };

struct naive {
    struct apic_identity id;
    uint8_t tpr;
    bool irr[256], isr[256], tmr[256];
    bool masked;
    uint8_t timer_mode, timer_vector;
    uint32_t initial, divider;
    uint64_t ticks_left; /* 0: stopped */
    uint64_t deadline;   /* 0: none */
    unsigned nmi;
    bool init, sipi, extint;
    uint8_t sipi_vector;
};

static struct naive naive[APICS];
static uint64_t naive_now;
static enum apic_policy naive_policy;
static struct rig rig;

/* ---- Naive: state ---- */

static void clear_registers(struct naive *n)
{
    struct naive fresh = {.id = n->id, .masked = true, .divider = 2};
    fresh.id.ldr = 0;
    fresh.id.dfr = 0xF;
    fresh.id.enabled = false;
    fresh.nmi = n->nmi;
    fresh.init = n->init;
    fresh.sipi = n->sipi;
    fresh.sipi_vector = n->sipi_vector;
    fresh.extint = n->extint;
    *n = fresh;
}

static void naive_reset(struct naive *n)
{
    clear_registers(n);
    n->id.mode = APIC_XAPIC;
    n->id.id8 = (uint8_t)n->id.id32;
    n->nmi = 0;
    n->init = n->sipi = n->extint = false;
}

static int highest(const bool *set)
{
    for (int v = 255; v >= 0; v--) {
        if (set[v]) {
            return v;
        }
    }
    return 0;
}

static int naive_ppr(const struct naive *n)
{
    int isr = highest(n->isr);
    return n->tpr / 16 >= isr / 16 ? n->tpr : isr / 16 * 16;
}

static int naive_pending(const struct naive *n)
{
    int irr = highest(n->irr);
    return irr / 16 > naive_ppr(n) / 16 ? irr : -1;
}

static void naive_base(struct naive *n, unsigned mode)
{
    bool legal = mode == n->id.mode || mode == APIC_DISABLED ||
                 (n->id.mode == APIC_DISABLED && mode == APIC_XAPIC) ||
                 (n->id.mode == APIC_XAPIC && mode == APIC_X2APIC);
    if (!legal || mode == n->id.mode) {
        return;
    }
    if (mode == APIC_DISABLED) {
        uint8_t tpr = n->tpr;
        clear_registers(n);
        n->tpr = tpr;
    } else if (n->id.mode == APIC_DISABLED) {
        n->id.id8 = (uint8_t)n->id.id32;
    } else {
        n->id.ldr = 0;
    }
    n->id.mode = (uint8_t)mode;
}

/* ---- Naive: messages ---- */

static void naive_take(struct naive *n, const struct apic_msg *msg)
{
    switch (msg->delivery) {
    case APIC_FIXED:
    case APIC_LOWEST:
        if (msg->vector >= 16) {
            n->irr[msg->vector] = true;
            n->tmr[msg->vector] = msg->level;
        }
        break;
    case APIC_NMI:
        n->nmi += n->nmi < 2;
        break;
    case APIC_INIT:
        n->init = true;
        n->sipi = false;
        n->nmi = 0;
        break;
    case APIC_SIPI:
        n->sipi_vector = n->sipi ? n->sipi_vector : msg->vector;
        n->sipi = true;
        break;
    default:
        n->extint = true;
        break;
    }
}

static void naive_send(const struct apic_msg *msg, int source)
{
    struct apic_identity ids[APICS];
    for (unsigned i = 0; i < APICS; i++) {
        ids[i] = naive[i].id;
    }
    uint64_t targets = model_targets(ids, APICS, naive_policy, msg, source);
    for (unsigned i = 0; i < APICS; i++) {
        if ((targets >> i & 1) != 0) {
            naive_take(&naive[i], msg);
        }
    }
}

static void naive_icr(unsigned i, uint32_t low, uint32_t dest)
{
    const struct apic_identity *id = &naive[i].id;
    bool wide = id->mode == APIC_X2APIC;
    struct apic_msg msg = {.dest = wide ? dest : dest >> 24,
                           .vector = (uint8_t)low,
                           .delivery = low >> 8 & 7,
                           .logical = (low & 0x800) != 0,
                           .shorthand = low >> 18 & 3,
                           .group = id->group,
                           .wide = wide};
    msg.broadcast = apic_dest_is_broadcast(msg.dest, wide);
    bool level_deassert = (low & 0xC000) == 0x8000;
    if (id->mode == APIC_DISABLED || msg.delivery == APIC_EXTINT ||
        (msg.delivery == APIC_INIT && level_deassert) || (msg.delivery == APIC_LOWEST && wide)) {
        return;
    }
    naive_send(&msg, (int)i);
}

/* ---- Naive: timer ---- */

static bool counts_down(const struct naive *n)
{
    return n->timer_mode < 2;
}

static void naive_fire(struct naive *n)
{
    if (!n->masked && n->timer_vector >= 16) {
        n->irr[n->timer_vector] = true;
        n->tmr[n->timer_vector] = false;
    }
}

static void naive_tick(struct naive *n)
{
    if (n->timer_mode == 2 && n->deadline != 0 && naive_now >= n->deadline) {
        n->deadline = 0;
        naive_fire(n);
    }
    if (n->ticks_left != 0 && --n->ticks_left == 0) {
        n->ticks_left = n->timer_mode == 1 ? (uint64_t)n->initial * n->divider : 0;
        naive_fire(n);
    }
}

static void naive_lvt_timer(struct naive *n, uint32_t value)
{
    uint8_t mode = value >> 17 & 3;
    bool counted = counts_down(n);
    bool changed = mode != n->timer_mode;
    n->timer_mode = mode;
    n->timer_vector = (uint8_t)value;
    n->masked = (value & APIC_LVT_MASKED) != 0 || !n->id.enabled;
    if (changed && !(counted && counts_down(n))) {
        n->initial = 0;
        n->ticks_left = 0;
        n->deadline = 0;
    }
}

static void naive_divide(struct naive *n, uint32_t value)
{
    static const uint32_t dividers[] = {2, 4, 8, 16, 32, 64, 128, 1};
    uint32_t divider = dividers[(value & 3) | (value >> 1 & 4)];
    n->ticks_left = (n->ticks_left * divider + n->divider - 1) / n->divider;
    n->divider = divider;
}

/* ---- One operation on both ---- */

static struct apic_msg decode_message(const struct op *op)
{
    struct apic_msg msg = {.dest = op->a,
                           .vector = (uint8_t)op->b,
                           .delivery = op->b >> 8 & 7,
                           .level = (op->b >> 11 & 1) != 0,
                           .logical = (op->b >> 12 & 1) != 0,
                           .wide = (op->b >> 13 & 1) != 0,
                           .group = op->b >> 14 & 1};
    msg.dest = msg.wide ? msg.dest : msg.dest & 0xFF;
    msg.level = msg.level && msg.delivery <= APIC_LOWEST;
    msg.broadcast = apic_dest_is_broadcast(msg.dest, msg.wide);
    return msg;
}

static void do_identity(struct lapic *l, struct naive *n, const struct op *op)
{
    bool xapic = n->id.mode == APIC_XAPIC;
    if (n->id.mode == APIC_DISABLED) {
        return;
    }
    switch (op->kind) {
    case OP_ID:
        rig_set(l, APIC_ID, op->a << 24);
        n->id.id8 = xapic ? (uint8_t)op->a : n->id.id8;
        break;
    case OP_LDR:
        rig_set(l, APIC_LDR, op->a << 24);
        n->id.ldr = xapic ? (uint8_t)op->a : n->id.ldr;
        break;
    case OP_DFR:
        rig_set(l, APIC_DFR, op->a << 28);
        n->id.dfr = xapic ? op->a & 0xF : n->id.dfr;
        break;
    case OP_SVR:
        rig_set(l, APIC_SVR, op->a & 0x1FF);
        n->id.enabled = (op->a & 0x100) != 0;
        n->masked |= !n->id.enabled;
        break;
    default:
        rig_set(l, APIC_TPR, op->a & 0xFF);
        n->tpr = (uint8_t)op->a;
        break;
    }
}

static void do_timer(struct lapic *l, struct naive *n, const struct op *op)
{
    uint32_t count = op->a % (MAX_COUNT + 1);
    if (n->id.mode == APIC_DISABLED) {
        return;
    }
    switch (op->kind) {
    case OP_LVT_TIMER:
        rig_set(l, APIC_LVT_TIMER, op->a & 0x700FF);
        naive_lvt_timer(n, op->a & 0x700FF);
        break;
    case OP_TIMER_INITIAL:
        rig_set(l, APIC_TIMER_INITIAL, count);
        n->initial = counts_down(n) ? count : 0;
        n->ticks_left = (uint64_t)n->initial * n->divider;
        break;
    case OP_TIMER_DIVIDE:
        rig_set(l, APIC_TIMER_DIVIDE, op->a & 0xB);
        naive_divide(n, op->a & 0xB);
        break;
    default:
        count = op->a % MAX_ADVANCE;
        lapic_write_tsc_deadline(l, count != 0 ? naive_now + count : 0);
        if (n->timer_mode == 2) {
            n->deadline = count != 0 ? naive_now + count : 0;
        }
        break;
    }
}

static void do_priority(struct lapic *l, struct naive *n, const struct op *op, bool planted)
{
    if (op->kind == OP_ACKNOWLEDGE) {
        int vector = naive_pending(n);
        lapic_acknowledge(l);
        if (vector >= 0) {
            n->irr[vector] = false;
            n->isr[vector] = true;
        }
        return;
    }
    int vector = highest(n->isr);
    lapic_eoi(l);
    n->isr[vector] = planted && vector / 16 == 0xB;
}

static void do_advance(const struct op *op)
{
    uint32_t ticks = op->a % MAX_ADVANCE;
    for (uint32_t t = 0; t < ticks; t++) {
        naive_now++;
        for (unsigned i = 0; i < APICS; i++) {
            naive_tick(&naive[i]);
        }
    }
    rig.now += ticks;
    for (unsigned i = 0; i < APICS; i++) {
        lapic_timer_expire(&rig.lapic[i], rig.now);
    }
}

static void do_op(const struct op *op, bool planted)
{
    static const uint64_t modes[] = {0, APIC_BASE_EN, APIC_BASE_EN | APIC_BASE_EXTD};
    unsigned i = op->apic % APICS;
    struct lapic *l = &rig.lapic[i];
    struct naive *n = &naive[i];
    struct apic_msg msg;

    switch (op->kind) {
    case OP_BASE:
        (void)lapic_write_base(l, APIC_BASE_DEFAULT | modes[op->a % 3]);
        naive_base(n, op->a % 3);
        break;
    case OP_ICR:
        lapic_write_icr(l, (uint64_t)op->a << 32 | op->b);
        naive_icr(i, op->b, op->a);
        break;
    case OP_MESSAGE:
        msg = decode_message(op);
        apic_route(&rig.domain, &msg);
        naive_send(&msg, MODEL_NOBODY);
        break;
    case OP_ACKNOWLEDGE:
    case OP_EOI:
        do_priority(l, n, op, planted);
        break;
    case OP_INIT:
        lapic_init_signal(l);
        clear_registers(n);
        break;
    case OP_RESET:
        lapic_reset(l);
        naive_reset(n);
        break;
    case OP_LVT_TIMER:
    case OP_TIMER_INITIAL:
    case OP_TIMER_DIVIDE:
    case OP_DEADLINE:
        do_timer(l, n, op);
        break;
    case OP_ADVANCE:
        do_advance(op);
        break;
    default:
        do_identity(l, n, op);
        break;
    }
}

/* ---- Comparison ---- */

static const char *compare_vectors(const struct lapic *l, const struct naive *n)
{
    for (unsigned v = 0; v < 256; v++) {
        struct lapic *apic = (struct lapic *)(uintptr_t)l;
        if (rig_bit(apic, APIC_IRR, (uint8_t)v) != n->irr[v]) {
            return "IRR";
        }
        if (rig_bit(apic, APIC_ISR, (uint8_t)v) != n->isr[v]) {
            return "ISR";
        }
        if (n->irr[v] && rig_bit(apic, APIC_TMR, (uint8_t)v) != n->tmr[v]) {
            return "TMR";
        }
    }
    return NULL;
}

static const char *compare_timer(struct lapic *l, const struct naive *n)
{
    if (l->regs[APIC_TIMER_INITIAL / 4] != n->initial) {
        return "initial count";
    }
    if (lapic_read_tsc_deadline(l) != n->deadline) {
        return "TSC deadline";
    }
    if (n->id.mode == APIC_DISABLED) {
        return NULL;
    }
    uint64_t count = (n->ticks_left + n->divider - 1) / n->divider;
    if (rig_get(l, APIC_TIMER_CURRENT) != count) {
        return "current count";
    }
    uint32_t lvt = n->timer_vector | (uint32_t)n->timer_mode << 17 | (n->masked ? 0x10000u : 0);
    return rig_get(l, APIC_LVT_TIMER) != lvt ? "LVT timer" : NULL;
}

static const char *compare_events(struct lapic *l, struct naive *n)
{
    struct lapic_events events = rig_merge(l);
    bool same = events.nmi == n->nmi && events.init == n->init && events.sipi == n->sipi &&
                (!n->sipi || events.sipi_vector == n->sipi_vector) && events.extint == n->extint;
    n->nmi = 0;
    n->init = n->sipi = n->extint = false;
    return same ? NULL : "events";
}

static const char *compare(struct lapic *l, struct naive *n)
{
    const char *what = compare_events(l, n);
    struct apic_identity id = model_identity(l);
    if (what == NULL && (id.mode != n->id.mode || id.enabled != n->id.enabled ||
                         (id.mode == APIC_XAPIC && (id.id8 != n->id.id8 || id.ldr != n->id.ldr)))) {
        what = "identity";
    }
    if (what == NULL && (int)l->regs[APIC_PPR / 4] != naive_ppr(n)) {
        what = "PPR";
    }
    if (what == NULL && lapic_pending(l) != naive_pending(n)) {
        what = "pending";
    }
    what = what != NULL ? what : compare_vectors(l, n);
    return what != NULL ? what : compare_timer(l, n);
}

static void begin(enum apic_policy policy)
{
    static const uint32_t id32s[APICS] = {0x23, 0x123, 0x05, 0x23};
    struct apic_config config = rig_default_config();
    config.policy = policy;
    config.groups = 2;
    rig_init(&rig, &config, APICS);
    naive_policy = policy;
    naive_now = rig.now = 1000;
    memset(naive, 0, sizeof(naive));
    for (unsigned i = 0; i < APICS; i++) {
        uint8_t group = i == 3;
        rig_add(&rig, id32s[i], group);
        naive[i].id = (struct apic_identity){.id32 = id32s[i], .group = group};
        naive_reset(&naive[i]);
    }
}

size_t history_run(const struct op *ops, size_t count, enum apic_policy policy, bool planted,
                   const char **what)
{
    size_t failed = 0;
    begin(policy);
    for (size_t k = 0; k < count && failed == 0; k++) {
        do_op(&ops[k], planted);
        for (unsigned i = 0; i < APICS && failed == 0; i++) {
            *what = compare(&rig.lapic[i], &naive[i]);
            failed = *what != NULL ? k + 1 : 0;
        }
    }
    rig_destroy(&rig);
    return failed;
}
