/* SPDX-License-Identifier: BSD-2-Clause */
/* Register access by the guest: which registers exist, what may be written to them, and who acts on
 * a write (SDM Vol 3A, "Local APIC Register Address Map" and "x2APIC Register Address Space"). */
#include "apic/internal.h"

enum {
    REGISTERS = 0x40, /* 16 bytes each; the rest of the page is reserved */
    R = 1 << 0,       /* readable in xAPIC mode */
    W = 1 << 1,       /* writable in xAPIC mode */
    X2R = 1 << 2,     /* RDMSR works in x2APIC mode */
    X2W = 1 << 3,     /* WRMSR works in x2APIC mode */
    RO = R | X2R,
    RW = R | W | X2R | X2W,
};

struct rule {
    uint8_t access;
    uint32_t writable;  /* in x2APIC mode a 1 elsewhere is #GP, in xAPIC mode it is ignored */
    uint32_t read_only; /* ignored in both */
};

#define SLOT(reg)          ((reg) >> 4)
#define LVT_VECTOR         UINT32_C(0xFF)
#define LVT_SOURCE         (LVT_VECTOR | UINT32_C(0x700) | APIC_LVT_MASKED)
#define LVT_PIN            (LVT_SOURCE | APIC_LVT_POLARITY | APIC_LVT_LEVEL)
#define LVT_TIMER          (LVT_VECTOR | APIC_LVT_MASKED | UINT32_C(3) << 17)
#define LVT_RO             APIC_LVT_STATUS
#define PIN_RO             (APIC_LVT_STATUS | APIC_LVT_REMOTE_IRR)
#define TIMER_TSC_DEADLINE (UINT32_C(1) << 18)
#define ICR_WRITABLE       UINT32_C(0x000CCFFF)

static const struct rule rules[REGISTERS] = {
    [SLOT(APIC_ID)] = {R | W | X2R, 0xFF000000, 0},
    [SLOT(APIC_VERSION)] = {RO, 0, 0},
    [SLOT(APIC_TPR)] = {RW, 0xFF, 0},
    [SLOT(APIC_APR)] = {R, 0, 0},
    [SLOT(APIC_PPR)] = {RO, 0, 0},
    [SLOT(APIC_EOI)] = {R | W | X2W, 0, 0},
    [SLOT(APIC_RRD)] = {R, 0, 0},
    [SLOT(APIC_LDR)] = {R | W | X2R, 0xFF000000, 0},
    [SLOT(APIC_DFR)] = {R | W, 0xF0000000, 0},
    [SLOT(APIC_SVR)] = {RW, 0x1FF, 0},
    [SLOT(APIC_ISR)... SLOT(APIC_ISR) + 7] = {RO, 0, 0},
    [SLOT(APIC_TMR)... SLOT(APIC_TMR) + 7] = {RO, 0, 0},
    [SLOT(APIC_IRR)... SLOT(APIC_IRR) + 7] = {RO, 0, 0},
    [SLOT(APIC_ESR)] = {RW, 0, 0},
    [SLOT(APIC_LVT_CMCI)] = {RW, LVT_SOURCE, LVT_RO},
    [SLOT(APIC_ICR)] = {RW, ICR_WRITABLE, APIC_ICR_STATUS},
    [SLOT(APIC_ICR_HIGH)] = {R | W, 0xFF000000, 0},
    [SLOT(APIC_LVT_TIMER)] = {RW, LVT_TIMER, LVT_RO},
    [SLOT(APIC_LVT_THERMAL)] = {RW, LVT_SOURCE, LVT_RO},
    [SLOT(APIC_LVT_PMC)] = {RW, LVT_SOURCE, LVT_RO},
    [SLOT(APIC_LVT_LINT0)] = {RW, LVT_PIN, PIN_RO},
    [SLOT(APIC_LVT_LINT1)] = {RW, LVT_PIN, PIN_RO},
    [SLOT(APIC_LVT_ERROR)] = {RW, LVT_VECTOR | APIC_LVT_MASKED, LVT_RO},
    [SLOT(APIC_TIMER_INITIAL)] = {RW, UINT32_MAX, 0},
    [SLOT(APIC_TIMER_CURRENT)] = {RO, 0, 0},
    [SLOT(APIC_TIMER_DIVIDE)] = {RW, 0xB, 0},
    [SLOT(APIC_SELF_IPI)] = {X2W, 0xFF, 0},
};

