/* SPDX-License-Identifier: BSD-2-Clause */
/* Routing by hand-picked examples: aliases, groups, policies, posting, lowest priority. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "apic/accept.h"
#include "apic/internal.h"
#include "tests/host/apic_rig.h"

static unsigned send(struct rig *rig, struct apic_msg msg)
{
    msg.broadcast = apic_dest_is_broadcast(msg.dest, msg.wide);
    return apic_route(&rig->domain, &msg);
}

static struct rig rig;

static void start(enum apic_policy policy, uint8_t groups)
{
    struct apic_config config = rig_default_config();
    config.policy = policy;
    config.groups = groups;
    rig_init(&rig, &config, 64);
}

static struct lapic *add(uint32_t id32, uint8_t group)
{
    struct lapic *lapic = rig_add(&rig, id32, group);
    assert_non_null(lapic);
    rig_enable(lapic);
    return lapic;
}

/* 0x23 and 0x123 share the xAPIC ID 0x23. */
static void truncated_ids_alias(void **state)
{
    (void)state;
    start(APIC_POLICY_ARCHITECTURAL, 1);
    struct lapic *a = add(0x23, 0);
    struct lapic *b = add(0x123, 0);
    assert_int_equal(send(&rig, (struct apic_msg){.dest = 0x23, .vector = 0x40}), 2);
    assert_true(rig_has(a, 0x40));
    assert_true(rig_has(b, 0x40));
    /* Nobody in xAPIC mode answers to a 32-bit destination above FFh. */
    assert_int_equal(send(&rig, (struct apic_msg){.dest = 0x123, .vector = 0x41, .wide = true}), 0);
    rig_to_x2apic(b);
    assert_int_equal(send(&rig, (struct apic_msg){.dest = 0x123, .vector = 0x41, .wide = true}), 1);
    assert_int_equal(send(&rig, (struct apic_msg){.dest = 0x23, .vector = 0x42}), 1);
    assert_false(rig_has(b, 0x42));
    rig_destroy(&rig);
}

static void knl_truncates_destinations(void **state)
{
    (void)state;
    start(APIC_POLICY_KNL, 1);
    struct lapic *a = add(0x23, 0);
    struct lapic *b = add(0x123, 0);
    rig_to_x2apic(b);
    assert_int_equal(send(&rig, (struct apic_msg){.dest = 0x123, .vector = 0x41, .wide = true}), 2);
    assert_true(rig_has(a, 0x41));
    assert_true(rig_has(b, 0x41));
    rig_destroy(&rig);
}

static void kvm_policy_has_one_owner(void **state)
{
    (void)state;
    start(APIC_POLICY_KVM_32BIT, 1);
    struct lapic *a = add(0x123, 0);
    struct lapic *b = add(0x23, 0);
    assert_int_equal(send(&rig, (struct apic_msg){.dest = 0x23, .vector = 0x40}), 1);
    assert_true(rig_has(a, 0x40));
    assert_int_equal(send(&rig, (struct apic_msg){.dest = 0x123, .vector = 0x41, .wide = true}), 1);
    assert_true(rig_has(a, 0x41));
    rig_to_x2apic(b);
    assert_int_equal(send(&rig, (struct apic_msg){.dest = 0x23, .vector = 0x42}), 1);
    assert_true(rig_has(b, 0x42));
    rig_destroy(&rig);
}

/* The worked example of docs/apic.md, row by row: bit 0 of a result is A, bit 1 is B. */
static void worked_example(void **state)
{
    (void)state;
    enum { NOBODY = 0, A = 1, B = 2, BOTH = 3 };
    static const struct {
        bool a_x2apic, b_x2apic, wide;
        uint32_t dest;
        uint8_t accepts[3]; /* by policy: architectural, knl, kvm-32bit */
    } rows[] = {
        {false, false, false, 0x23, {BOTH, BOTH, A}},   {false, false, true, 0x23, {BOTH, BOTH, A}},
        {false, false, true, 0x123, {NOBODY, BOTH, B}}, {false, true, false, 0x23, {A, A, A}},
        {false, true, true, 0x123, {B, BOTH, B}},       {true, false, false, 0x23, {BOTH, BOTH, A}},
        {true, false, true, 0x123, {NOBODY, B, B}},     {true, true, false, 0x23, {A, A, A}},
        {true, true, true, 0x123, {B, B, B}},
    };
    for (unsigned i = 0; i < 3 * sizeof(rows) / sizeof(*rows); i++) {
        start((enum apic_policy)(i % 3), 1);
        struct lapic *a = add(0x23, 0);
        struct lapic *b = add(0x123, 0);
        if (rows[i / 3].a_x2apic) {
            rig_to_x2apic(a);
        }
        if (rows[i / 3].b_x2apic) {
            rig_to_x2apic(b);
        }
        struct apic_msg msg = {.dest = rows[i / 3].dest, .vector = 0x40, .wide = rows[i / 3].wide};
        send(&rig, msg);
        assert_int_equal(rig_has(a, 0x40) + 2 * rig_has(b, 0x40), rows[i / 3].accepts[i % 3]);
        rig_destroy(&rig);
    }
}

