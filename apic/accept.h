/* SPDX-License-Identifier: BSD-2-Clause */
/* The specification of routing: does this APIC accept this message? Pure; the routing maps must
 * agree with it, and the tests compare them. */
#ifndef APIC_ACCEPT_H
#define APIC_ACCEPT_H

#include "apic/lapic.h"

/* Is the APIC one of those the destination names? Without policy's choice of one owner. `self`:
 * it is the sender. */
bool lapic_matches(const struct apic_identity *apic, const struct apic_msg *msg,
                   enum apic_policy policy, bool self);

/* lapic_matches(), and in a state to take this delivery mode. Of the APICs that accept a
 * lowest-priority message one is chosen; under APIC_POLICY_KVM_32BIT a physical destination
 * has one owner (apic_owns()). */
bool lapic_accepts(const struct apic_identity *apic, const struct apic_msg *msg,
                   enum apic_policy policy, bool self);

#endif
