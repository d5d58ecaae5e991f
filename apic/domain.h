/* SPDX-License-Identifier: BSD-2-Clause */
/* An APIC domain: all local and I/O APICs of one VM, their groups, and the routing between them.
 *
 * Who may call what, in one place:
 *   configuration   one CPU at a time, the functions that say "configuration";
 *   senders         any CPU, at any time, no lock, inside apic_epoch_enter()/_leave();
 *   owner           see apic/lapic.h. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "apic/msg.h"

struct apic_map;
struct apic_post;
struct ioapic;
struct lapic;

enum {
    APIC_MAX_GROUPS = 16,
    APIC_MAX_APICS = 4096, /* per group */
    APIC_MAX_IOAPICS = 4,
};

/* Which APICs take a message with a physical destination. docs/apic.md works through an example. */
enum apic_policy {
    APIC_POLICY_ARCHITECTURAL, /* each APIC decides for itself; all that match accept */
    APIC_POLICY_KNL,           /* an xAPIC-mode APIC compares only dest[7:0] */
    APIC_POLICY_KVM_32BIT,     /* reachable by x2APIC ID in any mode; one owner per ID */
};

/* What one VM's APICs are like. */
struct apic_config {
    enum apic_policy policy;
    uint8_t groups;  /* 1 to APIC_MAX_GROUPS */
    uint8_t version; /* version register bits 7:0, 10h to 15h */
    uint8_t maxphyaddr;
    bool x2apic;          /* CPUID offers x2APIC mode */
    bool tsc_deadline;    /* CPUID offers the timer's TSC-deadline mode */
    bool cmci;            /* seventh LVT entry */
    bool eoi_suppression; /* SVR bit 12 and version bit 24 */
    bool writable_id;     /* software may write the xAPIC ID */
    /* Timer input clock: bus ticks = guest TSC ticks * bus_num / bus_den. Both 1 to 65535. */
    uint32_t bus_num;
    uint32_t bus_den;
};

enum apic_kick {
    APIC_KICK_PIR,   /* a bit was set in PIR: the notification vector is enough */
    APIC_KICK_EVENT, /* the mailbox was filled: the target must leave the guest and merge */
};

enum apic_trace_kind {
    APIC_TRACE_ROUTE,    /* msg; a = number of APICs that accepted */
    APIC_TRACE_DROP,     /* msg; a = enum apic_drop: why it goes nowhere */
    APIC_TRACE_POST,     /* lapic = target, msg: this APIC accepted */
    APIC_TRACE_MAP,      /* a = group, b = number of APICs: a new map was published */
    APIC_TRACE_BASE,     /* lapic; a = old, b = new IA32_APIC_BASE */
    APIC_TRACE_RESET,    /* lapic; a = 1 for INIT */
    APIC_TRACE_DISPATCH, /* lapic; a = vector moved from IRR to ISR */
    APIC_TRACE_EOI,      /* lapic; a = vector, b = 1 when broadcast to the I/O APICs */
    APIC_TRACE_ARM,      /* lapic; a = guest TSC of expiry, 0: the timer is stopped */
    APIC_TRACE_TIMER,    /* lapic; a = guest TSC of expiry: it has come */
    APIC_TRACE_ERROR,    /* lapic; a = ESR bits logged */
    APIC_TRACE_WRITE,    /* lapic; a = enum apic_reg, b = its writable bits of what is written */
};

enum apic_drop {
    APIC_DROP_SMI,           /* there is no system-management mode here */
    APIC_DROP_RESERVED,      /* reserved delivery mode */
    APIC_DROP_INIT_DEASSERT, /* meaningless since Pentium 4 */
    APIC_DROP_LOWEST_X2APIC, /* lowest priority is reserved in x2APIC mode: ESR bit 4 */
};

struct apic_trace {
    enum apic_trace_kind kind;
    const struct lapic *lapic;
    const struct apic_msg *msg;
    uint64_t a, b;
};

/* Supplied by the environment. `ctx` is the domain's, `owner` the cookie given to lapic_init(). */
struct apic_callbacks {
    /* Guest TSC of the context that owns the APIC, now. Called by the owner. */
    uint64_t (*now)(void *ctx, void *owner);
    /* Make the owner merge: wake it when it halts; when it runs on another CPU send it the
     * notification (APIC_KICK_PIR) or force it out (APIC_KICK_EVENT). Any CPU; may be the owner's
     * own. Must not block, must not call back into apic/. */
    void (*kick)(void *ctx, void *owner, enum apic_kick kind);
    /* Number of the calling CPU, below the epoch's count. */
    unsigned (*cpu)(void *ctx);
    /* Memory, 64-byte aligned. Called by configuration functions only. */
    void *(*alloc)(void *ctx, size_t size);
    void (*free)(void *ctx, void *memory, size_t size);
    /* A group's new map is in force: apic_sole_target() may answer anew, and may be called from
     * here only. NULL: nobody asks. By the CPU that made the change, which keeps the map then. */
    void (*remapped)(void *ctx, unsigned group);
    /* Told of every decision. NULL: off, at the price of one predictable branch. Any CPU. */
    void (*trace)(void *ctx, const struct apic_trace *what);
};

