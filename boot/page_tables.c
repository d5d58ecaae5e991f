/* SPDX-License-Identifier: BSD-2-Clause */
/* Builds the hypervisor's page tables (SDM Vol 3A, "4-Level Paging"). */
#include "boot/page_tables.h"

#include "core/x86.h"

enum { TABLE_ENTRIES = 512, TOP_LEVEL = 3 };

/* Bits of the address below an entry at that level; a level is an enum page_level, or TOP_LEVEL. */
static uint32_t level_shift(uint32_t level)
{
    return PAGE_SHIFT + 9 * level;
}

static uint64_t level_size(uint32_t level)
{
    return 1ull << level_shift(level);
}

/* Tables whose entries are of that level, touched by the mapping. */
static uint64_t tables_touched(const struct mapping *m, uint32_t level)
{
    uint32_t shift = level_shift(level + 1);

    return ((m->virtual_base + m->size - 1) >> shift) - (m->virtual_base >> shift) + 1;
}

uint64_t page_tables_bound(const struct mapping *m)
{
    uint64_t pages = tables_touched(m, PAGE_1G);

    /* Where larger pages serve the middle, only the two ends need finer tables. */
    for (uint32_t level = PAGE_4K; level < PAGE_1G; level++)
        pages +=
            level == m->largest ? tables_touched(m, level) : min(tables_touched(m, level), 2ull);
    return pages;
}

void page_tables_start(struct page_tables *tables, uint64_t pool, uint64_t size)
{
    tables->root = pool;
    tables->next = pool + PAGE_SIZE;
    tables->end = pool + size;
}

static uint64_t *next_table(struct page_tables *tables, uint64_t *entry)
{
    if (*entry & PTE_P)
        return *entry & PTE_LARGE ? NULL : (uint64_t *)(*entry & PTE_ADDRESS);
    if (tables->next == tables->end)
        return NULL;
    *entry = tables->next | PTE_P | PTE_RW | PTE_A;
    tables->next += PAGE_SIZE;
    return (uint64_t *)(*entry & PTE_ADDRESS);
}

static uint64_t leaf(uint64_t physical, uint32_t level, enum page_access access)
{
    uint64_t entry = physical | PTE_P | PTE_A;

    if (level != PAGE_4K)
        entry |= PTE_LARGE;
    if (access == PAGE_READ_WRITE)
        entry |= PTE_RW | PTE_D;
    if (access != PAGE_READ_EXECUTE)
        entry |= PTE_NX;
    return entry;
}

static bool map_page(struct page_tables *tables, uint64_t virtual_address, uint32_t level,
                     uint64_t physical, enum page_access access)
{
    uint64_t *table = (uint64_t *)tables->root;
    uint64_t *entry = NULL;

    for (uint32_t l = TOP_LEVEL;; l--) {
        entry = &table[(virtual_address >> level_shift(l)) % TABLE_ENTRIES];
        if (l == level)
            break;
        table = next_table(tables, entry);
        if (table == NULL)
            return false;
    }
    if (*entry & PTE_P)
        return false;
    *entry = leaf(physical, level, access);
    return true;
}

static uint32_t largest_page(uint64_t virtual_address, uint64_t physical, uint64_t size,
                             enum page_level largest)
{
    uint32_t level = largest;

    while (level > PAGE_4K &&
           (!is_aligned(virtual_address | physical, level_size(level)) || size < level_size(level)))
        level--;
    return level;
}

bool page_tables_map(struct page_tables *tables, const struct mapping *m)
{
    uint64_t done = 0;

    while (done < m->size) {
        uint64_t virtual_address = m->virtual_base + done;
        uint64_t physical = m->physical_base + done;
        uint32_t level = largest_page(virtual_address, physical, m->size - done, m->largest);

        if (!map_page(tables, virtual_address, level, physical, m->access))
            return false;
        done += level_size(level);
    }
    return true;
}
