/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * When a write of CR0, CR4 or EFER raises #GP. Pure.
 * Sources: SDM Vol 3A, "Control Registers" and "Initializing IA-32e Mode"; Vol 2B, "MOV - Move
 * to/from Control Registers".
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "core/bits.h"
#include "core/x86.h"

#define CR0_DEFINED                                                                                \
    (CR0_PE | CR0_MP | CR0_EM | CR0_TS | CR0_ET | CR0_NE | CR0_WP | CR0_AM | CR0_NW | CR0_CD |     \
     CR0_PG)
#define CR0_RELOADS_PDPTES (CR0_PG | CR0_CD | CR0_NW)
#define CR4_RELOADS_PDPTES (CR4_PAE | CR4_PGE | CR4_PSE | CR4_SMEP)
#define LMSW_BITS          (CR0_PE | CR0_MP | CR0_EM | CR0_TS)
#define PAE_CR3_ADDRESS    MASK(31, 5)
#define CR3_PCID           MASK(11, 0)

enum { CR8_MAX = 15, TSS_16BIT_BUSY = 3 };

/* The state before the write, as the guest sees it, and what it is allowed to have. */
struct control_state {
    uint64_t cr0, cr3, cr4, efer;
    uint64_t cr4_allowed, efer_allowed;
    bool cs_long;   /* CS.L */
    bool tss_16bit; /* TR holds one */
};

bool cr0_write_allowed(const struct control_state *s, uint64_t value);
bool cr4_write_allowed(const struct control_state *s, uint64_t value);
bool efer_write_allowed(const struct control_state *s, uint64_t value);

/* EFER.LMA follows CR0.PG while LME is set. */
uint64_t efer_after_cr0(uint64_t efer, uint64_t cr0);

/* Bits that must be 0 in a present PDPTE of PAE paging. */
uint64_t pdpte_reserved(unsigned physical_bits);