/* ---- When may an old map be reused? ------------------------------------------------------------
 * One `apic_epoch` per machine, shared by all its domains. A CPU is inside while it may hold a
 * pointer into a map: from VM exit to VM entry, and never while it runs a guest or idles. */
struct apic_epoch_cpu {
    _Alignas(64) _Atomic uint64_t inside; /* 0: outside; else the epoch seen on entering */
};

struct apic_epoch {
    _Atomic uint64_t now;
    unsigned cpus;
    struct apic_epoch_cpu *cpu;
};

/* `slots` is an array of `cpus` elements that lives as long as the epoch. Configuration. */
void apic_epoch_init(struct apic_epoch *epoch, struct apic_epoch_cpu *slots, unsigned cpus);

/* Brackets everything that routes messages. Not nested. Cost: one locked instruction to enter, a
 * plain store to leave. Called by the CPU `cpu` itself. */
static inline void apic_epoch_enter(struct apic_epoch *epoch, unsigned cpu)
{
    uint64_t now = atomic_load(&epoch->now);
    (void)atomic_exchange(&epoch->cpu[cpu].inside, now);
}

static inline void apic_epoch_leave(struct apic_epoch *epoch, unsigned cpu)
{
    atomic_store_explicit(&epoch->cpu[cpu].inside, 0, memory_order_release);
}

/* ---- Domain ------------------------------------------------------------------------------------
 * Fields are internal to apic/. */
struct apic_group {
    _Alignas(64) struct apic_map *_Atomic map; /* what senders read; replaced with one store */
    struct apic_domain *domain;
    _Alignas(64) _Atomic uint32_t lock; /* everything below */
    uint32_t count;
    uint32_t capacity;
    struct lapic **members;
    struct apic_map *spare;  /* the next map is built here */
    uint64_t spare_epoch;    /* CPUs that entered in this epoch or before may still read it */
    uint64_t built;          /* `wanted` that the newest map includes */
    _Atomic uint64_t wanted; /* counts changes of any member's identity; not under the lock */
};

struct apic_domain {
    struct apic_config config;
    struct apic_callbacks calls;
    void *ctx;
    struct apic_epoch *epoch;
    struct apic_group group[APIC_MAX_GROUPS];
    unsigned ioapics;
    struct ioapic *ioapic[APIC_MAX_IOAPICS];
};

/* Makes an empty domain. All callbacks but trace are required. Configuration. */
void apic_domain_init(struct apic_domain *domain, const struct apic_config *config,
                      const struct apic_callbacks *calls, void *ctx, struct apic_epoch *epoch);

/* Frees the maps. Nobody may send to the domain any more. Configuration. */
void apic_domain_destroy(struct apic_domain *domain);

/* Delivers a message to every APIC of msg->group that accepts it, and returns how many did
 * (lowest priority: 0 or 1). Takes no lock; writes only the targets' `struct apic_post`. When it
 * returns, every acceptor's bit is set. Any CPU, inside the epoch. `msg` must obey the rules in
 * apic/msg.h; a group that does not exist has no members. */
unsigned apic_route(struct apic_domain *domain, const struct apic_msg *msg);

/* For processors that post IPIs by themselves, to one APIC per ID: the post of the only APIC that
 * takes a Fixed message to physical `dest`, whatever the sender's mode; NULL if several do, none
 * does, or that depends on more than the ID. Inside `remapped` only. */
struct apic_post *apic_sole_target(const struct apic_domain *domain, unsigned group, uint32_t dest);

/* The map of a group as it is, for people: `see` is called for each APIC under each destination
 * that has one, one destination after the other. Physical: the ID; flat: a bit of the logical ID;
 * cluster, x2APIC: cluster and bit as in a logical destination. What a policy makes of a message
 * (broadcast, truncation to 8 bits) is not in the map. Any CPU, inside the epoch. */
enum apic_map_table {
    APIC_MAP_PHYSICAL,
    APIC_MAP_FLAT,
    APIC_MAP_CLUSTER,
    APIC_MAP_X2APIC,
};
typedef void apic_map_visitor(void *arg, enum apic_map_table table, uint32_t dest,
                              const struct lapic *lapic);
void apic_map_show(const struct apic_domain *domain, unsigned group, apic_map_visitor *see,
                   void *arg);