static void groups_do_not_see_each_other(void **state)
{
    (void)state;
    start(APIC_POLICY_ARCHITECTURAL, 2);
    struct lapic *low = add(1, 0);
    struct lapic *high = add(1, 1);
    struct lapic *peer = add(2, 1);
    rig_set(peer, APIC_ICR_HIGH, 0xFF000000);
    rig_set(peer, APIC_ICR, 0x40 | APIC_ICR_ASSERT);
    assert_false(rig_has(low, 0x40));
    assert_true(rig_has(high, 0x40));
    assert_true(rig_has(peer, 0x40));
    assert_int_equal(send(&rig, (struct apic_msg){.dest = 1, .vector = 0x41}), 1);
    assert_true(rig_has(low, 0x41));
    assert_int_equal(send(&rig, (struct apic_msg){.dest = 1, .vector = 0x42, .group = 1}), 1);
    assert_true(rig_has(high, 0x42));
    rig_destroy(&rig);
}

static void all_but_self_means_the_sender_not_its_id(void **state)
{
    (void)state;
    start(APIC_POLICY_ARCHITECTURAL, 1);
    struct lapic *a = add(1, 0);
    struct lapic *twin = add(2, 0);
    rig_set(twin, APIC_ID, 1u << 24);
    rig_set(a, APIC_ICR, 0x40 | APIC_ICR_ASSERT | 3u << 18);
    assert_false(rig_has(a, 0x40));
    assert_true(rig_has(twin, 0x40));
    rig_destroy(&rig);
}

static void logical_ids_alias(void **state)
{
    (void)state;
    start(APIC_POLICY_ARCHITECTURAL, 1);
    struct lapic *a = add(1, 0);
    struct lapic *b = add(2, 0);
    struct lapic *c = add(3, 0);
    rig_set(a, APIC_LDR, 0x03u << 24);
    rig_set(b, APIC_LDR, 0x02u << 24);
    rig_set(c, APIC_LDR, 0x04u << 24);
    assert_int_equal(send(&rig, (struct apic_msg){.dest = 0x3, .vector = 0x40, .logical = true}),
                     2);
    assert_true(rig_has(a, 0x40));
    assert_true(rig_has(b, 0x40));
    assert_false(rig_has(c, 0x40));
    rig_set(c, APIC_DFR, 0);
    rig_set(c, APIC_LDR, 0x12u << 24);
    /* The same byte means two members to flat APICs and one to a cluster APIC. */
    struct apic_msg msg = {.dest = 0x12, .vector = 0x41, .logical = true};
    assert_int_equal(send(&rig, msg), 3);
    assert_true(rig_has(c, 0x41));
    rig_destroy(&rig);
}

static void x2apic_clusters(void **state)
{
    (void)state;
    start(APIC_POLICY_ARCHITECTURAL, 1);
    for (uint32_t id = 0x20; id < 0x24; id++) {
        rig_to_x2apic(add(id, 0));
    }
    struct lapic *far_twin = add(0x100021, 0);
    rig_to_x2apic(far_twin);
    struct apic_msg msg = {.dest = 0x2 << 16 | 0x6, .vector = 0x50, .logical = true, .wide = true};
    assert_int_equal(send(&rig, msg), 3);
    assert_true(rig_has(far_twin, 0x50));
    rig_destroy(&rig);
}

