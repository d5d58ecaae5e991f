/* SPDX-License-Identifier: BSD-2-Clause */
/* Builds 4-level page tables (SDM Vol 3A, "4-Level Paging"), in boot and in core. Pure. */
#pragma once

#include "core/types.h"

enum page_level { PAGE_4K, PAGE_2M, PAGE_1G };

struct page_tables {
    paddr_t root;
    uint64_t pointer_offset;    /* from a table's physical address to its pointer */
    paddr_t (*new_table)(void); /* a zeroed page; 0: there is none */
};

struct mapping {
    vaddr_t address; /* all three are multiples of 4096 */
    paddr_t physical;
    uint64_t size;
    uint64_t bits;           /* of every entry beside P, A and D: PTE_RW, PTE_NX, ... */
    enum page_level largest; /* page that may be used */
};

/* False: there is no page for a table, or part of the range is already mapped. */
bool page_tables_map(const struct page_tables *tables, const struct mapping *m);
