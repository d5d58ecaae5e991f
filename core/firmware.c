/* SPDX-License-Identifier: BSD-2-Clause */
/* Reaching the firmware's tables. */
#include "core/firmware.h"

#include "core/handover.h"
#include "core/memory.h"

static const struct handover *machine;

void firmware_init(const struct handover *handover)
{
    machine = handover;
}

/* RAM is in the direct map; nothing else may be touched by a wrong address. */
const void *firmware_map(paddr_t address, uint64_t size)
{
    for (uint32_t i = 0; i < machine->n_ranges; i++) {
        const struct handover_range *range = &machine->ranges[i];
        if (range->type == HANDOVER_MMIO || address < range->base)
            continue;
        uint64_t offset = address - range->base;
        if (offset < range->size && size <= range->size - offset)
            return phys_to_virt(address);
    }
    return NULL;
}