/* The rule for the register at `offset` in this VM; no access at all where nothing exists. */
static inline __attribute__((always_inline)) struct rule rule_for(const struct lapic *lapic,
                                                                  uint32_t offset)
{
    const struct apic_config *config = &lapic->domain->config;
    if (SLOT(offset) >= REGISTERS)
        return (struct rule){0};
    struct rule rule = rules[SLOT(offset)];
    switch (offset) {
    case APIC_SVR:
        rule.writable |= config->eoi_suppression ? APIC_SVR_SUPPRESS_EOI : 0;
        break;
    case APIC_LVT_CMCI:
        rule.access = config->cmci ? rule.access : 0;
        break;
    case APIC_LVT_TIMER:
        rule.writable &= config->tsc_deadline ? UINT32_MAX : ~TIMER_TSC_DEADLINE;
        break;
    default:
        break;
    }
    return rule;
}

void lapic_write_tpr(struct lapic *lapic, uint8_t tpr)
{
    *lapic_reg(lapic, APIC_TPR) = tpr;
    lapic_update_ppr(lapic);
}

static void write_id(struct lapic *lapic, uint32_t value)
{
    if (lapic->domain->config.writable_id)
        lapic->id8 = (uint8_t)(value >> 24);
    *lapic_reg(lapic, APIC_ID) = (uint32_t)lapic->id8 << 24;
    lapic_publish(lapic);
}

static void write_svr(struct lapic *lapic, uint32_t value)
{
    if (lapic->enabled != 0)
        lapic_merge_vectors(lapic);
    *lapic_reg(lapic, APIC_SVR) = value;
    lapic->enabled = value & APIC_SVR_ENABLE;
    if (lapic->enabled == 0)
        lapic_mask_lvts(lapic);
    lapic_publish(lapic);
}

/* A write shows what was logged and arms the error interrupt again. */
static void write_esr(struct lapic *lapic)
{
    *lapic_reg(lapic, APIC_ESR) = lapic->errors;
    lapic->errors = 0;
    lapic->error_armed = true;
}

/* Acts on a write of `value`, of which only writable bits are left. Never looks at what the page
 * holds for this register: with hardware assistance that is the guest's raw value. */
static void act_quietly(struct lapic *lapic, uint32_t reg, uint32_t value)
{
    if (reg == APIC_ICR) {
        *lapic_reg(lapic, APIC_ICR) = value;
        lapic_send_icr(lapic);
        return;
    }
    switch (reg) {
    case APIC_ID:
        write_id(lapic, value);
        break;
    case APIC_TPR:
        lapic_write_tpr(lapic, (uint8_t)value);
        break;
    case APIC_EOI:
        *lapic_reg(lapic, APIC_EOI) = 0;
        lapic_eoi(lapic);
        break;
    case APIC_LDR:
        *lapic_reg(lapic, APIC_LDR) = value;
        lapic_publish(lapic);
        break;
    case APIC_DFR:
        *lapic_reg(lapic, APIC_DFR) = value | UINT32_C(0x0FFFFFFF);
        lapic_publish(lapic);
        break;
    case APIC_SVR:
        write_svr(lapic, value);
        break;
    case APIC_ESR:
        write_esr(lapic);
        break;
    case APIC_ICR_HIGH:
        *lapic_reg(lapic, APIC_ICR_HIGH) = value;
        break;
    case APIC_TIMER_INITIAL:
        lapic_timer_write_initial(lapic, value);
        break;
    case APIC_TIMER_DIVIDE:
        lapic_timer_write_divide(lapic, value);
        break;
    case APIC_SELF_IPI:
        *lapic_reg(lapic, APIC_SELF_IPI) = 0;
        if ((uint8_t)value < APIC_FIRST_VECTOR)
            lapic_error(lapic, APIC_ESR_SEND_ILLEGAL);
        lapic_self_ipi(lapic, (uint8_t)value);
        break;
    default:
        lapic_write_lvt(lapic, reg, value);
        break;
    }
}

static __attribute__((noinline)) void trace_and_act(struct lapic *lapic, uint32_t reg,
                                                    uint32_t value)
{
    lapic_trace(lapic, APIC_TRACE_WRITE, reg, value);
    act_quietly(lapic, reg, value);
}

static inline void act(struct lapic *lapic, uint32_t reg, uint32_t value)
{
    if (apic_unlikely(lapic->traced))
        trace_and_act(lapic, reg, value);
    else
        act_quietly(lapic, reg, value);
}

/* The processor keeps TPR without us, and the page may hold vector 0 in IRR for its sake
 * (vmx/apic.c): 0-15 are reserved. */
