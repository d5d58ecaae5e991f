/* SPDX-License-Identifier: BSD-2-Clause */
/* Senders and owners at once, built with ThreadSanitizer. Owners keep changing ID, LDR, mode and
 * enable bit; senders address them by what they last announced. Nothing sent after an announcement
 * may be lost, doubled, or reach the address given up before it.
 * Usage: stress_apic SECONDS; prints TAP. */
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "tests/host/apic_rig.h"

enum { OWNERS = 2, SENDERS = 2, ADDRESSES = 5, FIRST_VECTOR = 0x40 };

static struct rig rig;
static _Atomic bool stop;
static _Atomic unsigned failures;

/* One way to reach an owner's APIC: nobody else ever has it. */
enum address { BY_ID_A, BY_ID_B, BY_LDR, BY_X2APIC_ID, NOWHERE };

/* Even while `where` holds, odd while it changes. */
static struct {
    _Atomic unsigned version;
    _Atomic unsigned where;
    _Atomic uint64_t taken[SENDERS]; /* interrupts from each sender that the owner has served */
} owner[OWNERS];

static _Atomic uint64_t accepted[OWNERS][SENDERS];
static uint64_t checked[SENDERS], changes[OWNERS];

static void fail(const char *what)
{
    if (atomic_fetch_add(&failures, 1) < 10) {
        printf("# %s\n", what);
    }
}

/* ---- Owners ---- */

static void move(struct lapic *lapic, unsigned k, enum address where)
{
    uint32_t id = 0x10 + 2 * k;
    lapic_write_base(lapic, APIC_BASE_DEFAULT);
    if (where == NOWHERE) {
        return;
    }
    lapic_write_base(lapic, APIC_BASE_DEFAULT | APIC_BASE_EN);
    rig_set(lapic, APIC_ID, 0xE0u << 24);
    rig_enable(lapic);
    switch (where) {
    case BY_ID_A:
    case BY_ID_B:
        rig_set(lapic, APIC_ID, (id + (where == BY_ID_B)) << 24);
        break;
    case BY_LDR:
        rig_set(lapic, APIC_LDR, 1u << (24 + k));
        break;
    default:
        rig_to_x2apic(lapic);
        break;
    }
}

static void serve(struct lapic *lapic, unsigned k)
{
    /* Merging while disabled would drop what was accepted before; the accounts are kept exact. */
    if (lapic_mode(lapic) == APIC_DISABLED || !apic_posted(lapic->post)) {
        return;
    }
    rig_merge(lapic);
    for (int vector; (vector = lapic_pending(lapic)) >= 0;) {
        lapic_acknowledge(lapic);
        lapic_eoi(lapic);
        atomic_fetch_add(&owner[k].taken[vector - FIRST_VECTOR], 1);
    }
}

static void *own(void *argument)
{
    unsigned k = (unsigned)(uintptr_t)argument;
    struct lapic *lapic = &rig.lapic[k];
    unsigned seed = k + 1;
    rig_cpu = k;
    while (!atomic_load(&stop)) {
        apic_epoch_enter(&rig.epoch, rig_cpu);
        atomic_fetch_add(&owner[k].version, 1);
        serve(lapic, k);
        enum address where = (enum address)((unsigned)rand_r(&seed) % ADDRESSES);
        move(lapic, k, where);
        atomic_store(&owner[k].where, where);
        atomic_fetch_add(&owner[k].version, 1);
        apic_epoch_leave(&rig.epoch, rig_cpu);
        changes[k]++;
        for (unsigned i = 0; i < 3; i++) {
            serve(lapic, k);
            sched_yield();
        }
    }
    return NULL;
}

/* ---- Senders ---- */

static struct apic_msg to(unsigned k, unsigned where)
{
    struct apic_msg msg = {.delivery = APIC_FIXED};
    switch (where) {
    case BY_ID_A:
    case BY_ID_B:
        msg.dest = 0x10 + 2 * k + (where == BY_ID_B);
        break;
    case BY_LDR:
        msg.dest = 1u << k;
        msg.logical = true;
        break;
    default:
        msg.dest = rig.lapic[k].id32;
        msg.wide = true;
        break;
    }
    return msg;
}

