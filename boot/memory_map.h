/* SPDX-License-Identifier: BSD-2-Clause */
/* From the firmware's memory map to what core gets. Pure: no firmware calls. */
#ifndef LAPWING_BOOT_MEMORY_MAP_H
#define LAPWING_BOOT_MEMORY_MAP_H

#include <stdbool.h>
#include <stdint.h>

#include "boot/ranges.h"

/* What GetMemoryMap returned: size bytes of descriptors, one every descriptor_size bytes. */
struct firmware_map {
    const void *descriptors;
    uint64_t size;
    uint64_t descriptor_size;
};

/* Memory that holds something of the hypervisor's. */
struct memory_claim {
    uint64_t base;
    uint64_t size; /* bytes, whole pages */
};

/* Fills list (whatever it held before) with the map as it will be after ExitBootServices: memory of
 * boot services and of this application is free, except the claims; page 0 is reserved. Where the
 * firmware's descriptors overlap, the more cautious type wins. False: list is too small. */
bool memory_map_convert(const struct firmware_map *map, const struct memory_claim *claims,
                        uint32_t n_claims, struct range_list *list);

/* Reduces a list from memory_map_convert() to the RAM for the direct map, all of type
 * HANDOVER_FREE: everything but MMIO, less the hypervisor's image. False: list is too small. */
bool memory_map_direct(struct range_list *list, const struct memory_claim *image);

#endif