static uint32_t current_value(struct lapic *lapic, uint32_t reg)
{
    switch (reg) {
    case APIC_TIMER_CURRENT:
        return lapic_timer_current(lapic);
    case APIC_PPR:
        lapic_update_ppr(lapic);
        return *lapic_reg(lapic, reg);
    case APIC_IRR:
        return *lapic_reg(lapic, reg) & ~UINT32_C(0xFFFF);
    default:
        return *lapic_reg(lapic, reg);
    }
}

uint64_t lapic_read(struct lapic *lapic, uint32_t offset, unsigned size)
{
    uint64_t ones = size >= 8 ? UINT64_MAX : (UINT64_C(1) << (8 * size)) - 1;
    if (lapic_mode(lapic) != APIC_XAPIC)
        return ones;
    uint32_t reg = offset & ~0xFu;
    if ((rule_for(lapic, reg).access & R) == 0) {
        lapic_error(lapic, APIC_ESR_ILLEGAL_ADDRESS);
        return 0;
    }
    uint32_t byte = offset & 0xFu;
    if (byte >= sizeof(uint32_t))
        return 0;
    return (current_value(lapic, reg) >> (8 * byte)) & ones;
}

void lapic_write(struct lapic *lapic, uint32_t offset, unsigned size, uint64_t value)
{
    if (lapic_mode(lapic) != APIC_XAPIC)
        return;
    uint32_t reg = offset & ~0xFu;
    struct rule rule = rule_for(lapic, reg);
    if ((rule.access & R) == 0) {
        lapic_error(lapic, APIC_ESR_ILLEGAL_ADDRESS);
        return;
    }
    if ((rule.access & W) == 0 || size != sizeof(uint32_t) || offset != reg)
        return;
    act(lapic, reg, (uint32_t)value & rule.writable);
}

void lapic_written(struct lapic *lapic, uint32_t offset)
{
    struct rule rule = rule_for(lapic, offset);
    uint32_t value = *lapic_reg(lapic, offset) & rule.writable;
    if (offset == APIC_LVT_TIMER) {
        /* An expiry before the write obeys the entry as it was. */
        *lapic_reg(lapic, offset) = lapic->timer.lvt;
    }
    act(lapic, offset, value);
}

static uint32_t msr_register(uint32_t msr)
{
    return (msr - APIC_MSR_FIRST) << 4;
}

bool lapic_rdmsr(struct lapic *lapic, uint32_t msr, uint64_t *value)
{
    uint32_t reg = msr_register(msr);
    if (lapic_mode(lapic) != APIC_X2APIC || (rule_for(lapic, reg).access & X2R) == 0)
        return false;
    *value = current_value(lapic, reg);
    if (reg == APIC_ICR)
        *value |= (uint64_t)lapic_reg(lapic, APIC_ICR)[1] << 32;
    return true;
}

bool lapic_wrmsr(struct lapic *lapic, uint32_t msr, uint64_t value)
{
    uint32_t reg = msr_register(msr);
    struct rule rule = rule_for(lapic, reg);
    if (lapic_mode(lapic) != APIC_X2APIC || (rule.access & X2W) == 0)
        return false;
    uint64_t allowed = rule.writable | rule.read_only;
    if (reg == APIC_ICR)
        allowed |= UINT64_C(0xFFFFFFFF) << 32;
    if ((value & ~allowed) != 0)
        return false;
    if (reg == APIC_ICR)
        lapic_reg(lapic, APIC_ICR)[1] = (uint32_t)(value >> 32);
    act(lapic, reg, (uint32_t)value & rule.writable);
    return true;
}

void lapic_write_icr(struct lapic *lapic, uint64_t icr)
{
    uint32_t high = (uint32_t)(icr >> 32);
    switch (lapic_mode(lapic)) {
    case APIC_DISABLED:
        return;
    case APIC_XAPIC:
        act(lapic, APIC_ICR_HIGH, high & UINT32_C(0xFF000000));
        break;
    case APIC_X2APIC:
        lapic_reg(lapic, APIC_ICR)[1] = high;
        break;
    }
    act(lapic, APIC_ICR, (uint32_t)icr & ICR_WRITABLE);
}

uint64_t lapic_read_cr8(const struct lapic *lapic)
{
    return *lapic_reg(lapic, APIC_TPR) >> 4;
}

bool lapic_write_cr8(struct lapic *lapic, uint64_t value)
{
    if (value > 15)
        return false;
    lapic_write_tpr(lapic, (uint8_t)(value << 4));
    return true;
}
