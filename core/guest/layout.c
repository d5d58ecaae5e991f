/* SPDX-License-Identifier: BSD-2-Clause */
/* The guest's RAM as a function of its size. */
#include "core/guest/layout.h"

uint64_t guest_low_ram(uint64_t memory)
{
    return memory < GUEST_LOW_RAM_TOP ? memory : GUEST_LOW_RAM_TOP;
}

uint64_t guest_high_ram(uint64_t memory)
{
    return memory - guest_low_ram(memory);
}

size_t guest_memory_map(uint64_t memory, struct guest_map_entry map[GUEST_MAP_MAX])
{
    uint64_t high = guest_high_ram(memory);

    map[0] = (struct guest_map_entry){0, GUEST_CONVENTIONAL_TOP, GUEST_MAP_RAM};
    map[1] = (struct guest_map_entry){
        GUEST_CONVENTIONAL_TOP, GUEST_EXTENDED_BASE - GUEST_CONVENTIONAL_TOP, GUEST_MAP_RESERVED};
    map[2] = (struct guest_map_entry){GUEST_EXTENDED_BASE,
                                      guest_low_ram(memory) - GUEST_EXTENDED_BASE, GUEST_MAP_RAM};
    if (!high)
        return 3;
    map[3] = (struct guest_map_entry){GUEST_HIGH_RAM, high, GUEST_MAP_RAM};
    return 4;
}
