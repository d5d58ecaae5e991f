/* SPDX-License-Identifier: BSD-2-Clause */
/* From the firmware's memory map to what core gets. */
#include "boot/memory_map.h"

#include "core/string.h"
#include "core/x86.h"

/* ---- Sorted lists of ranges ------------------------------------------------------------------ */

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

/* Takes [base, base + size), which does not wrap, out of the list. False: the list is full; its
 * contents are then not to be used. */
static bool ranges_remove(struct range_list *list, uint64_t base, uint64_t size)
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

/* Makes [base, base + size) be of that type, whatever was there. False as above. */
static bool ranges_set(struct range_list *list, uint64_t base, uint64_t size, uint64_t type)
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

/* ---- The firmware's map ---------------------------------------------------------------------- */

/* UEFI specification, "EFI_BOOT_SERVICES.GetMemoryMap()": memory types and attributes. Spelled out
 * here so that host tests need no UEFI headers. */
enum {
    EFI_RESERVED,
    EFI_LOADER_CODE,
    EFI_LOADER_DATA,
    EFI_BOOT_SERVICES_CODE,
    EFI_BOOT_SERVICES_DATA,
    EFI_RUNTIME_SERVICES_CODE,
    EFI_RUNTIME_SERVICES_DATA,
    EFI_CONVENTIONAL,
    EFI_UNUSABLE,
    EFI_ACPI_RECLAIM,
    EFI_ACPI_NVS,
    EFI_MMIO,
    EFI_MMIO_PORT_SPACE,
    EFI_PAL_CODE,
    EFI_PERSISTENT,
};
enum { ATTRIBUTE_WRITE_BACK = 1 << 3 };

struct descriptor {
    uint32_t type;
    uint32_t pad;
    uint64_t physical;
    uint64_t virtual_start;
    uint64_t pages;
    uint64_t attribute;
};
_Static_assert(sizeof(struct descriptor) == 40, "EFI_MEMORY_DESCRIPTOR");

/* 0: leave it out. Bad RAM must not be touched, and unaccepted or unknown kinds cannot be. */
static uint64_t handover_type(const struct descriptor *d)
{
    switch (d->type) {
    case EFI_LOADER_CODE:
    case EFI_LOADER_DATA:
    case EFI_BOOT_SERVICES_CODE:
    case EFI_BOOT_SERVICES_DATA:
    case EFI_CONVENTIONAL:
        return HANDOVER_FREE;
    case EFI_RESERVED: /* RAM or not: only RAM can be cached */
        return d->attribute & ATTRIBUTE_WRITE_BACK ? HANDOVER_RESERVED : HANDOVER_MMIO;
    case EFI_RUNTIME_SERVICES_CODE:
    case EFI_RUNTIME_SERVICES_DATA:
    case EFI_ACPI_RECLAIM:
    case EFI_ACPI_NVS:
    case EFI_PAL_CODE:
    case EFI_PERSISTENT:
        return HANDOVER_RESERVED;
    case EFI_MMIO:
    case EFI_MMIO_PORT_SPACE:
        return HANDOVER_MMIO;
    default:
        return 0;
    }
}

/* Enters the descriptors of one kind, each over whatever was there. */
static bool enter(const struct firmware_map *map, uint64_t type, struct range_list *list)
{
    const uint8_t *p = map->descriptors;

    for (uint64_t at = 0; at + sizeof(struct descriptor) <= map->size; at += map->descriptor_size) {
        struct descriptor d;

        memcpy(&d, p + at, sizeof(d));
        if (handover_type(&d) != type || d.physical >= DIRECT_MAP_SIZE ||
            d.pages > (DIRECT_MAP_SIZE - d.physical) >> PAGE_SHIFT)
            continue;
        if (!ranges_set(list, d.physical, d.pages << PAGE_SHIFT, type))
            return false;
    }
    return true;
}

bool memory_map_convert(const struct firmware_map *map, const struct memory_claim *claims,
                        uint32_t n_claims, struct range_list *list)
{
    list->count = 0;
    if (!enter(map, HANDOVER_FREE, list) || !enter(map, HANDOVER_RESERVED, list) ||
        !enter(map, HANDOVER_MMIO, list))
        return false;
    for (uint32_t i = 0; i < n_claims; i++) {
        if (!ranges_set(list, claims[i].base, claims[i].size, HANDOVER_HYPERVISOR))
            return false;
    }
    return ranges_set(list, 0, PAGE_SIZE, HANDOVER_RESERVED);
}

bool memory_map_direct(const struct range_list *map, const struct memory_claim *image,
                       struct range_list *ram)
{
    ram->count = 0;
    for (uint32_t i = 0; i < map->count; i++) {
        const struct handover_range *r = &map->ranges[i];

        if (r->type != HANDOVER_MMIO && !ranges_set(ram, r->base, r->size, HANDOVER_FREE))
            return false;
    }
    return ranges_remove(ram, image->base, image->size);
}