static void lowest_priority_takes_one(void **state)
{
    (void)state;
    start(APIC_POLICY_ARCHITECTURAL, 1);
    struct lapic *apic[3];
    for (unsigned i = 0; i < 3; i++) {
        apic[i] = add(i, 0);
        rig_set(apic[i], APIC_LDR, 1u << (24 + i));
    }
    for (uint8_t vector = 0x40; vector < 0x60; vector++) {
        struct apic_msg msg = {
            .dest = 7, .vector = vector, .logical = true, .delivery = APIC_LOWEST};
        assert_int_equal(send(&rig, msg), 1);
        for (unsigned i = 0; i < 3; i++) {
            assert_int_equal(rig_has(apic[i], vector), i == vector % 3u);
        }
    }
    rig_set(apic[0], APIC_SVR, 0xFF);
    struct apic_msg msg = {.dest = 1, .vector = 0x70, .logical = true, .delivery = APIC_LOWEST};
    assert_int_equal(send(&rig, msg), 0);
    rig_destroy(&rig);
}

static void software_disabled_takes_only_events(void **state)
{
    (void)state;
    start(APIC_POLICY_ARCHITECTURAL, 1);
    struct lapic *a = add(1, 0);
    rig_set(a, APIC_LDR, 1u << 24);
    rig_set(a, APIC_SVR, 0xFF);
    struct apic_msg msg = {.dest = 1, .logical = true, .vector = 0x40};
    assert_int_equal(send(&rig, msg), 0);
    msg.delivery = APIC_NMI;
    assert_int_equal(send(&rig, msg), 1);
    assert_int_equal(send(&rig, msg), 1);
    assert_int_equal(send(&rig, msg), 1);
    assert_int_equal(rig_merge(a).nmi, 2);
    send(&rig, msg);
    msg.delivery = APIC_SIPI;
    msg.vector = 0x9A;
    send(&rig, msg);
    msg.delivery = APIC_INIT;
    send(&rig, msg);
    msg.delivery = APIC_NMI;
    send(&rig, msg);
    struct lapic_events events = rig_merge(a);
    assert_true(events.init);
    assert_false(events.sipi);
    assert_int_equal(events.nmi, 1);
    msg.delivery = APIC_INIT;
    send(&rig, msg);
    msg.delivery = APIC_SIPI;
    send(&rig, msg);
    msg.vector = 0x9B;
    send(&rig, msg);
    events = rig_merge(a);
    assert_true(events.init && events.sipi);
    assert_int_equal(events.sipi_vector, 0x9A);
    msg.delivery = APIC_EXTINT;
    assert_int_equal(send(&rig, msg), 0);
    msg.delivery = APIC_SMI;
    assert_int_equal(send(&rig, msg), 0);
    assert_false(apic_posted(a->post));
    rig_destroy(&rig);
}

static void kicks_follow_on(void **state)
{
    (void)state;
    start(APIC_POLICY_ARCHITECTURAL, 1);
    struct lapic *a = add(1, 0);
    struct apic_msg edge = {.dest = 1, .vector = 0x40};
    struct apic_msg level = {.dest = 1, .vector = 0x41, .level = true};
    send(&rig, edge);
    edge.vector = 0x42;
    send(&rig, edge);
    assert_int_equal(rig.kicks[APIC_KICK_PIR], 1);
    assert_ptr_equal(rig.kicked, a);
    send(&rig, level);
    send(&rig, level);
    assert_int_equal(rig.kicks[APIC_KICK_EVENT], 1);
    assert_true(apic_posted(a->post));
    assert_true(rig_has(a, 0x40) && rig_has(a, 0x41) && rig_has(a, 0x42));
    assert_false(apic_posted(a->post));
    assert_true(rig_bit(a, APIC_TMR, 0x41));
    assert_false(rig_bit(a, APIC_TMR, 0x40));

    send(&rig, edge);
    apic_post_notify(a->post, 0xF2, 7);
    assert_int_equal(a->post->control, APIC_PI_ON | UINT64_C(0xF2) << 16 | UINT64_C(7) << 32);
    rig_destroy(&rig);
}

/* The hardware's processing of the descriptor would leave TMR as it is. */
static void an_edge_that_clears_tmr_calls_the_owner(void **state)
{
    (void)state;
    start(APIC_POLICY_ARCHITECTURAL, 1);
    struct lapic *a = add(1, 0);
    struct apic_msg edge = {.dest = 1, .vector = 0xF1};
    struct apic_msg level = {.dest = 1, .vector = 0xF1, .level = true};
    struct apic_msg other = {.dest = 1, .vector = 0x40};
    send(&rig, level);
    assert_true(rig_has(a, 0xF1) && rig_bit(a, APIC_TMR, 0xF1));
    assert_int_equal(rig.kicks[APIC_KICK_EVENT], 1);
    send(&rig, other);
    assert_true(rig_has(a, 0x40));
    assert_int_equal(rig.kicks[APIC_KICK_PIR], 1);
    send(&rig, edge);
    assert_int_equal(rig.kicks[APIC_KICK_EVENT], 2);
    assert_true(rig_has(a, 0xF1));
    assert_false(rig_bit(a, APIC_TMR, 0xF1));
    send(&rig, edge);
    assert_int_equal(rig.kicks[APIC_KICK_PIR], 2);
    send(&rig, level);
    rig_merge(a);
    lapic_reset(a);
    lapic_write(a, APIC_SVR, 4, APIC_SVR_ENABLE);
    send(&rig, edge);
    assert_int_equal(rig.kicks[APIC_KICK_PIR], 3);
    rig_destroy(&rig);
}

