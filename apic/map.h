/* SPDX-License-Identifier: BSD-2-Clause */
/* One group's routing map: an immutable answer to "who accepts this?", built from the members'
 * identities. Every table is multi-valued. Internal to apic/.
 *
 *   physical      low[256] by destinations up to FFh, and a hash table by those above: a slot holds
 *                 one APIC, or points to a run of them
 *   logical       a cluster (flat mode counts as one) says which of its bits somebody has; the bits
 *                 present are numbered, and each has a run of APICs
 *   everyone      a run */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "apic/domain.h"
#include "apic/post.h"

/* Where to post, with flags in the low bits (a post is 64-byte aligned). */
typedef uintptr_t apic_target;

#define APIC_TARGET_ENABLED ((apic_target)1) /* software-enabled */
#define APIC_TARGET_X2APIC  ((apic_target)2) /* in x2APIC mode */
#define APIC_TARGET_FLAGS   ((apic_target)63)

static inline struct apic_post *apic_target_post(apic_target target)
{
    return (struct apic_post *)(target & ~APIC_TARGET_FLAGS);
}

struct apic_entry {
    apic_target target;
    uint32_t bits; /* logical tables: all the logical-ID bits the APIC answers to */
};

struct apic_slot {
    uintptr_t who; /* count 1: an apic_target; more: the address of that many apic_entry */
    uint32_t key;  /* hash table: the destination */
    uint32_t count;
};

struct apic_run {
    uint32_t first; /* into `logical` */
    uint32_t count;
};

struct apic_cluster {
    uint32_t key;     /* hash table: the cluster number */
    uint32_t present; /* bits that some APIC has; 0 marks a free slot */
    uint32_t run;     /* of the lowest bit present; the others follow */
};

enum {
    APIC_MAP_LOW = 256,
    APIC_MAP_CLUSTERS = 16,
};

struct apic_map {
    uint32_t capacity; /* APICs there is memory for */
    uint32_t count;    /* entries in `everyone` */
    uint32_t hash_shift;
    uint32_t hash_mask;
    enum apic_policy policy;
    struct apic_slot *high;      /* hash_mask + 1 slots */
    struct apic_cluster *x2apic; /* hash_mask + 1 slots */
    struct apic_run *runs;
    struct apic_entry *everyone;
    struct apic_entry *physical;
    struct apic_entry *logical;
    uint64_t *identity; /* of every member, as found when building began */
    struct apic_cluster flat;
    struct apic_cluster cluster[APIC_MAP_CLUSTERS];
    _Alignas(64) struct apic_slot low[APIC_MAP_LOW];
};

/* Bytes of a map for up to `capacity` APICs, and making one of such memory. */
size_t apic_map_size(uint32_t capacity);
void apic_map_format(struct apic_map *map, uint32_t capacity, enum apic_policy policy);

/* Replaces the map's contents by what the `count` members' identities say now. */
void apic_map_build(struct apic_map *map, struct lapic *const *members, uint32_t count);

/* Fibonacci hashing: spreads dense and strided numbers alike. */
static inline uint32_t apic_map_hash(const struct apic_map *map, uint32_t key)
{
    return (key * UINT32_C(0x9E3779B1)) >> map->hash_shift;
}

/* The slot of a destination above FFh, or an empty one. */
static inline const struct apic_slot *apic_map_high(const struct apic_map *map, uint32_t dest)
{
    uint32_t i = apic_map_hash(map, dest);
    while (map->high[i].count != 0 && map->high[i].key != dest)
        i = (i + 1) & map->hash_mask;
    return &map->high[i];
}

static inline const struct apic_cluster *apic_map_x2apic(const struct apic_map *map, uint32_t key)
{
    uint32_t i = apic_map_hash(map, key);
    while (map->x2apic[i].present != 0 && map->x2apic[i].key != key)
        i = (i + 1) & map->hash_mask;
    return &map->x2apic[i];
}

/* Number of bits set among 16. */
static inline uint32_t apic_count_bits(uint32_t bits)
{
    bits = (bits & 0x5555u) + (bits >> 1 & 0x5555u);
    bits = (bits & 0x3333u) + (bits >> 2 & 0x3333u);
    bits = (bits & 0x0F0Fu) + (bits >> 4 & 0x0F0Fu);
    return (bits & 0xFFu) + (bits >> 8);
}

/* The APICs of a cluster that have this bit, which is one of those present. */
static inline struct apic_run *apic_map_run(const struct apic_map *map,
                                            const struct apic_cluster *cluster, uint32_t bit)
{
    return &map->runs[cluster->run + apic_count_bits(cluster->present & (bit - 1))];
}
