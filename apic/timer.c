/* SPDX-License-Identifier: BSD-2-Clause */
/* The APIC timer (SDM Vol 3A, "APIC Timer"). One number describes it: the guest TSC of the next
 * expiry; the current count is derived from that. */
#include "apic/internal.h"

enum {
    MODE_SHIFT = 17,
    MODE_MASK = 3,
};

static uint64_t guest_now(struct lapic *lapic)
{
    struct apic_domain *domain = lapic->domain;
    return domain->calls.now(domain->ctx, lapic->owner);
}

static bool counts_down(const struct apic_timer *timer)
{
    return timer->mode == APIC_TIMER_ONESHOT || timer->mode == APIC_TIMER_PERIODIC;
}

/* Guest TSC ticks in `count` timer ticks, rounded up. At most 2^(32 + 7 + 16). */
static uint64_t ticks(const struct lapic *lapic, uint32_t count)
{
    const struct apic_config *config = &lapic->domain->config;
    uint64_t bus = (uint64_t)count << lapic->timer.divide;
    return (bus * config->bus_den + config->bus_num - 1) / config->bus_num;
}

static void start(struct lapic *lapic, uint64_t now)
{
    uint32_t count = *lapic_reg(lapic, APIC_TIMER_INITIAL);
    lapic->timer.armed = count != 0;
    lapic->timer.deadline = now + ticks(lapic, count);
    lapic_trace(lapic, APIC_TRACE_ARM, count != 0 ? lapic->timer.deadline : 0, 0);
}

static void disarm(struct lapic *lapic)
{
    lapic->timer.armed = false;
    *lapic_reg(lapic, APIC_TIMER_INITIAL) = 0;
}

/* The next multiple of the period after `now`; the periods before are lost. */
static void reload(struct lapic *lapic, uint64_t now)
{
    uint32_t count = *lapic_reg(lapic, APIC_TIMER_INITIAL);
    if (count == 0) {
        lapic->timer.armed = false;
        return;
    }
    uint64_t period = ticks(lapic, count);
    uint64_t periods = (now - lapic->timer.deadline) / period + 1;
    lapic->timer.deadline += periods * period;
}

static bool is_due(const struct apic_timer *timer, uint64_t now)
{
    return timer->armed && now >= timer->deadline;
}

bool lapic_timer_expire(struct lapic *lapic, uint64_t now)
{
    struct apic_timer *timer = &lapic->timer;
    if (!is_due(timer, now))
        return false;
    lapic_trace(lapic, APIC_TRACE_TIMER, timer->deadline, 0);
    if (timer->mode == APIC_TIMER_PERIODIC)
        reload(lapic, now);
    else
        timer->armed = false;
    lapic_deliver_lvt(lapic, APIC_LVT_TIMER);
    return (*lapic_reg(lapic, APIC_LVT_TIMER) & APIC_LVT_MASKED) == 0;
}

void lapic_timer_reset(struct lapic *lapic)
{
    lapic->timer =
        (struct apic_timer){.mode = APIC_TIMER_ONESHOT, .divide = 1, .lvt = APIC_LVT_MASKED};
}

/* One-shot and periodic share the running count; every other change of mode stops the timer. */
void lapic_timer_write_lvt(struct lapic *lapic, uint32_t value)
{
    struct apic_timer *timer = &lapic->timer;
    bool counted = counts_down(timer);
    uint8_t mode = (value >> MODE_SHIFT) & MODE_MASK;
    lapic_timer_expire(lapic, guest_now(lapic));
    if (mode != timer->mode) {
        timer->mode = mode;
        if (!counted || !counts_down(timer))
            disarm(lapic);
    }
    timer->lvt = value;
    *lapic_reg(lapic, APIC_LVT_TIMER) = value;
}

void lapic_timer_write_initial(struct lapic *lapic, uint32_t value)
{
    if (!counts_down(&lapic->timer)) {
        *lapic_reg(lapic, APIC_TIMER_INITIAL) = 0;
        return;
    }
    uint64_t now = guest_now(lapic);
    lapic_timer_expire(lapic, now);
    *lapic_reg(lapic, APIC_TIMER_INITIAL) = value;
    start(lapic, now);
}

/* Bits 3, 1 and 0 count /2, /4, ... /128, and then /1. */
static uint8_t divide_shift(uint32_t value)
{
    uint32_t code = (value & 3u) | (value & 8u) >> 1;
    return (code + 1) & 7u;
}

/* The count at this moment stays; only its speed changes. */
void lapic_timer_write_divide(struct lapic *lapic, uint32_t value)
{
    struct apic_timer *timer = &lapic->timer;
    uint8_t shift = divide_shift(value);
    if (counts_down(timer) && timer->armed && shift != timer->divide) {
        uint64_t now = guest_now(lapic);
        lapic_timer_expire(lapic, now);
        uint64_t left = timer->deadline - now;
        if (timer->armed) {
            timer->deadline =
                now + (((left << shift) + (UINT64_C(1) << timer->divide) - 1) >> timer->divide);
        }
    }
    timer->divide = shift;
    *lapic_reg(lapic, APIC_TIMER_DIVIDE) = value;
}

uint32_t lapic_timer_current(struct lapic *lapic)
{
    struct apic_timer *timer = &lapic->timer;
    const struct apic_config *config = &lapic->domain->config;
    if (!counts_down(timer) || !timer->armed)
        return 0;
    uint64_t now = guest_now(lapic);
    if (is_due(timer, now)) {
        lapic_timer_expire(lapic, now);
        if (!timer->armed)
            return 0;
    }
    uint64_t per_count = (uint64_t)config->bus_den << timer->divide;
    uint64_t count = ((timer->deadline - now) * config->bus_num + per_count - 1) / per_count;
    uint32_t initial = *lapic_reg(lapic, APIC_TIMER_INITIAL);
    return count < initial ? (uint32_t)count : initial;
}

uint64_t lapic_read_tsc_deadline(struct lapic *lapic)
{
    struct apic_timer *timer = &lapic->timer;
    if (timer->mode != APIC_TIMER_TSC_DEADLINE)
        return 0;
    lapic_timer_expire(lapic, guest_now(lapic));
    return timer->armed ? timer->deadline : 0;
}

bool lapic_write_tsc_deadline(struct lapic *lapic, uint64_t value)
{
    struct apic_timer *timer = &lapic->timer;
    if (timer->mode != APIC_TIMER_TSC_DEADLINE)
        return false;
    uint64_t now = guest_now(lapic);
    bool delivered = is_due(timer, now) && lapic_timer_expire(lapic, now);
    timer->deadline = value;
    timer->armed = value != 0;
    lapic_trace(lapic, APIC_TRACE_ARM, value, 0);
    delivered |= is_due(timer, now) && lapic_timer_expire(lapic, now);
    return delivered;
}
