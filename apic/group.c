/* SPDX-License-Identifier: BSD-2-Clause */
/* Groups: membership, and replacing the routing map under concurrent senders.
 *
 * A group has two maps. Senders read the published one; a change builds the other and swaps them
 * with one store. The old one is built over next time, once every CPU that might still read it has
 * left its epoch. So changing an identity never allocates and cannot fail. */
#include "apic/internal.h"
#include "apic/lock.h"
#include "apic/map.h"

enum { FIRST_CAPACITY = 4 };

/* A writer holds no map pointer, so it is outside the epoch while it waits for the lock or for
 * readers: two CPUs changing their APICs at once cannot wait for each other. Returns whether it was
 * inside before. */
static bool begin(struct apic_group *group)
{
    struct apic_domain *domain = group->domain;
    unsigned cpu = domain->calls.cpu(domain->ctx);
    bool inside = atomic_load(&domain->epoch->cpu[cpu].inside) != 0;
    apic_epoch_leave(domain->epoch, cpu);
    apic_lock(&group->lock);
    return inside;
}

static void end(struct apic_group *group, bool inside)
{
    struct apic_domain *domain = group->domain;
    apic_unlock(&group->lock);
    if (inside)
        apic_epoch_enter(domain->epoch, domain->calls.cpu(domain->ctx));
}

/* Builds into the spare map and publishes it. */
static void rebuild(struct apic_group *group)
{
    struct apic_domain *domain = group->domain;
    struct apic_map *next = group->spare;
    uint64_t wanted = atomic_load(&group->wanted);

    apic_epoch_wait(domain->epoch, group->spare_epoch);
    apic_map_build(next, group->members, group->count);
    group->spare = atomic_exchange(&group->map, next);
    group->spare_epoch = atomic_fetch_add(&domain->epoch->now, 1);
    group->built = wanted;
    if (domain->calls.remapped != NULL)
        domain->calls.remapped(domain->ctx, (unsigned)(group - domain->group));
    apic_trace(domain, APIC_TRACE_MAP, NULL, NULL, (uint64_t)(group - domain->group), group->count);
}

void apic_group_update(struct apic_group *group)
{
    uint64_t ticket = atomic_fetch_add(&group->wanted, 1) + 1;
    bool inside = begin(group);
    if (group->built < ticket)
        rebuild(group);
    end(group, inside);
}

/* ---- Memory ---- */

struct memory {
    uint32_t capacity;
    struct lapic **members;
    struct apic_map *map[2];
};

static struct apic_map *alloc_map(struct apic_domain *domain, uint32_t capacity)
{
    struct apic_map *map = domain->calls.alloc(domain->ctx, apic_map_size(capacity));
    if (map != NULL)
        apic_map_format(map, capacity, domain->config.policy);
    return map;
}

static void free_memory(struct apic_domain *domain, const struct memory *memory)
{
    for (unsigned i = 0; i < 2; i++)
        if (memory->map[i] != NULL)
            domain->calls.free(domain->ctx, memory->map[i], apic_map_size(memory->capacity));
    if (memory->members != NULL)
        domain->calls.free(domain->ctx, memory->members, memory->capacity * sizeof(struct lapic *));
}

static bool alloc_memory(struct apic_domain *domain, struct memory *memory, uint32_t capacity)
{
    memory->capacity = capacity;
    memory->members = domain->calls.alloc(domain->ctx, capacity * sizeof(struct lapic *));
    memory->map[0] = alloc_map(domain, capacity);
    memory->map[1] = alloc_map(domain, capacity);
    if (memory->members == NULL || memory->map[0] == NULL || memory->map[1] == NULL) {
        free_memory(domain, memory);
        return false;
    }
    return true;
}

static struct memory memory_of(struct apic_group *group)
{
    return (struct memory){group->capacity, group->members, {group->map, group->spare}};
}

/* Moves the group to larger memory, a rebuild included. */
static bool grow(struct apic_group *group)
{
    struct apic_domain *domain = group->domain;
    struct memory old = memory_of(group);
    struct memory new;
    if (!alloc_memory(domain, &new, old.capacity == 0 ? FIRST_CAPACITY : old.capacity * 2))
        return false;
    for (uint32_t i = 0; i < group->count; i++)
        new.members[i] = group->members[i];
    group->capacity = new.capacity;
    group->members = new.members;
    group->spare = new.map[0];
    rebuild(group);
    apic_epoch_wait(domain->epoch, group->spare_epoch);
    group->spare = new.map[1];
    free_memory(domain, &old);
    return true;
}

bool apic_group_add(struct apic_group *group, struct lapic *lapic)
{
    bool inside = begin(group);
    bool added = group->count < APIC_MAX_APICS && (group->count < group->capacity || grow(group));
    if (added) {
        lapic->index = group->count;
        lapic->post->index = group->count;
        group->members[group->count++] = lapic;
        rebuild(group);
    }
    end(group, inside);
    return added;
}

void apic_group_destroy(struct apic_group *group)
{
    struct memory memory = memory_of(group);
    free_memory(group->domain, &memory);
    group->count = 0;
    group->capacity = 0;
    group->members = NULL;
    group->map = NULL;
    group->spare = NULL;
}
