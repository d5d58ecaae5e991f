/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the processor itself does for a context's local APIC: SDM Vol 3C, "APIC Virtualization and
 * Virtual Interrupts". Which part of it is right for an APIC at a moment is core's to say
 * (core/guest/apic.c); how it is asked for is here.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "vmx/caps.h"

struct vmx_context;

/* Each may need one before it. */
enum vmx_apic_help {
    VMX_APIC_TPR_SHADOW, /* CR8 and TPR live in the register page */
    VMX_APIC_ACCESS,     /* accesses to the page at the APIC's base address */
    VMX_APIC_X2APIC,     /* accesses by MSR */
    VMX_APIC_REGISTERS,  /* reads from the page; writes reach us after the instruction */
    VMX_APIC_DELIVERY,   /* evaluates and delivers what IRR holds; EOI and self-IPI */
    VMX_APIC_POSTED,     /* merges the descriptor when the notification vector arrives */
    VMX_APIC_IPI,        /* posts IPIs through a table of descriptors */
    VMX_APIC_HELPS,
};

/* A set of them: bit 1 << help. */
typedef uint32_t vmx_apic_set;

#define VMX_APIC_ALL ((1u << VMX_APIC_HELPS) - 1)

static inline bool vmx_apic_in(vmx_apic_set set, enum vmx_apic_help help)
{
    return set & 1u << help;
}

const char *vmx_apic_name(enum vmx_apic_help help);

/* What is left of `wanted` on such a processor, where some need others. */
vmx_apic_set vmx_apic_usable(const struct vmx_caps *caps, vmx_apic_set wanted);

/* Why vmx_apic_usable() leaves `help` out, in words; NULL if it does not. */
const char *vmx_apic_refusal(const struct vmx_caps *caps, vmx_apic_set wanted,
                             enum vmx_apic_help help);

/* Host-physical address of the page that ept_add_view() shows where APICs are. */
uint64_t vmx_apic_access_page(void);

/* Where a context's APIC is. Both are whole pages: Bochs 3.0 takes no other descriptor. */
struct vmx_apic {
    uint32_t *registers;
    const void *descriptor;      /* posted-interrupt descriptor */
    uint8_t notification_vector; /* of its notifications while the context runs */
    const uint64_t *ipi_table;   /* VMX_APIC_IPI: vmx_apic_ipi_entry() by APIC ID; NULL: unused */
    uint16_t ipi_last;           /* ID of the last entry */
};

/* The table's entry for an ID: the descriptor to post to; NULL makes the processor exit instead. */
uint64_t vmx_apic_ipi_entry(const void *descriptor);

/* Tells *ctx, which is current, where its APIC is. Once, before any of the following. */
void vmx_apic_init(struct vmx_context *ctx, const struct vmx_apic *apic);

/*
 * Uses `set` from the next entry on: a subset of what vmx_apic_usable() answered, not both of
 * ACCESS and X2APIC; ACCESS only where the context's EPT tree has a view. With or without DELIVERY,
 * say anew what is pending (below). ctx is current.
 */
void vmx_apic_use(struct vmx_context *ctx, vmx_apic_set set);

/* With DELIVERY: the highest vectors in IRR and ISR, 0 if none, whenever software changed them. */
void vmx_apic_set_pending(struct vmx_context *ctx, uint8_t irr, uint8_t isr);

/* With DELIVERY: the vectors whose EOI has to call client->apic_eoi(). */
void vmx_apic_set_eoi_exits(struct vmx_context *ctx, const uint64_t bitmap[4]);

/* With TPR_SHADOW and without DELIVERY: client->attend() is called when TPR sinks below this
 * priority class. At most the present one. */
void vmx_apic_set_threshold(struct vmx_context *ctx, uint8_t class);