/* Sends to one address of the owner; counts what was accepted. */
static unsigned send(unsigned s, unsigned k, unsigned where)
{
    struct apic_msg msg = to(k, where);
    msg.vector = (uint8_t)(FIRST_VECTOR + s);
    unsigned count = apic_route(&rig.domain, &msg);
    atomic_fetch_add(&accepted[k][s], count);
    return count;
}

/* One interrupt of a sender is under way to an owner at a time, so that none can merge. */
static bool settled(unsigned s, unsigned k)
{
    return atomic_load(&owner[k].taken[s]) == atomic_load(&accepted[k][s]);
}

static void probe(unsigned s, unsigned k)
{
    unsigned version = atomic_load(&owner[k].version);
    unsigned where = atomic_load(&owner[k].where);
    if (version % 2 != 0) {
        return;
    }
    unsigned elsewhere = (where + 1) % NOWHERE;
    unsigned wrong = send(s, k, elsewhere);
    bool fresh = wrong == 0;
    unsigned right = where != NOWHERE && fresh ? send(s, k, where) : 0;
    if (atomic_load(&owner[k].version) != version) {
        return;
    }
    checked[s]++;
    if (wrong != 0) {
        fail("delivered to an address that was given up");
    }
    if (fresh && right != (where != NOWHERE)) {
        fail(right == 0 ? "lost" : "doubled");
    }
}

static void *send_all(void *argument)
{
    unsigned s = (unsigned)(uintptr_t)argument;
    unsigned seed = 100 + s;
    rig_cpu = OWNERS + s;
    while (!atomic_load(&stop)) {
        unsigned k = (unsigned)rand_r(&seed) % OWNERS;
        apic_epoch_enter(&rig.epoch, rig_cpu);
        if (settled(s, k)) {
            probe(s, k);
        } else {
            struct apic_msg all = {.dest = 0xFF, .delivery = APIC_NMI, .broadcast = true};
            apic_route(&rig.domain, &all);
        }
        apic_epoch_leave(&rig.epoch, rig_cpu);
        sched_yield(); /* rather here than inside, where a writer would wait for us */
    }
    return NULL;
}

/* ---- The run ---- */

static void populate(void)
{
    struct apic_config config = rig_default_config();
    rig_init(&rig, &config, OWNERS);
    for (unsigned k = 0; k < OWNERS; k++) {
        if (rig_add(&rig, 0x1000 + k, 0) == NULL) {
            abort();
        }
        move(&rig.lapic[k], k, NOWHERE);
        atomic_init(&owner[k].where, NOWHERE);
    }
}

static void final_account(void)
{
    for (unsigned k = 0; k < OWNERS; k++) {
        move(&rig.lapic[k], k, BY_ID_A);
        serve(&rig.lapic[k], k);
        for (unsigned s = 0; s < SENDERS; s++) {
            if (!settled(s, k)) {
                fail("interrupts accepted and served differ at the end");
            }
        }
    }
}

int main(int argc, char **argv)
{
    pthread_t thread[OWNERS + SENDERS];
    if (argc != 2) {
        fprintf(stderr, "usage: stress_apic SECONDS\n");
        return 2;
    }
    struct timespec duration = {.tv_sec = atoi(argv[1])};
    populate();
    for (unsigned i = 0; i < OWNERS; i++) {
        pthread_create(&thread[i], NULL, own, (void *)(uintptr_t)i);
    }
    for (unsigned i = 0; i < SENDERS; i++) {
        pthread_create(&thread[OWNERS + i], NULL, send_all, (void *)(uintptr_t)i);
    }
    nanosleep(&duration, NULL);
    atomic_store(&stop, true);
    for (unsigned i = 0; i < OWNERS + SENDERS; i++) {
        pthread_join(thread[i], NULL);
    }
    final_account();
    uint64_t total = 0, moved = 0;
    for (unsigned i = 0; i < SENDERS; i++) {
        total += checked[i];
    }
    for (unsigned i = 0; i < OWNERS; i++) {
        moved += changes[i];
    }
    bool good = atomic_load(&failures) == 0 && total > 0;
    printf("1..1\n# %lu probes, %lu changes of address\n", total, moved);
    printf("%s 1 - nothing lost, doubled or misdirected\n", good ? "ok" : "not ok");
    rig_destroy(&rig);
    return good ? 0 : 1;
}
