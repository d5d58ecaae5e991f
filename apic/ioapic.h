/* SPDX-License-Identifier: BSD-2-Clause */
/* I/O APIC, version 20h (with the EOI register). Its own lock inside: every function may be
 * called by any CPU inside the domain's epoch, except ioapic_init(). */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "apic/msg.h"

struct apic_domain;

enum {
    IOAPIC_MAX_LINES = 120, /* what the 8-bit index reaches */
    IOAPIC_DEFAULT_LINES = 24,
};

struct ioapic_params {
    unsigned lines; /* 1 to IOAPIC_MAX_LINES */
    uint8_t id;     /* 4 bits */
    /* APIC_MSI_15BIT: redirection-entry bits 55:49 extend the destination; else 8 bits. */
    enum apic_msi_format format;
};

/* Fields are internal to apic/. */
struct ioapic {
    struct apic_domain *domain;
    _Atomic uint32_t lock;
    struct ioapic_params params;
    uint32_t id; /* register 0 */
    uint8_t index;
    uint64_t entry[IOAPIC_MAX_LINES];
    uint8_t line[IOAPIC_MAX_LINES]; /* input level, before polarity */
};

/* Makes an I/O APIC, all lines low and masked, part of the domain. False when the domain has
 * APIC_MAX_IOAPICS already or a parameter is out of range. Configuration. */
bool ioapic_init(struct ioapic *ioapic, struct apic_domain *domain,
                 const struct ioapic_params *params);

/* Back to power-on state; the lines keep their level. */
void ioapic_reset(struct ioapic *ioapic);

/* Sets the level of an input: `active` means asserted, whatever the entry's polarity bit says. */
void ioapic_set_line(struct ioapic *ioapic, unsigned line, bool active);

/* MMIO: index at 00h, data at 10h, EOI at 40h; 32-bit accesses. Anything else reads 0 and
 * ignores writes. */
uint32_t ioapic_read(struct ioapic *ioapic, uint32_t offset, unsigned size);
void ioapic_write(struct ioapic *ioapic, uint32_t offset, unsigned size, uint32_t value);

/* EOI message from an APIC of `group` for a level-triggered `vector`. */
void ioapic_eoi(struct ioapic *ioapic, uint8_t group, uint8_t vector);
