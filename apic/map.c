/* SPDX-License-Identifier: BSD-2-Clause */
/* Building a group's routing map. Runs are laid out by counting first, then numbering, then
 * filling, so that a run lists its APICs in order of index. */
#include "apic/map.h"

#include "apic/internal.h"

enum {
    FLAT_BITS = 8,
    CLUSTER_BITS = 4,
    HASH_MIN_BITS = 3,
    DFR_CLUSTER = 0x0,
    DFR_FLAT = 0xF,
};

/* ---- Memory ---- */

/* Hash tables are at most half full. */
static uint32_t hash_bits(uint32_t count)
{
    uint32_t bits = HASH_MIN_BITS;
    while ((UINT32_C(1) << bits) < 2 * count)
        bits++;
    return bits;
}

static uint32_t max_runs(uint32_t capacity)
{
    return FLAT_BITS + APIC_MAP_CLUSTERS * CLUSTER_BITS + capacity;
}

size_t apic_map_size(uint32_t capacity)
{
    size_t slots = (size_t)1 << hash_bits(capacity);
    return sizeof(struct apic_map) +
           slots * (sizeof(struct apic_slot) + sizeof(struct apic_cluster)) +
           max_runs(capacity) * sizeof(struct apic_run) +
           (size_t)capacity * ((1 + 1 + FLAT_BITS) * sizeof(struct apic_entry) + sizeof(uint64_t));
}

void apic_map_format(struct apic_map *map, uint32_t capacity, enum apic_policy policy)
{
    size_t slots = (size_t)1 << hash_bits(capacity);
    map->capacity = capacity;
    map->policy = policy;
    map->high = (struct apic_slot *)(map + 1);
    map->everyone = (struct apic_entry *)(map->high + slots);
    map->physical = map->everyone + capacity;
    map->logical = map->physical + capacity;
    map->identity = (uint64_t *)(map->logical + (size_t)capacity * FLAT_BITS);
    map->runs = (struct apic_run *)(map->identity + capacity);
    map->x2apic = (struct apic_cluster *)(map->runs + max_runs(capacity));
}

static void clear(struct apic_map *map, uint32_t count)
{
    uint32_t bits = hash_bits(count);
    map->count = 0;
    map->hash_shift = 32 - bits;
    map->hash_mask = (UINT32_C(1) << bits) - 1;
    map->flat.present = 0;
    __builtin_memset(map->cluster, 0, sizeof(map->cluster));
    __builtin_memset(map->low, 0, sizeof(map->low));
    __builtin_memset(map->high, 0, sizeof(*map->high) << bits);
    __builtin_memset(map->x2apic, 0, sizeof(*map->x2apic) << bits);
    __builtin_memset(map->runs, 0, sizeof(*map->runs) * max_runs(count));
}

static apic_target target_of(const struct lapic *lapic, const struct apic_identity *id)
{
    return (apic_target)lapic->post | (id->enabled ? APIC_TARGET_ENABLED : 0) |
           (id->mode == APIC_X2APIC ? APIC_TARGET_X2APIC : 0);
}

/* ---- Physical destinations ---- */

static struct apic_slot *slot_for(struct apic_map *map, uint32_t dest)
{
    if (dest < APIC_MAP_LOW)
        return &map->low[dest];
    struct apic_slot *slot = &map->high[apic_map_high(map, dest) - map->high];
    slot->key = dest;
    return slot;
}

static uint32_t physical_id(const struct apic_identity *id)
{
    return id->mode == APIC_X2APIC ? id->id32 : id->id8;
}

static void count_physical(struct apic_map *map, const struct apic_identity *id)
{
    slot_for(map, physical_id(id))->count++;
}

/* The first visit to a slot with several APICs reserves their run. While it is filled, `bits` of
 * its first entry says how far. */
static void fill_physical(struct apic_map *map, const struct apic_identity *id, apic_target target,
                          uint32_t *used)
{
    struct apic_slot *slot = slot_for(map, physical_id(id));
    if (slot->count == 1) {
        slot->who = target;
        return;
    }
    if (slot->who == 0) {
        struct apic_entry *run = &map->physical[*used];
        slot->who = (uintptr_t)run;
        *used += slot->count;
        run->bits = 0;
    }
    struct apic_entry *run = (struct apic_entry *)slot->who;
    run[run->bits++].target = target;
}

/* APIC_POLICY_KVM_32BIT: one owner per destination. Members come in order of index. */
static void own(struct apic_slot *slot, apic_target target)
{
    bool x2apic = (target & APIC_TARGET_X2APIC) != 0;
    if (slot->count == 0 || (x2apic && (slot->who & APIC_TARGET_X2APIC) == 0)) {
        slot->who = target;
        slot->count = 1;
    }
}