static void self_and_posting_by_object(void **state)
{
    (void)state;
    start(APIC_POLICY_ARCHITECTURAL, 1);
    struct lapic *a = add(1, 0);
    struct lapic *b = add(1, 0);
    struct apic_msg nmi = {.source = a, .shorthand = APIC_SELF, .delivery = APIC_NMI};
    assert_int_equal(apic_route(&rig.domain, &nmi), 1);
    assert_int_equal(rig_merge(a).nmi, 1);
    assert_int_equal(rig_merge(b).nmi, 0);
    assert_true(lapic_post(b, 0x55));
    assert_true(rig_has(b, 0x55));
    assert_false(rig_has(a, 0x55));
    rig_set(b, APIC_SVR, 0xFF);
    assert_false(lapic_post(b, 0x56));
    rig_destroy(&rig);
}

static void illegal_vectors_reach_esr(void **state)
{
    (void)state;
    start(APIC_POLICY_ARCHITECTURAL, 1);
    struct lapic *a = add(1, 0);
    struct lapic *b = add(2, 0);
    rig_set(a, APIC_ICR_HIGH, 2u << 24);
    rig_set(a, APIC_ICR, 0x0F | APIC_ICR_ASSERT);
    rig_merge(b);
    rig_set(a, APIC_ESR, 0);
    rig_set(b, APIC_ESR, 0);
    assert_int_equal(rig_get(a, APIC_ESR), APIC_ESR_SEND_ILLEGAL);
    assert_int_equal(rig_get(b, APIC_ESR), APIC_ESR_RECEIVE_ILLEGAL);
    assert_int_equal(lapic_highest_irr(b), 0);
    rig_destroy(&rig);
}

/* An APIC shown under a destination takes a message to it. */
static void see_taken(void *arg, enum apic_map_table table, uint32_t dest,
                      const struct lapic *lapic)
{
    unsigned *shown = arg;
    uint8_t vector = (uint8_t)(0x20 + shown[0] + shown[1] + shown[2] + shown[3]);
    struct apic_msg msg = {
        .dest = dest, .vector = vector, .wide = true, .logical = table != APIC_MAP_PHYSICAL};
    apic_route(&rig.domain, &msg);
    assert_true(rig_has(&rig.lapic[lapic - rig.lapic], vector));
    shown[table]++;
}

static void the_map_is_shown_as_it_routes(void **state)
{
    (void)state;
    start(APIC_POLICY_ARCHITECTURAL, 2);
    rig_set(add(0x23, 0), APIC_LDR, 0x03u << 24);
    rig_set(add(0x123, 0), APIC_LDR, 0x02u << 24);
    struct lapic *clustered = add(0x40, 0);
    rig_set(clustered, APIC_DFR, 0);
    rig_set(clustered, APIC_LDR, 0x12u << 24);
    rig_to_x2apic(add(0x345, 0));
    add(0x23, 1);

    unsigned shown[4] = {0}, physical = 0;
    apic_map_show(&rig.domain, 0, see_taken, shown);
    for (uint32_t id = 0; id < 0x400; id++)
        physical += send(&rig, (struct apic_msg){.dest = id, .vector = 0x80, .wide = true});
    assert_int_equal(shown[APIC_MAP_PHYSICAL], physical);
    assert_int_equal(shown[APIC_MAP_PHYSICAL], 4);
    assert_int_equal(shown[APIC_MAP_FLAT], 3);
    assert_int_equal(shown[APIC_MAP_CLUSTER], 1);
    assert_int_equal(shown[APIC_MAP_X2APIC], 1);
    rig_destroy(&rig);
}

