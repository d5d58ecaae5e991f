/* SPDX-License-Identifier: BSD-2-Clause */
/* Routing a message: find who accepts in the group's map, and post to each. */
#include "apic/internal.h"
#include "apic/map.h"

#define ALWAYS_INLINE inline __attribute__((always_inline))

enum { EVERYONE = -1 };

/* One message on its way through the map. */
struct route {
    struct apic_domain *domain;
    const struct apic_msg *msg;
    const struct apic_post *except; /* the sender, under "all excluding self" */
    bool needs_enabled;
    bool count_only;
    int pick; /* EVERYONE, or the number of the one candidate to deliver to */
    unsigned accepted;
};

/* ---- Delivering to one APIC ---- */

static bool post(struct apic_post *post, const struct apic_msg *msg, enum apic_kick *kick)
{
    *kick = APIC_KICK_EVENT;
    if (msg->delivery > APIC_LOWEST)
        return apic_post_event(post, msg);
    if (apic_unlikely(msg->vector < APIC_FIRST_VECTOR))
        return apic_post_bad_vector(post);
    if (msg->level)
        return apic_post_level(post, msg->vector);
    /* Only the owner clears the TMR bit; the hardware's processing of the descriptor would not. */
    if (!apic_unlikely(apic_post_may_be_level(post, msg->vector)))
        *kick = APIC_KICK_PIR;
    return apic_post_edge(post, msg->vector);
}

static ALWAYS_INLINE void deliver(struct apic_domain *domain, struct apic_post *target,
                                  const struct apic_msg *msg)
{
    enum apic_kick kick;
    if (post(target, msg, &kick))
        domain->calls.kick(domain->ctx, target->owner, kick);
    apic_trace(domain, APIC_TRACE_POST, target->lapic, msg, 0, 0);
}

static ALWAYS_INLINE void visit(struct route *route, apic_target target)
{
    if (route->needs_enabled && (target & APIC_TARGET_ENABLED) == 0)
        return;
    struct apic_post *post = apic_target_post(target);
    if (post == route->except)
        return;
    unsigned number = route->accepted++;
    if (route->count_only || (route->pick != EVERYONE && number != (unsigned)route->pick))
        return;
    deliver(route->domain, post, route->msg);
}

/* ---- Finding them ---- */

static void visit_run(struct route *route, const struct apic_entry *entry, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        visit(route, entry[i].target);
}

static ALWAYS_INLINE void visit_slot(struct route *route, const struct apic_slot *slot)
{
    if (slot->count == 1)
        visit(route, slot->who);
    else if (slot->count != 0)
        visit_run(route, (const struct apic_entry *)slot->who, slot->count);
}

/* The xAPIC-mode APICs of a slot; those in x2APIC mode there have another ID than the message. */
static void visit_truncated(struct route *route, const struct apic_slot *slot)
{
    if (slot->count == 1) {
        if ((slot->who & APIC_TARGET_X2APIC) == 0)
            visit(route, slot->who);
        return;
    }
    const struct apic_entry *entry = (const struct apic_entry *)slot->who;
    for (uint32_t i = 0; i < slot->count; i++)
        if ((entry[i].target & APIC_TARGET_X2APIC) == 0)
            visit(route, entry[i].target);
}

static ALWAYS_INLINE void visit_physical(struct route *route, const struct apic_map *map,
                                         uint32_t dest)
{
    if (dest < APIC_MAP_LOW) {
        visit_slot(route, &map->low[dest]);
        return;
    }
    visit_slot(route, apic_map_high(map, dest));
    if (map->policy == APIC_POLICY_KNL)
        visit_truncated(route, &map->low[dest % APIC_MAP_LOW]);
}

/* The runs of a cluster's present bits follow each other. An APIC with several of the bits is
 * listed under each, and visited under the lowest. */
static void visit_cluster(struct route *route, const struct apic_map *map,
                          const struct apic_cluster *cluster, uint32_t bits)
{
    const struct apic_run *run = &map->runs[cluster->run];
    for (uint32_t rest = cluster->present; rest != 0; rest &= rest - 1, run++) {
        uint32_t bit = rest & -rest;
        if ((bits & bit) == 0)
            continue;
        const struct apic_entry *entry = &map->logical[run->first];
        for (uint32_t i = 0; i < run->count; i++)
            if ((entry[i].bits & bits & (bit - 1)) == 0)
                visit(route, entry[i].target);
    }
}

