/* SPDX-License-Identifier: BSD-2-Clause */
/* A sorted list of typed, not overlapping address ranges. */
#include "boot/ranges.h"

#include "core/string.h"

static uint64_t end_of(const struct handover_range *r)
{
    return r->base + r->size;
}

static bool insert(struct range_list *list, uint32_t at, struct handover_range r)
{
    if (list->count == list->max)
        return false;
    memmove(&list->ranges[at + 1], &list->ranges[at],
            (list->count - at) * sizeof(struct handover_range));
    list->ranges[at] = r;
    list->count++;
    return true;
}

static void drop(struct range_list *list, uint32_t at)
{
    list->count--;
    memmove(&list->ranges[at], &list->ranges[at + 1],
            (list->count - at) * sizeof(struct handover_range));
}

/* Index of the first range that ends after address. */
static uint32_t find(const struct range_list *list, uint64_t address)
{
    uint32_t i = 0;

    while (i < list->count && end_of(&list->ranges[i]) <= address)
        i++;
    return i;
}

static bool split(struct range_list *list, uint64_t address)
{
    uint32_t i = find(list, address);
    struct handover_range upper;

    if (i == list->count || list->ranges[i].base >= address)
        return true;
    upper = list->ranges[i];
    upper.size = end_of(&upper) - address;
    upper.base = address;
    list->ranges[i].size -= upper.size;
    return insert(list, i + 1, upper);
}

bool ranges_remove(struct range_list *list, uint64_t base, uint64_t size)
{
    uint32_t i;

    if (size == 0)
        return true;
    if (!split(list, base) || !split(list, base + size))
        return false;
    i = find(list, base);
    while (i < list->count && list->ranges[i].base < base + size)
        drop(list, i);
    return true;
}

static void merge_with_next(struct range_list *list, uint32_t i)
{
    struct handover_range *r = &list->ranges[i];

    if (i + 1 >= list->count || r[0].type != r[1].type || end_of(&r[0]) != r[1].base)
        return;
    r[0].size += r[1].size;
    drop(list, i + 1);
}

bool ranges_set(struct range_list *list, uint64_t base, uint64_t size, uint64_t type)
{
    struct handover_range r = {.base = base, .size = size, .type = type};
    uint32_t i;

    if (size == 0)
        return true;
    if (!ranges_remove(list, base, size))
        return false;
    i = find(list, base);
    if (!insert(list, i, r))
        return false;
    merge_with_next(list, i);
    if (i > 0)
        merge_with_next(list, i - 1);
    return true;
}

uint64_t ranges_total(const struct range_list *list, uint64_t type)
{
    uint64_t total = 0;

    for (uint32_t i = 0; i < list->count; i++) {
        if (list->ranges[i].type == type)
            total += list->ranges[i].size;
    }
    return total;
}
