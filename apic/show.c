/* SPDX-License-Identifier: BSD-2-Clause */
/* Reading out a group's map, for people: which APICs it has for which destination. */
#include "apic/internal.h"
#include "apic/map.h"

struct show {
    const struct apic_map *map;
    apic_map_visitor *see;
    void *arg;
};

static void show_target(const struct show *show, enum apic_map_table table, uint32_t dest,
                        apic_target target)
{
    show->see(show->arg, table, dest, apic_target_post(target)->lapic);
}

static void show_slot(const struct show *show, const struct apic_slot *slot, uint32_t dest)
{
    const struct apic_entry *entries = (const struct apic_entry *)slot->who;
    if (slot->count == 1) {
        show_target(show, APIC_MAP_PHYSICAL, dest, slot->who);
        return;
    }
    for (uint32_t i = 0; i < slot->count; i++)
        show_target(show, APIC_MAP_PHYSICAL, dest, entries[i].target);
}

static void show_cluster(const struct show *show, enum apic_map_table table, uint32_t high,
                         const struct apic_cluster *cluster)
{
    for (uint32_t rest = cluster->present; rest != 0; rest &= rest - 1) {
        uint32_t bit = rest & -rest;
        const struct apic_run *run = apic_map_run(show->map, cluster, bit);
        for (uint32_t i = 0; i < run->count; i++)
            show_target(show, table, high | bit, show->map->logical[run->first + i].target);
    }
}

void apic_map_show(const struct apic_domain *domain, unsigned group, apic_map_visitor *see,
                   void *arg)
{
    const struct apic_map *map = atomic_load(&domain->group[group].map);
    struct show show = {.map = map, .see = see, .arg = arg};
    if (map == NULL)
        return;
    for (uint32_t id = 0; id < APIC_MAP_LOW; id++)
        show_slot(&show, &map->low[id], id);
    for (uint32_t i = 0; i <= map->hash_mask; i++)
        show_slot(&show, &map->high[i], map->high[i].key);
    show_cluster(&show, APIC_MAP_FLAT, 0, &map->flat);
    for (uint32_t i = 0; i < APIC_MAP_CLUSTERS; i++)
        show_cluster(&show, APIC_MAP_CLUSTER, i << 4, &map->cluster[i]);
    for (uint32_t i = 0; i <= map->hash_mask; i++)
        show_cluster(&show, APIC_MAP_X2APIC, map->x2apic[i].key << 16, &map->x2apic[i]);
}
