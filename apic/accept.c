/* SPDX-License-Identifier: BSD-2-Clause */
/* The specification of routing, one APIC at a time. Section names are those of SDM Vol 3A,
 * chapter "Advanced Programmable Interrupt Controller". */
#include "apic/accept.h"

enum {
    DFR_CLUSTER = 0x0,
    DFR_FLAT = 0xF,
};

/* "Physical Destination Mode"; for x2APIC mode, "x2APIC Mode". */
static bool matches_physical(const struct apic_identity *apic, uint32_t dest,
                             enum apic_policy policy)
{
    if (apic->mode == APIC_X2APIC)
        return apic->id32 == dest;
    switch (policy) {
    case APIC_POLICY_KNL:
        return apic->id8 == (dest & 0xFFu);
    case APIC_POLICY_KVM_32BIT:
        return dest > 0xFF ? apic->id32 == dest : apic->id8 == dest;
    default:
        return apic->id8 == dest;
    }
}

/* "Logical Destination Mode": the bits of the APIC's own logical ID that the destination names. */
static uint32_t common_xapic_bits(const struct apic_identity *apic, uint32_t dest,
                                  enum apic_policy policy)
{
    if (policy == APIC_POLICY_KNL)
        dest &= 0xFFu;
    if (dest > 0xFF)
        return 0;
    switch (apic->dfr) {
    case DFR_FLAT:
        return dest & apic->ldr;
    case DFR_CLUSTER:
        return dest >> 4 == apic->ldr >> 4 ? dest & apic->ldr & 0xFu : 0;
    default:
        return 0;
    }
}

/* "Logical Destination Mode in x2APIC Mode". */
static uint32_t common_x2apic_bits(const struct apic_identity *apic, uint32_t dest)
{
    uint32_t cluster = (apic->id32 >> 4) & 0xFFFFu;
    return dest >> 16 == cluster ? dest & (UINT32_C(1) << (apic->id32 & 0xFu)) : 0;
}

static uint32_t common_bits(const struct apic_identity *apic, uint32_t dest,
                            enum apic_policy policy)
{
    return apic->mode == APIC_X2APIC ? common_x2apic_bits(apic, dest)
                                     : common_xapic_bits(apic, dest, policy);
}

bool lapic_matches(const struct apic_identity *apic, const struct apic_msg *msg,
                   enum apic_policy policy, bool self)
{
    if (apic->mode == APIC_DISABLED || apic->group != msg->group)
        return false;
    switch (msg->shorthand) { /* "Interrupt Command Register (ICR)", Destination Shorthand */
    case APIC_SELF:
        return self;
    case APIC_ALL:
        return true;
    case APIC_OTHERS:
        return !self;
    default:
        break;
    }
    if (msg->broadcast) /* "Determining IPI Destination", "Broadcast/Self Delivery Mode" */
        return true;
    return msg->logical ? common_bits(apic, msg->dest, policy) != 0
                        : matches_physical(apic, msg->dest, policy);
}

bool lapic_accepts(const struct apic_identity *apic, const struct apic_msg *msg,
                   enum apic_policy policy, bool self)
{
    switch (msg->delivery) { /* "Local APIC State After It Has Been Software Disabled" */
    case APIC_FIXED:
    case APIC_LOWEST:
    case APIC_EXTINT:
        return apic->enabled && lapic_matches(apic, msg, policy, self);
    case APIC_NMI:
    case APIC_INIT:
    case APIC_SIPI:
        return lapic_matches(apic, msg, policy, self);
    default:
        return false;
    }
}

/* A logical destination is searched in clusters of x2APIC mode, then flat, then xAPIC clusters,
 * each bit by bit; a truncated physical one after the exact one. */
unsigned apic_arbitration_rank(const struct apic_identity *apic, const struct apic_msg *msg)
{
    if (msg->shorthand != APIC_NO_SHORTHAND || msg->broadcast)
        return 0;
    if (!msg->logical)
        return msg->dest > 0xFF && apic->mode != APIC_X2APIC;
    if (apic->mode == APIC_X2APIC)
        return apic->id32 & 0xFu;
    unsigned bit = (unsigned)__builtin_ctz(apic->ldr & msg->dest);
    return apic->dfr == DFR_FLAT ? 16 + bit : 32 + bit;
}