static void visit_logical(struct route *route, const struct apic_map *map, uint32_t dest)
{
    visit_cluster(route, map, apic_map_x2apic(map, dest >> 16), dest & 0xFFFFu);
    if (map->policy == APIC_POLICY_KNL)
        dest &= 0xFFu;
    if (dest > 0xFF)
        return;
    visit_cluster(route, map, &map->flat, dest);
    visit_cluster(route, map, &map->cluster[dest >> 4], dest & 0xFu);
}

static ALWAYS_INLINE void visit_all(struct route *route, const struct apic_map *map)
{
    const struct apic_msg *msg = route->msg;
    if (msg->shorthand != APIC_NO_SHORTHAND || msg->broadcast)
        visit_run(route, map->everyone, map->count);
    else if (msg->logical)
        visit_logical(route, map, msg->dest);
    else
        visit_physical(route, map, msg->dest);
}

/* ---- The message as a whole ---- */

/* Candidate number (vector modulo how many there are) takes it. */
static void arbitrate(struct route *route, const struct apic_map *map)
{
    route->count_only = true;
    visit_all(route, map);
    if (route->accepted == 0)
        return;
    route->count_only = false;
    route->pick = (int)(route->msg->vector % route->accepted);
    route->accepted = 0;
    visit_all(route, map);
    route->accepted = 1;
}

static bool deliverable(struct apic_domain *domain, const struct apic_msg *msg)
{
    if (msg->delivery != APIC_SMI && msg->delivery != APIC_RESERVED3)
        return true;
    apic_trace(domain, APIC_TRACE_DROP, msg->source, msg,
               msg->delivery == APIC_SMI ? APIC_DROP_SMI : APIC_DROP_RESERVED, 0);
    return false;
}

/* Only the issuing APIC, which needs no map. */
static unsigned route_to_self(struct apic_domain *domain, const struct apic_msg *msg)
{
    const struct lapic *self = msg->source;
    bool needs_enabled = msg->delivery <= APIC_LOWEST || msg->delivery == APIC_EXTINT;
    bool accepts = lapic_mode(self) != APIC_DISABLED && (!needs_enabled || self->enabled != 0);
    if (accepts)
        deliver(domain, self->post, msg);
    apic_trace(domain, APIC_TRACE_ROUTE, self, msg, accepts, 0);
    return accepts;
}

unsigned apic_route(struct apic_domain *domain, const struct apic_msg *msg)
{
    if (apic_unlikely(!deliverable(domain, msg)) || msg->group >= APIC_MAX_GROUPS)
        return 0;
    if (msg->shorthand == APIC_SELF)
        return route_to_self(domain, msg);
    const struct apic_map *map = atomic_load(&domain->group[msg->group].map);
    if (map == NULL)
        return 0;
    struct route route = {
        .domain = domain,
        .msg = msg,
        .except = msg->shorthand == APIC_OTHERS ? msg->source->post : NULL,
        .needs_enabled = msg->delivery <= APIC_LOWEST || msg->delivery == APIC_EXTINT,
        .pick = EVERYONE,
    };
    if (msg->delivery == APIC_LOWEST)
        arbitrate(&route, map);
    else
        visit_all(&route, map);
    apic_trace(domain, APIC_TRACE_ROUTE, msg->source, msg, route.accepted, 0);
    return route.accepted;
}

/* FFh is everyone for a sender in xAPIC mode and an ordinary ID for one in x2APIC mode. */
struct apic_post *apic_sole_target(const struct apic_domain *domain, unsigned group, uint32_t dest)
{
    const struct apic_map *map = atomic_load(&domain->group[group].map);
    if (map == NULL || apic_dest_is_broadcast(dest, false) || apic_dest_is_broadcast(dest, true))
        return NULL;
    bool low = dest < APIC_MAP_LOW;
    const struct apic_slot *slot = low ? &map->low[dest] : apic_map_high(map, dest);
    bool truncated = map->policy == APIC_POLICY_KNL && !low;
    if (slot->count != 1 || (slot->who & APIC_TARGET_ENABLED) == 0 ||
        (truncated && map->low[dest % APIC_MAP_LOW].count != 0))
        return NULL;
    return apic_target_post(slot->who);
}

bool lapic_post(struct lapic *target, uint8_t vector)
{
    struct apic_identity id = lapic_unpack_identity(target, atomic_load(&target->identity));
    struct apic_msg msg = {.delivery = APIC_FIXED, .vector = vector, .group = target->group};
    if (id.mode == APIC_DISABLED || !id.enabled)
        return false;
    deliver(target->domain, target->post, &msg);
    return true;
}
