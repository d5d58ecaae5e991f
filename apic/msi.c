/* SPDX-License-Identifier: BSD-2-Clause */
/* MSI decoding (SDM Vol 3A, "Message Signalled Interrupts"). */
#include "apic/msg.h"

enum {
    ADDRESS_PREFIX = 0xFEE,
    PREFIX_SHIFT = 20,
    DEST_SHIFT = 12,
    EXTENDED_SHIFT = 5,
    EXTENDED_MASK = 0x7F,
    HIGH_DEST_SHIFT = 40,
};

#define REDIRECTION_HINT UINT32_C(0x8)
#define LOGICAL          UINT32_C(0x4)
#define REMAPPABLE       UINT32_C(0x10)
#define TRIGGER_LEVEL    UINT32_C(0x8000)

static bool address_is_valid(enum apic_msi_format format, uint64_t address)
{
    uint32_t low = (uint32_t)address;
    if (low >> PREFIX_SHIFT != ADDRESS_PREFIX || (low & REMAPPABLE) != 0)
        return false;
    uint64_t high = address >> 32;
    return format == APIC_MSI_32BIT ? (high & 0xFF) == 0 : high == 0;
}

static uint32_t destination(enum apic_msi_format format, uint64_t address)
{
    uint32_t dest = (address >> DEST_SHIFT) & 0xFFu;
    switch (format) {
    case APIC_MSI_15BIT:
        return dest | ((uint32_t)(address >> EXTENDED_SHIFT) & EXTENDED_MASK) << 8;
    case APIC_MSI_32BIT:
        return dest | (uint32_t)(address >> HIGH_DEST_SHIFT) << 8;
    default:
        return dest;
    }
}

bool apic_msi_decode(enum apic_msi_format format, uint64_t address, uint32_t data,
                     struct apic_msg *msg)
{
    if (!address_is_valid(format, address))
        return false;
    uint32_t dest = destination(format, address);
    uint8_t delivery = (data >> 8) & 7u;
    bool logical = (address & LOGICAL) != 0;
    bool wide = format == APIC_MSI_32BIT;

    /* With the hint, a logical set is a choice of one. */
    if (logical && (address & REDIRECTION_HINT) != 0 && delivery == APIC_FIXED)
        delivery = APIC_LOWEST;
    /* Only vectors have a trigger mode; the others are edge-triggered. */
    bool level = (data & TRIGGER_LEVEL) != 0 && delivery <= APIC_LOWEST;
    *msg = (struct apic_msg){
        .dest = dest,
        .vector = (uint8_t)data,
        .delivery = delivery,
        .logical = logical,
        .level = level,
        .wide = wide,
        .broadcast = apic_dest_is_broadcast(dest, wide),
    };
    return true;
}
