/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Host memory: the allocator, the translation between physical and virtual addresses, and
 * mappings of device registers. All functions may be called on any CPU after memory_init().
 */
#pragma once

#include "core/layout.h"
#include "core/types.h"
#include "core/x86.h"

enum { MEMORY_GRANULE = 64 }; /* sizes are rounded up to this: no two blocks share a cache line */

/*
 * A zeroed, physically contiguous block. `align` is a power of two (below MEMORY_GRANULE counts
 * as that). NULL when no free range fits. Blocks stay mapped at the address returned.
 */
void *memory_alloc(size_t size, size_t align);

/* Gives back a block, or a part of one in multiples of MEMORY_GRANULE. NULL is allowed. */
void memory_free(void *block, size_t size);

/* One zeroed page, or NULL. */
void *page_alloc(void);
void page_free(void *page);

struct memory_statistics {
    uint64_t total; /* bytes the allocator was given */
    uint64_t free;
    uint64_t largest; /* bytes of the largest free range */
};

struct memory_statistics memory_statistics(void);

/*
 * Adds a range of RAM, reachable through the direct map, to the free memory. What lies below
 * 1 MiB is left out. At start, and for ranges nothing else uses.
 */
void memory_add(paddr_t base, uint64_t size);

/* Says where boot/ loaded the image, for virt_to_phys(). Once, before it is used. */
void memory_set_image(paddr_t base, uint64_t size);

/* The direct map's address of RAM. Host tests use physical addresses as they are. */
static inline void *phys_to_virt(paddr_t address)
{
#ifdef HOST_TEST
    return (void *)address;
#else
    return (void *)(address + DIRECT_MAP_BASE);
#endif
}

/* Of an address in the direct map or in the hypervisor's image; any other one panics. */
paddr_t virt_to_phys(const volatile void *address);

enum memory_cache { MEMORY_UNCACHED, MEMORY_WRITE_COMBINING };

/*
 * Maps device registers or a framebuffer, no-execute; any alignment. Never fails: panics when
 * page tables cannot be had. Mappings are for good; map each device once. (paging.c)
 */
void *memory_map_device(paddr_t base, uint64_t size, enum memory_cache cache);
