/* SPDX-License-Identifier: BSD-2-Clause */
/* Synthetic timers. */
#include "core/hyperv/stimer.h"

enum {
    FIRST_VECTOR = 16,
    PERIOD_FLOOR = 500, /* 50 us: with a shorter period a guest might never get to run */
};
#define CONFIG_RESERVED (MASK(63, 20) | MASK(15, 13))

void stimer_reset(struct stimer *t)
{
    *t = (struct stimer){.due = STIMER_NEVER};
}

static uint64_t saturating_add(uint64_t a, uint64_t b)
{
    return a + b < a ? STIMER_NEVER : a + b;
}

/* From the registers alone: what is written while a timer runs starts it anew. */
static void start(struct stimer *t, uint64_t now)
{
    t->owed = false;
    t->due = STIMER_NEVER;
    t->not_before = 0;
    if ((t->config & STIMER_ENABLED) && t->count != 0)
        t->due = t->config & STIMER_PERIODIC ? saturating_add(now, t->count) : t->count;
}

/* Message mode needs a SINT other than 0, which is the hypervisor's. */
bool stimer_write_config(struct stimer *t, uint64_t value, uint64_t now)
{
    bool direct = value & STIMER_DIRECT;

    if ((value & CONFIG_RESERVED) || (direct && field_get(value, STIMER_VECTOR) < FIRST_VECTOR))
        return false;
    if (!direct && field_get(value, STIMER_SINT) == 0)
        value &= ~STIMER_ENABLED;
    t->config = value;
    start(t, now);
    return true;
}

void stimer_write_count(struct stimer *t, uint64_t value, uint64_t now)
{
    t->count = value;
    if (value == 0)
        t->config &= ~STIMER_ENABLED;
    else if (t->config & STIMER_AUTO_ENABLE)
        t->config |= STIMER_ENABLED;
    start(t, now);
}

/* Periods that were missed are not made up for; the others stay where they were. */
static uint64_t next_period(uint64_t due, uint64_t period, uint64_t now)
{
    return saturating_add(due, (now - due) / period * period + period);
}

uint64_t stimer_due(const struct stimer *t)
{
    return max(t->due, t->not_before);
}

void stimer_expire(struct stimer *t, uint64_t now)
{
    if (now < stimer_due(t))
        return;
    if (!t->owed)
        t->expired = t->due;
    t->owed = true;
    if (t->config & STIMER_PERIODIC) {
        t->due = next_period(t->due, t->count, now);
        t->not_before = saturating_add(now, PERIOD_FLOOR);
    } else {
        t->config &= ~STIMER_ENABLED;
        t->due = STIMER_NEVER;
    }
}
