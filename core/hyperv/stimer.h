/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A synthetic timer. TLFS, "Timers", "Synthetic Timers". Pure; times are partition reference time,
 * in units of 100 ns.
 */
#pragma once

#include <stdbool.h>

#include "core/hyperv/tlfs.h"

#define STIMER_ENABLED     BIT(0)
#define STIMER_PERIODIC    BIT(1)
#define STIMER_LAZY        BIT(2)
#define STIMER_AUTO_ENABLE BIT(3)
#define STIMER_VECTOR      MASK(11, 4)
#define STIMER_DIRECT      BIT(12)
#define STIMER_SINT        MASK(19, 16)

#define STIMER_NEVER UINT64_MAX

struct stimer {
    uint64_t config;
    uint64_t count;
    uint64_t due;        /* the next expiry; STIMER_NEVER: it stands */
    uint64_t not_before; /* but it waits until then */
    uint64_t expired;    /* when the expiry was due that is not announced yet */
    bool owed;           /* there is one */
};

void stimer_reset(struct stimer *t);

/* WRMSR at the time @now. An expiry that is still owed is forgotten. False: #GP. */
bool stimer_write_config(struct stimer *t, uint64_t value, uint64_t now);
void stimer_write_count(struct stimer *t, uint64_t value, uint64_t now);

/* When stimer_expire() has something to do; STIMER_NEVER: it stands. */
uint64_t stimer_due(const struct stimer *t);

/* Lets the timer run up to @now. When it expires, one expiry is owed, however many were missed. */
void stimer_expire(struct stimer *t, uint64_t now);
