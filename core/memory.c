/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * First-fit allocator of physical memory. The free ranges form a list sorted by address, whose
 * links lie in the free memory itself; neighbours are merged when a block comes back.
 */
#include "core/memory.h"

#include "core/assert.h"
#include "core/bits.h"
#include "core/spinlock.h"

#define LOW_MEMORY_END                                                                             \
    0x100000ull /* real-mode vectors, EBDA, the trampoline: not ours to hand out */

#ifdef HOST_TEST
#define PHYSICAL_SIZE BIT(47) /* the process's own address space stands for physical memory */
#else
#define PHYSICAL_SIZE DIRECT_MAP_SIZE
#endif

struct free_range {
    struct free_range *next;
    uint64_t size;
};
_Static_assert(sizeof(struct free_range) <= MEMORY_GRANULE, "a link fits the smallest range");

static struct {
    struct spinlock lock;
    struct free_range *first;
    uint64_t total;
    uint64_t free;
} pool;

static struct {
    paddr_t base;
    uint64_t size;
} image;

static uintptr_t end_of(const struct free_range *range)
{
    return (uintptr_t)range + range->size;
}

static bool merge_with_next(struct free_range *range)
{
    if (!range->next || end_of(range) != (uintptr_t)range->next)
        return false;
    range->size += range->next->size;
    range->next = range->next->next;
    return true;
}

static void insert(void *block, uint64_t size)
{
    struct free_range *range = block;
    struct free_range *previous = NULL;
    struct free_range **link = &pool.first;
    while (*link && *link < range) {
        previous = *link;
        link = &previous->next;
    }
    ASSERT(!previous || end_of(previous) <= (uintptr_t)range);
    ASSERT(!*link || (uintptr_t)range + size <= (uintptr_t)*link);

    range->size = size;
    range->next = *link;
    *link = range;
    merge_with_next(range);
    if (previous)
        merge_with_next(previous);
    pool.free += size;
}

/* Cuts [start, start + size) out of the range that `link` points to. */
static void cut(struct free_range **link, uintptr_t start, uint64_t size)
{
    struct free_range *range = *link;
    uint64_t before = start - (uintptr_t)range;
    uint64_t after = range->size - before - size;
    struct free_range *next = range->next;

    if (after) {
        struct free_range *rest = (struct free_range *)(start + size);
        rest->size = after;
        rest->next = next;
        next = rest;
    }
    if (before) {
        range->size = before;
        range->next = next;
    } else {
        *link = next;
    }
    pool.free -= size;
}

static void *take(uint64_t size, uint64_t align)
{
    for (struct free_range **link = &pool.first; *link; link = &(*link)->next) {
        uintptr_t start = align_up((uintptr_t)*link, align);
        if (start < (uintptr_t)*link || start - (uintptr_t)*link > (*link)->size)
            continue;
        if ((*link)->size - (start - (uintptr_t)*link) < size)
            continue;
        cut(link, start, size);
        return (void *)start;
    }
    return NULL;
}

/* Whole words at a time: guest memory is large, and a byte costs an emulator as much as a word. */
static void clear(void *block, uint64_t size)
{
    uint64_t words = size / sizeof(uint64_t);
    __asm__ volatile("rep stosq" : "+D"(block), "+c"(words) : "a"(0) : "memory");
}

void *memory_alloc(size_t size, size_t align)
{
    ASSERT(is_power_of_two(align));
    uint64_t rounded = align_up(size, MEMORY_GRANULE);
    if (rounded == 0)
        return NULL;
    spin_lock(&pool.lock);
    void *block = take(rounded, max(align, (size_t)MEMORY_GRANULE));
    spin_unlock(&pool.lock);
    if (block)
        clear(block, rounded);
    return block;
}

void memory_free(void *block, size_t size)
{
    if (!block)
        return;
    ASSERT(is_aligned((uintptr_t)block, MEMORY_GRANULE) && size != 0);
    spin_lock(&pool.lock);
    insert(block, align_up(size, MEMORY_GRANULE));
    spin_unlock(&pool.lock);
}

void *page_alloc(void)
{
    return memory_alloc(PAGE_SIZE, PAGE_SIZE);
}

void page_free(void *page)
{
    memory_free(page, PAGE_SIZE);
}

struct memory_statistics memory_statistics(void)
{
    struct memory_statistics statistics = {0};
    spin_lock(&pool.lock);
    statistics.total = pool.total;
    statistics.free = pool.free;
    for (const struct free_range *range = pool.first; range; range = range->next)
        statistics.largest = max(statistics.largest, range->size);
    spin_unlock(&pool.lock);
    return statistics;
}

void memory_add(paddr_t base, uint64_t size)
{
    paddr_t end = align_down(base + size, PAGE_SIZE);
    base = align_up(max(base, (paddr_t)LOW_MEMORY_END), PAGE_SIZE);
    if (base >= end)
        return;
    spin_lock(&pool.lock);
    insert(phys_to_virt(base), end - base);
    pool.total += end - base;
    spin_unlock(&pool.lock);
}

void memory_set_image(paddr_t base, uint64_t size)
{
    image.base = base;
    image.size = size;
}

paddr_t virt_to_phys(const volatile void *address)
{
    uintptr_t value = (uintptr_t)address;
    if (value - IMAGE_BASE < image.size)
        return value - IMAGE_BASE + image.base;
    uintptr_t direct_map = (uintptr_t)phys_to_virt(0);
    if (value - direct_map < PHYSICAL_SIZE)
        return value - direct_map;
    panic("no physical address is known for %p", (const void *)value);
}
