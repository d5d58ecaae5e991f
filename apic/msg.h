/* SPDX-License-Identifier: BSD-2-Clause */
/* A decoded interrupt message. ICR writes, MSIs, I/O APIC entries and hypercalls all become one of
 * these, and apic_route() (apic/domain.h) delivers it. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct lapic;

/* Delivery-mode encoding of ICR, LVT, MSI and I/O APIC alike. */
enum apic_delivery {
    APIC_FIXED = 0,
    APIC_LOWEST = 1,
    APIC_SMI = 2,
    APIC_RESERVED3 = 3,
    APIC_NMI = 4,
    APIC_INIT = 5,
    APIC_SIPI = 6,
    APIC_EXTINT = 7,
};

/* ICR bits 19:18. */
enum apic_shorthand {
    APIC_NO_SHORTHAND = 0,
    APIC_SELF = 1,
    APIC_ALL = 2,
    APIC_OTHERS = 3,
};

struct apic_msg {
    /* The sending APIC; NULL for an external interrupt, which may not use a shorthand. */
    const struct lapic *source;
    uint32_t dest;
    uint8_t vector;
    uint8_t delivery;  /* enum apic_delivery */
    uint8_t shorthand; /* enum apic_shorthand; other than none, `dest` and `logical` are ignored */
    uint8_t group;     /* whose APICs see it. An IPI carries its sender's group. */
    bool logical;
    bool level;     /* level-triggered: acceptance sets TMR */
    bool wide;      /* the sender's destination format has 32 bits, not 8 */
    bool broadcast; /* the sender's format says "all"; see apic_dest_is_broadcast() */
};

/* The all-ones destination of the sender's own format means everyone, in physical and logical
 * mode (SDM Vol 3A, "Determining IPI Destination"). Any code that fills in a message by hand sets
 * `broadcast` from this, once, at the sender: receivers in any mode then agree. */
static inline bool apic_dest_is_broadcast(uint32_t dest, bool wide)
{
    return dest == (wide ? UINT32_C(0xFFFFFFFF) : UINT32_C(0xFF));
}

/* How a VM's message-signalled interrupts carry their destination. */
enum apic_msi_format {
    APIC_MSI_8BIT,  /* address bits 19:12, as in the SDM */
    APIC_MSI_15BIT, /* and address bits 11:5 are dest[14:8] (the extended-destination agreement) */
    APIC_MSI_32BIT, /* and address bits 63:40 are dest[31:8], as in KVM's x2APIC format */
};

/* Decodes an MSI write of `data` to `address` into `msg`, addressed to group 0. False when it is no
 * interrupt message in this format (not FEExxxxxh, remappable, or a bit set that must be zero);
 * `msg` is then untouched. May be called anywhere. */
bool apic_msi_decode(enum apic_msi_format format, uint64_t address, uint32_t data,
                     struct apic_msg *msg);
