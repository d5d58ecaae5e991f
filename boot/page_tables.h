/* SPDX-License-Identifier: BSD-2-Clause */
/* Builds the hypervisor's page tables (SDM Vol 3A, "4-Level Paging"). Pure: table pages come from
 * a pool, and their physical addresses are used as pointers, as UEFI maps memory. */
#ifndef LAPWING_BOOT_PAGE_TABLES_H
#define LAPWING_BOOT_PAGE_TABLES_H

#include <stdbool.h>
#include <stdint.h>

enum page_access { PAGE_READ, PAGE_READ_WRITE, PAGE_READ_EXECUTE };

/* The largest page that may be used for a mapping. */
enum page_level { PAGE_4K, PAGE_2M, PAGE_1G };

struct mapping {
    uint64_t virtual_base; /* all three are multiples of 4096 */
    uint64_t physical_base;
    uint64_t size;
    enum page_access access;
    enum page_level largest;
};

struct page_tables {
    uint64_t root; /* the top table: the first page of the pool */
    uint64_t next; /* zeroed pages of the pool not used yet */
    uint64_t end;
};

/* Table pages that suffice for m, the top table not counted; to be added up over all mappings. */
uint64_t page_tables_bound(const struct mapping *m);

/* pool: size bytes of zeroed pages, at least one. */
void page_tables_start(struct page_tables *tables, uint64_t pool, uint64_t size);

/* False: the pool is used up, or part of the range is already mapped. */
bool page_tables_map(struct page_tables *tables, const struct mapping *m);

#endif
