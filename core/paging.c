/* SPDX-License-Identifier: BSD-2-Clause */
/* Changes the four-level page tables that boot/ built; mappings are only ever added. */
#include "core/paging.h"

#include "core/assert.h"
#include "core/bits.h"
#include "core/memory.h"
#include "core/page_tables.h"
#include "core/spinlock.h"
#include "core/x86.h"

enum {
    TABLE_ENTRIES = 512,
    TABLE_BITS = 9,
    TOP_LEVEL = 4,
};

static struct {
    struct spinlock lock;
    struct page_tables tables;
    vaddr_t next_device; /* the windows are used from their start upwards and never reused */
    vaddr_t next_stack;
} paging = {.next_device = MMIO_BASE, .next_stack = STACK_BASE};

static paddr_t new_table(void)
{
    void *page = page_alloc();

    return page != NULL ? virt_to_phys(page) : 0;
}

/* Whole pages; false when memory is short. */
static bool map(vaddr_t address, paddr_t physical, uint64_t size, uint64_t bits)
{
    const struct mapping mapping = {address, physical, size, bits | PTE_RW | PTE_NX | PTE_G,
                                    PAGE_4K};

    return page_tables_map(&paging.tables, &mapping);
}

void paging_init(paddr_t page_table)
{
    paging.tables = (struct page_tables){
        .root = page_table & PTE_ADDRESS,
        .pointer_offset = DIRECT_MAP_BASE,
        .new_table = new_table,
    };
}

static uint64_t *top_table(void)
{
    return phys_to_virt(paging.tables.root);
}

void *memory_map_device(paddr_t base, uint64_t size, enum memory_cache cache)
{
    /* cpu_init() makes PAT entry 3 (PCD, PWT) uncached and entry 4 (PAT) write-combining. */
    uint64_t bits = cache == MEMORY_WRITE_COMBINING ? PTE_PAT : PTE_PCD | PTE_PWT;
    paddr_t first = align_down(base, PAGE_SIZE);
    paddr_t end = align_up(base + size, PAGE_SIZE);

    spin_lock(&paging.lock);
    vaddr_t start = paging.next_device;
    ASSERT(end - first <= STACK_BASE - start);
    if (!map(start, first, end - first, bits))
        panic("no memory for the page tables of device registers");
    paging.next_device = start + (end - first);
    spin_unlock(&paging.lock);
    return (void *)(start + (base - first));
}

vaddr_t paging_map_stack(uint64_t size)
{
    ASSERT(is_aligned(size, PAGE_SIZE));
    char *block = memory_alloc(size, PAGE_SIZE);
    if (!block)
        return 0;

    spin_lock(&paging.lock);
    vaddr_t bottom = paging.next_stack + PAGE_SIZE;
    bool mapped = map(bottom, virt_to_phys(block), size, 0);
    paging.next_stack = bottom + size;
    spin_unlock(&paging.lock);
    return mapped ? bottom + size : 0;
}

/*
 * `rights` has PTE_RW and PTE_US as far as every level above grants them, and PTE_NX as soon as
 * one level sets it.
 */
static void check_table(const uint64_t *table, int level, vaddr_t address, uint64_t rights)
{
    for (unsigned int i = 0; i < TABLE_ENTRIES; i++) {
        uint64_t entry = table[i];
        if (!(entry & PTE_P))
            continue;
        vaddr_t page = address | (uint64_t)i << (PAGE_SHIFT + TABLE_BITS * (level - 1));
        if (level == TOP_LEVEL && i >= TABLE_ENTRIES / 2)
            page |= MASK(63, 48);
        uint64_t effective = (rights & entry & (PTE_RW | PTE_US)) | ((rights | entry) & PTE_NX);
        if (level > 1 && !(entry & PTE_LARGE)) {
            check_table(phys_to_virt(entry & PTE_ADDRESS), level - 1, page, effective);
            continue;
        }
        if ((effective & PTE_RW) && !(effective & PTE_NX))
            panic("page tables: %#lx is writable and executable", page);
        if (effective & PTE_US)
            panic("page tables: %#lx is open to user mode", page);
        if (page == 0)
            panic("page tables: page 0 is mapped");
    }
}

void paging_check(void)
{
    check_table(top_table(), TOP_LEVEL, 0, PTE_RW | PTE_US);
}

void paging_unmap_trampoline(void)
{
    uint64_t *table = top_table();
    for (unsigned int i = 0; i < TABLE_ENTRIES / 2; i++)
        table[i] = 0;
    write_cr3(read_cr3());
}