static void own_physical(struct apic_map *map, const struct apic_identity *id, apic_target target)
{
    own(slot_for(map, physical_id(id)), target);
    if (id->mode == APIC_XAPIC && id->id32 >= APIC_MAP_LOW)
        own(slot_for(map, id->id32), target);
}

/* ---- Logical destinations ---- */

struct logical_id {
    struct apic_cluster *cluster; /* NULL: reachable by no logical destination */
    uint32_t bits;
};

static struct logical_id x2apic_logical(struct apic_map *map, uint32_t id32)
{
    uint32_t key = (id32 >> 4) & 0xFFFFu;
    struct apic_cluster *cluster = &map->x2apic[apic_map_x2apic(map, key) - map->x2apic];
    cluster->key = key;
    return (struct logical_id){cluster, UINT32_C(1) << (id32 & 0xFu)};
}

static struct logical_id logical_id(struct apic_map *map, const struct apic_identity *id)
{
    if (id->mode == APIC_X2APIC)
        return x2apic_logical(map, id->id32);
    switch (id->dfr) {
    case DFR_FLAT:
        return (struct logical_id){&map->flat, id->ldr};
    case DFR_CLUSTER:
        return (struct logical_id){&map->cluster[id->ldr >> 4], id->ldr & 0xFu};
    default:
        return (struct logical_id){NULL, 0};
    }
}

static void note_logical(struct apic_map *map, const struct apic_identity *id)
{
    struct logical_id logical = logical_id(map, id);
    if (logical.cluster != NULL)
        logical.cluster->present |= logical.bits;
}

static void number_runs(struct apic_cluster *cluster, uint32_t *used)
{
    cluster->run = *used;
    *used += apic_count_bits(cluster->present);
}

static uint32_t number_all_runs(struct apic_map *map)
{
    uint32_t used = 0;
    number_runs(&map->flat, &used);
    for (uint32_t i = 0; i < APIC_MAP_CLUSTERS; i++)
        number_runs(&map->cluster[i], &used);
    for (uint32_t i = 0; i <= map->hash_mask; i++)
        number_runs(&map->x2apic[i], &used);
    return used;
}

static void count_logical(struct apic_map *map, const struct apic_identity *id)
{
    struct logical_id logical = logical_id(map, id);
    for (uint32_t rest = logical.bits; rest != 0; rest &= rest - 1)
        apic_map_run(map, logical.cluster, rest & -rest)->count++;
}

/* Turns counts into first indices; filling counts again. */
static void place_runs(struct apic_map *map, uint32_t runs)
{
    uint32_t used = 0;
    for (uint32_t i = 0; i < runs; i++) {
        map->runs[i].first = used;
        used += map->runs[i].count;
        map->runs[i].count = 0;
    }
}

static void fill_logical(struct apic_map *map, const struct apic_identity *id, apic_target target)
{
    struct logical_id logical = logical_id(map, id);
    for (uint32_t rest = logical.bits; rest != 0; rest &= rest - 1) {
        struct apic_run *run = apic_map_run(map, logical.cluster, rest & -rest);
        map->logical[run->first + run->count++] =
            (struct apic_entry){.target = target, .bits = logical.bits};
    }
}

/* ---- The whole ---- */

static void take_identities(struct apic_map *map, struct lapic *const *members, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        map->identity[i] = atomic_load(&members[i]->identity);
}

static uint32_t number_everything(struct apic_map *map, struct lapic *const *members,
                                  uint32_t count)
{
    bool owned = map->policy == APIC_POLICY_KVM_32BIT;
    for (uint32_t i = 0; i < count; i++) {
        struct apic_identity id = lapic_unpack_identity(members[i], map->identity[i]);
        if (id.mode == APIC_DISABLED)
            continue;
        note_logical(map, &id);
        if (!owned)
            count_physical(map, &id);
    }
    uint32_t runs = number_all_runs(map);
    for (uint32_t i = 0; i < count; i++) {
        struct apic_identity id = lapic_unpack_identity(members[i], map->identity[i]);
        if (id.mode != APIC_DISABLED)
            count_logical(map, &id);
    }
    return runs;
}

static void fill_everything(struct apic_map *map, struct lapic *const *members, uint32_t count)
{
    bool owned = map->policy == APIC_POLICY_KVM_32BIT;
    uint32_t physical_used = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct apic_identity id = lapic_unpack_identity(members[i], map->identity[i]);
        if (id.mode == APIC_DISABLED)
            continue;
        apic_target target = target_of(members[i], &id);
        map->everyone[map->count++].target = target;
        fill_logical(map, &id, target);
        if (owned)
            own_physical(map, &id, target);
        else
            fill_physical(map, &id, target, &physical_used);
    }
}

void apic_map_build(struct apic_map *map, struct lapic *const *members, uint32_t count)
{
    clear(map, count);
    take_identities(map, members, count);
    place_runs(map, number_everything(map, members, count));
    fill_everything(map, members, count);
}
