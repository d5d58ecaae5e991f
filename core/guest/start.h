/* SPDX-License-Identifier: BSD-2-Clause */
/* The processor state a loader wants its guest to start with. */
#pragma once

#include <stdint.h>

enum guest_entry_mode {
    GUEST_ENTRY_LONG64,      /* EFER.LME+LMA, CR0.PE+PG, CR4.PAE; cs is a 64-bit code segment */
    GUEST_ENTRY_PROTECTED32, /* CR0.PE, no paging; cs and ds flat 4 GiB, 32 bit */
    GUEST_ENTRY_RESET,       /* as after reset, but for the base of CS; cs_base alone counts */
};

/* Interrupts are off and every register not named here is zero. ss, es (and fs, gs) are loaded with
 * ds. The GDT lies in guest memory, so that the guest may reload any of these selectors. */
struct guest_start {
    enum guest_entry_mode mode;
    uint64_t rip;
    uint64_t rsp;
    uint64_t rax;
    uint64_t rbx;
    uint64_t rsi;
    uint64_t cr3; /* 0 without paging */
    uint64_t gdt_base;
    uint16_t gdt_limit;
    uint16_t cs;
    uint16_t ds;
    uint64_t cs_base;
};
