/* SPDX-License-Identifier: BSD-2-Clause */
/* Who accepts a message, worked out APIC by APIC with lapic_accepts(): what the maps must equal. */
#pragma once

#include "apic/accept.h"

enum { MODEL_MAX = 64, MODEL_NOBODY = -1 };

/* Bit i of the result: APIC i of the `count` (in order of creation) is delivered to. `source`: the
 * sender's number, or MODEL_NOBODY. */
uint64_t model_targets(const struct apic_identity *apics, unsigned count, enum apic_policy policy,
                       const struct apic_msg *msg, int source);

/* The identity an APIC has, read from its registers. */
struct apic_identity model_identity(const struct lapic *lapic);
