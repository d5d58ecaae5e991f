/* SPDX-License-Identifier: BSD-2-Clause */
/* Who accepts a message, worked out APIC by APIC. */
#include "tests/host/apic_model.h"

static bool has_one_owner(enum apic_policy policy, const struct apic_msg *msg)
{
    return policy == APIC_POLICY_KVM_32BIT && !msg->logical && !msg->broadcast &&
           msg->shorthand == APIC_NO_SHORTHAND;
}

/* Of those that match, the first in x2APIC mode, else the first. */
static int owner(const struct apic_identity *apics, unsigned count, const struct apic_msg *msg)
{
    int found = MODEL_NOBODY;
    for (unsigned i = 0; i < count; i++) {
        if (!lapic_matches(&apics[i], msg, APIC_POLICY_KVM_32BIT, false)) {
            continue;
        }
        if (apics[i].mode == APIC_X2APIC) {
            return (int)i;
        }
        found = found == MODEL_NOBODY ? (int)i : found;
    }
    return found;
}

static uint64_t chosen(const struct apic_identity *apics, const struct apic_msg *msg,
                       uint64_t candidates)
{
    unsigned which = msg->vector % (unsigned)__builtin_popcountll(candidates);
    for (unsigned rank = 0;; rank++) {
        for (uint64_t rest = candidates; rest != 0; rest &= rest - 1) {
            unsigned i = (unsigned)__builtin_ctzll(rest);
            if (apic_arbitration_rank(&apics[i], msg) == rank && which-- == 0) {
                return UINT64_C(1) << i;
            }
        }
    }
}

uint64_t model_targets(const struct apic_identity *apics, unsigned count, enum apic_policy policy,
                       const struct apic_msg *msg, int source)
{
    uint64_t accepting = 0;
    int only = has_one_owner(policy, msg) ? owner(apics, count, msg) : MODEL_NOBODY;
    for (unsigned i = 0; i < count; i++) {
        bool excluded = has_one_owner(policy, msg) && only != (int)i;
        if (!excluded && lapic_accepts(&apics[i], msg, policy, source == (int)i)) {
            accepting |= UINT64_C(1) << i;
        }
    }
    return msg->delivery == APIC_LOWEST && accepting != 0 ? chosen(apics, msg, accepting)
                                                          : accepting;
}

struct apic_identity model_identity(const struct lapic *lapic)
{
    bool xapic = lapic_mode(lapic) == APIC_XAPIC;
    return (struct apic_identity){
        .id32 = lapic->id32,
        .mode = (uint8_t)lapic_mode(lapic),
        .id8 = (uint8_t)(lapic->regs[APIC_ID / 4] >> 24),
        .ldr = xapic ? (uint8_t)(lapic->regs[APIC_LDR / 4] >> 24) : 0,
        .dfr = (uint8_t)(lapic->regs[APIC_DFR / 4] >> 28),
        .enabled = (lapic->regs[APIC_SVR / 4] & APIC_SVR_ENABLE) != 0,
        .group = lapic->group,
    };
}
