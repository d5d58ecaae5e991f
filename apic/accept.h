/* SPDX-License-Identifier: BSD-2-Clause */
/* The specification of routing: which APICs accept a message? Pure and slow; the routing maps must
 * agree with it, and the tests compare them. */
#pragma once

#include "apic/lapic.h"

/* Is the APIC one of those that the destination names? `self`: it is the sender. */
bool lapic_matches(const struct apic_identity *apic, const struct apic_msg *msg,
                   enum apic_policy policy, bool self);

/* lapic_matches(), and in a state to take the delivery mode. All that accept are delivered to,
 * with two exceptions:
 *  - of the APICs that accept a lowest-priority message, ordered by apic_arbitration_rank() and
 *    then by index, number (vector modulo how many they are) is chosen;
 *  - under APIC_POLICY_KVM_32BIT a physical, non-broadcast destination belongs to one APIC: of
 *    those that match, the first in x2APIC mode, else the first. The others do not match. */
bool lapic_accepts(const struct apic_identity *apic, const struct apic_msg *msg,
                   enum apic_policy policy, bool self);

/* Order among candidates of lowest-priority arbitration. The APIC matches. */
unsigned apic_arbitration_rank(const struct apic_identity *apic, const struct apic_msg *msg);
