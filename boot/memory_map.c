/* SPDX-License-Identifier: BSD-2-Clause */
/* From the firmware's memory map to what core gets. */
#include "boot/memory_map.h"

#include "core/string.h"
#include "core/x86.h"

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

bool memory_map_direct(struct range_list *list, const struct memory_claim *image)
{
    uint32_t i = 0;

    while (i < list->count) {
        struct handover_range r = list->ranges[i];

        if (r.type == HANDOVER_FREE) {
            i++;
            continue;
        }
        if (r.type == HANDOVER_MMIO) {
            if (!ranges_remove(list, r.base, r.size))
                return false;
            continue;
        }
        /* Merges with its neighbours, so that what follows may be at i again. */
        if (!ranges_set(list, r.base, r.size, HANDOVER_FREE))
            return false;
        if (i > 0)
            i--;
    }
    return ranges_remove(list, image->base, image->size);
}
