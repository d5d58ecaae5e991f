/* SPDX-License-Identifier: BSD-2-Clause */
/* Histories: what guests and devices do to a small population, run on the engine and on a naive
 * second implementation side by side. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "apic/domain.h"

enum op_kind {
    OP_ID,
    OP_LDR,
    OP_DFR,
    OP_SVR,
    OP_TPR,
    OP_BASE,
    OP_ICR,
    OP_MESSAGE,
    OP_ACKNOWLEDGE,
    OP_EOI,
    OP_INIT,
    OP_RESET,
    OP_LVT_TIMER,
    OP_TIMER_INITIAL,
    OP_TIMER_DIVIDE,
    OP_DEADLINE,
    OP_ADVANCE,
    OP_KINDS,
};

/* `a` and `b` mean what the kind makes of them; any value is allowed. */
struct op {
    uint8_t kind;
    uint8_t apic;
    uint32_t a;
    uint32_t b;
};

/* Number of operations done when engine and naive model first differed, with *what naming the
 * difference; 0 when they agree to the end. `planted` makes the naive model wrong on purpose: it
 * forgets to end interrupts of class Bh. */
size_t history_run(const struct op *ops, size_t count, enum apic_policy policy, bool planted,
                   const char **what);
