/* SPDX-License-Identifier: BSD-2-Clause */
/* Builds 4-level page tables. */
#include "core/page_tables.h"

#include "core/x86.h"

enum { TABLE_ENTRIES = 512, TABLE_BITS = 9, TOP_LEVEL = 3 };

/* Bits of the address below an entry at that level; a level is an enum page_level, or TOP_LEVEL. */
static uint32_t level_shift(uint32_t level)
{
    return PAGE_SHIFT + TABLE_BITS * level;
}

static uint64_t *table_at(const struct page_tables *tables, paddr_t table)
{
    return (uint64_t *)(table + tables->pointer_offset);
}

/* The table below an entry, made if there is none. */
static uint64_t *next_table(const struct page_tables *tables, uint64_t *entry)
{
    if (!(*entry & PTE_P)) {
        paddr_t table = tables->new_table();

        if (table == 0)
            return NULL;
        *entry = table | PTE_P | PTE_RW | PTE_A;
    }
    return *entry & PTE_LARGE ? NULL : table_at(tables, *entry & PTE_ADDRESS);
}

static bool map_page(const struct page_tables *tables, vaddr_t address, uint32_t level,
                     uint64_t leaf)
{
    uint64_t *table = table_at(tables, tables->root);

    for (uint32_t l = TOP_LEVEL; table != NULL; l--) {
        uint64_t *entry = &table[(address >> level_shift(l)) % TABLE_ENTRIES];

        if (l > level) {
            table = next_table(tables, entry);
            continue;
        }
        if (*entry & PTE_P)
            return false;
        *entry = leaf | PTE_P | PTE_A | (leaf & PTE_RW ? PTE_D : 0) | (level > 0 ? PTE_LARGE : 0);
        return true;
    }
    return false;
}

bool page_tables_map(const struct page_tables *tables, const struct mapping *m)
{
    uint64_t done = 0;

    while (done < m->size) {
        vaddr_t address = m->address + done;
        paddr_t physical = m->physical + done;
        uint32_t level = m->largest;

        while (level > PAGE_4K && (!is_aligned(address | physical, 1ull << level_shift(level)) ||
                                   m->size - done < 1ull << level_shift(level)))
            level--;
        if (!map_page(tables, address, level, physical | m->bits))
            return false;
        done += 1ull << level_shift(level);
    }
    return true;
}
