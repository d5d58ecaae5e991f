/* SPDX-License-Identifier: BSD-2-Clause */
/* Changes to the start-up's identity mapping, in pages of 4 KiB. */
#include "tests/guest/guest.h"

enum {
    ENTRIES = 512,
    POOL_PAGES = 64,
    LARGE_SIZE = 2 << 20,
};

static const uint64_t address_mask = 0x000ffffffffff000;

extern uint64_t boot_page_table[];

static uint8_t pool[POOL_PAGES][PAGE_SIZE] __attribute__((aligned(4096)));

void *page_alloc(void)
{
    static unsigned used;
    if (used == POOL_PAGES)
        bail_out("the guest's page pool is used up");
    return pool[used++];
}

static uint64_t *table_of(uint64_t entry)
{
    return (uint64_t *)(entry & address_mask);
}

static void split(uint64_t *large)
{
    uint64_t *table = page_alloc();
    for (unsigned i = 0; i < ENTRIES; i++)
        table[i] = (*large & ~(uint64_t)PAGE_LARGE) + i * PAGE_SIZE;
    *large = (uintptr_t)table | PAGE_PRESENT | PAGE_WRITE | PAGE_USER;
}

uint64_t *page_entry(uintptr_t address)
{
    uint64_t *pdpt = table_of(boot_page_table[0]);
    uint64_t *directory = table_of(pdpt[address >> 30 & (ENTRIES - 1)]);
    uint64_t *large = &directory[address >> 21 & (ENTRIES - 1)];
    if (*large & PAGE_LARGE)
        split(large);
    return &table_of(*large)[address >> 12 & (ENTRIES - 1)];
}

void map_page(uintptr_t address, uint64_t entry)
{
    *page_entry(address) = entry;
    invlpg(address);
}

/* The rights of an address are those that all levels give. */
void allow_user(void)
{
    uint64_t *pdpt = table_of(boot_page_table[0]);
    boot_page_table[0] |= PAGE_USER;
    pdpt[0] |= PAGE_USER;
    for (uintptr_t page = 0x100000; page < (uintptr_t)image_end; page += PAGE_SIZE)
        *page_entry(page) |= PAGE_USER;
    write_cr3(read_cr3());
}
