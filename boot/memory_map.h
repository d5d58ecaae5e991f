/* SPDX-License-Identifier: BSD-2-Clause */
/* From the firmware's memory map to what core gets. Pure: no firmware calls. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "core/handover.h"

struct range_list {
    struct handover_range *ranges; /* sorted; neighbours of one type are merged */
    uint32_t count;
    uint32_t max;
};

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

/* Fills ram with the RAM for the direct map: everything but MMIO, less the hypervisor's image.
 * False: it is too small. */
bool memory_map_direct(const struct range_list *map, const struct memory_claim *image,
                       struct range_list *ram);

/* Bytes of that type. */
uint64_t ranges_total(const struct range_list *list, uint64_t type);