static void creation_refuses(void **state)
{
    (void)state;
    start(APIC_POLICY_ARCHITECTURAL, 2);
    assert_null(rig_add(&rig, UINT32_MAX, 0));
    assert_null(rig_add(&rig, 1, 2));
    rig.out_of_memory = true;
    assert_null(rig_add(&rig, 1, 0));
    rig.out_of_memory = false;
    for (uint32_t id = 0; id < 9; id++) {
        add(id * 0x1000, 1);
    }
    rig_destroy(&rig);
    assert_int_equal(rig.allocated, 0);
}

/* ---- Processors that post by themselves ---- */

static unsigned remaps;

static void count_remap(void *ctx, unsigned group)
{
    (void)ctx;
    assert_int_equal(group, 0);
    remaps++;
}

static struct lapic *only_acceptor(uint32_t dest, bool wide)
{
    struct apic_msg msg = {.dest = dest,
                           .vector = 0x40,
                           .wide = wide,
                           .broadcast = apic_dest_is_broadcast(dest, wide)};
    struct lapic *acceptor = NULL;
    unsigned matching = 0;
    for (unsigned i = 0; i < rig.count; i++) {
        struct lapic *lapic = &rig.lapic[i];
        struct apic_identity id = lapic_unpack_identity(lapic, atomic_load(&lapic->identity));
        enum apic_policy policy = rig.domain.config.policy;
        matching += lapic_matches(&id, &msg, policy, false);
        if (lapic_accepts(&id, &msg, policy, false)) {
            acceptor = lapic;
        }
    }
    return matching == 1 ? acceptor : NULL;
}

/* An ID has a sole target where a message of either format finds one APIC, and it is enabled. */
static void sole_targets_are_what_routing_says(void **state)
{
    (void)state;
    static const uint32_t ids[] = {0, 1, 0x23, 0x123, 0xFF, 0x1FF, 0x223, 7};
    srand(1);
    for (unsigned round = 0; round < 600; round++) {
        struct apic_config config = rig_default_config();
        config.policy = round % 2 == 0 ? APIC_POLICY_ARCHITECTURAL : APIC_POLICY_KNL;
        rig_init(&rig, &config, 6);
        rig.domain.calls.remapped = count_remap;
        for (unsigned i = 0; i < 6; i++) {
            struct lapic *lapic = rig_add(&rig, ids[rand() % 8], 0);
            if (rand() % 4 != 0) {
                rig_enable(lapic);
            }
            if (rand() % 2 == 0) {
                rig_to_x2apic(lapic);
            } else if (rand() % 4 == 0) {
                rig_set(lapic, APIC_ID, ids[rand() % 8] << 24);
            }
        }
        for (uint32_t dest = 0; dest <= 0x300; dest++) {
            struct lapic *sole = only_acceptor(dest, true);
            if (dest <= 0xFF && only_acceptor(dest, false) != sole) {
                sole = NULL;
            }
            if (dest == 0xFF) {
                sole = NULL; /* everyone, of whom there happens to be one */
            }
            struct apic_post *target = apic_sole_target(&rig.domain, 0, dest);
            /* Of truncated destinations the processor may know less than routing does. */
            if (target != NULL || config.policy == APIC_POLICY_ARCHITECTURAL || dest <= 0xFF) {
                assert_ptr_equal(target, sole ? sole->post : NULL);
            }
        }
        assert_null(apic_sole_target(&rig.domain, 0, UINT32_MAX));
        rig_destroy(&rig);
    }
    assert_true(remaps > 600);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(truncated_ids_alias),
        cmocka_unit_test(knl_truncates_destinations),
        cmocka_unit_test(kvm_policy_has_one_owner),
        cmocka_unit_test(worked_example),
        cmocka_unit_test(groups_do_not_see_each_other),
        cmocka_unit_test(all_but_self_means_the_sender_not_its_id),
        cmocka_unit_test(logical_ids_alias),
        cmocka_unit_test(x2apic_clusters),
        cmocka_unit_test(lowest_priority_takes_one),
        cmocka_unit_test(software_disabled_takes_only_events),
        cmocka_unit_test(kicks_follow_on),
        cmocka_unit_test(an_edge_that_clears_tmr_calls_the_owner),
        cmocka_unit_test(self_and_posting_by_object),
        cmocka_unit_test(illegal_vectors_reach_esr),
        cmocka_unit_test(sole_targets_are_what_routing_says),
        cmocka_unit_test(the_map_is_shown_as_it_routes),
        cmocka_unit_test(creation_refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
