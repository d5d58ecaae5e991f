/* SPDX-License-Identifier: BSD-2-Clause */
/* Every small population against every shape of message: the maps deliver to exactly the APICs
 * that the specification says. Argument "full": the large set of states and all delivery modes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "apic/internal.h"
#include "tests/host/apic_model.h"
#include "tests/host/apic_rig.h"

enum { APICS = 3, MAX_STATES = 64, MAX_MSGS = 1024, VECTOR = 0x40 };

/* ---- What is combined ---- */

struct state {
    uint8_t mode, id8, dfr, ldr;
    bool enabled;
};

static const uint32_t id32s[] = {0x23, 0x123};
static struct state states[MAX_STATES];
static unsigned state_count;
static struct apic_msg msgs[MAX_MSGS];
static int sources[MAX_MSGS];
static unsigned msg_count;

static void add_state(struct state state)
{
    for (unsigned enabled = 0; enabled < 2; enabled++) {
        state.enabled = enabled;
        states[state_count++] = state;
    }
}

static void make_states(bool full)
{
    static const struct {
        uint8_t dfr, ldr;
    } logical[] = {{0xF, 0x01}, {0xF, 0x03}, {0x0, 0x23}, {0x3, 0x01}, {0xF, 0x00}, {0x0, 0x21}};
    unsigned logicals = full ? 6 : 3;
    static const uint8_t id8s[] = {0x23, 0x05, 0xFF};
    state_count = 0;
    states[state_count++] = (struct state){.mode = APIC_DISABLED, .dfr = 0xF};
    add_state((struct state){.mode = APIC_X2APIC, .dfr = 0xF});
    for (unsigned i = 0; i < (full ? 3 : 2); i++) {
        for (unsigned k = 0; k < logicals; k++) {
            add_state((struct state){APIC_XAPIC, id8s[i], logical[k].dfr, logical[k].ldr, false});
        }
    }
}

static void add_msg(struct apic_msg msg, int source, bool full)
{
    for (uint8_t delivery = 0; delivery < 8; delivery++) {
        if (!full && delivery != APIC_FIXED && delivery != APIC_LOWEST && delivery != APIC_NMI) {
            continue;
        }
        for (uint8_t i = 0; i < (delivery == APIC_LOWEST ? 3 : 1); i++) {
            msg.delivery = delivery;
            msg.vector = VECTOR + i;
            msgs[msg_count] = msg;
            sources[msg_count++] = source;
        }
    }
}

static void make_msgs(bool full)
{
    static const struct {
        bool logical, wide;
        uint32_t dest;
    } shapes[] = {
        {false, false, 0x23},      {false, false, 0x05},     {false, false, 0x00},
        {false, false, 0xFF},      {false, true, 0x23},      {false, true, 0x05},
        {false, true, 0x123},      {false, true, 0x223},     {false, true, 0xFF},
        {false, true, 0xFFFFFFFF}, {true, false, 0x01},      {true, false, 0x02},
        {true, false, 0x03},       {true, false, 0x23},      {true, false, 0x2F},
        {true, false, 0xFF},       {true, true, 0x03},       {true, true, 0x103},
        {true, true, 0x00020008},  {true, true, 0x0012FFFF}, {true, true, 0x00120023},
        {true, true, 0xFFFFFFFF},
    };
    msg_count = 0;
    for (uint8_t group = 0; group < 2; group++) {
        for (unsigned i = 0; i < sizeof(shapes) / sizeof(*shapes); i++) {
            struct apic_msg msg = {.dest = shapes[i].dest,
                                   .logical = shapes[i].logical,
                                   .wide = shapes[i].wide,
                                   .group = group};
            msg.broadcast = apic_dest_is_broadcast(msg.dest, msg.wide);
            add_msg(msg, MODEL_NOBODY, full);
        }
    }
    for (int source = 0; source < APICS; source++) {
        for (uint8_t shorthand = APIC_SELF; shorthand <= APIC_OTHERS; shorthand++) {
            add_msg((struct apic_msg){.shorthand = shorthand}, source, full);
        }
    }
}

/* ---- One comparison ---- */

static struct rig rig;
static struct apic_identity identity[APICS];
static uint64_t combinations;

/* Which APICs something was posted to; forgets it. */
static uint64_t take_posted(unsigned count)
{
    uint64_t targets = 0;
    for (unsigned i = 0; i < count; i++) {
        struct apic_post *post = rig.lapic[i].post;
        uint64_t any = atomic_load_explicit(&post->pir[VECTOR / 64], memory_order_relaxed) |
                       atomic_load_explicit(&post->events, memory_order_relaxed);
        if (any != 0) {
            targets |= UINT64_C(1) << i;
            atomic_store_explicit(&post->pir[VECTOR / 64], 0, memory_order_relaxed);
            atomic_store_explicit(&post->events, 0, memory_order_relaxed);
            atomic_store_explicit(&post->control, 0, memory_order_relaxed);
        }
    }
    return targets;
}

static void complain(unsigned count, const struct apic_msg *msg, uint64_t want, uint64_t got,
                     unsigned accepted)
{
    for (unsigned i = 0; i < count; i++) {
        const struct apic_identity *id = &identity[i];
        print_error("{.id32 = 0x%x, .mode = %u, .id8 = 0x%x, .ldr = 0x%x, .dfr = 0x%x, "
                    ".enabled = %u, .group = %u},\n",
                    id->id32, id->mode, id->id8, id->ldr, id->dfr, id->enabled, id->group);
    }
    print_error("{.dest = 0x%x, .vector = 0x%x, .delivery = %u, .shorthand = %u, .group = %u, "
                ".logical = %u, .wide = %u, .broadcast = %u}\n",
                msg->dest, msg->vector, msg->delivery, msg->shorthand, msg->group, msg->logical,
                msg->wide, msg->broadcast);
    fail_msg("wanted %#lx, got %#lx, %u accepted", want, got, accepted);
}

static void check_all_messages(unsigned count, enum apic_policy policy)
{
    for (unsigned i = 0; i < msg_count; i++) {
        struct apic_msg msg = msgs[i];
        int source = sources[i];
        if (source >= (int)count) {
            continue;
        }
        if (source != MODEL_NOBODY) {
            msg.source = &rig.lapic[source];
            msg.group = rig.lapic[source].group;
        }
        if (source != MODEL_NOBODY && identity[source].mode == APIC_DISABLED) {
            continue; /* cannot send */
        }
        uint64_t want = model_targets(identity, count, policy, &msg, source);
        unsigned accepted = apic_route(&rig.domain, &msg);
        uint64_t got = take_posted(count);
        combinations++;
        if (want != got || accepted != (unsigned)__builtin_popcountll(want)) {
            complain(count, &msg, want, got, accepted);
        }
    }
}

/* ---- All populations ---- */

static void put_in_state(unsigned i, const struct state *state)
{
    struct lapic *lapic = &rig.lapic[i];
    uint64_t base = APIC_BASE_DEFAULT;
    base |= state->mode != APIC_DISABLED ? APIC_BASE_EN : 0;
    base |= state->mode == APIC_X2APIC ? APIC_BASE_EXTD : 0;
    lapic->base = base;
    lapic->id8 = state->id8;
    lapic->enabled = state->enabled;
    lapic->regs[APIC_LDR / 4] = (uint32_t)state->ldr << 24;
    lapic->regs[APIC_DFR / 4] = (uint32_t)state->dfr << 28 | 0x0FFFFFFF;
    lapic_publish(lapic);
    identity[i] = (struct apic_identity){.id32 = lapic->id32,
                                         .mode = state->mode,
                                         .id8 = state->id8,
                                         .ldr = state->ldr,
                                         .dfr = state->dfr,
                                         .enabled = state->enabled,
                                         .group = lapic->group};
}

static void combine_states(unsigned count, unsigned i, enum apic_policy policy)
{
    if (i == count) {
        check_all_messages(count, policy);
        return;
    }
    for (unsigned s = 0; s < state_count; s++) {
        put_in_state(i, &states[s]);
        combine_states(count, i + 1, policy);
    }
}

/* `choice` holds, for each APIC, one bit for its ID and one for its group. */
static void combine(unsigned count, unsigned choice, enum apic_policy policy)
{
    struct apic_config config = rig_default_config();
    config.policy = policy;
    config.groups = 2;
    rig_init(&rig, &config, APICS);
    for (unsigned i = 0; i < count; i++) {
        unsigned mine = choice >> (2 * i);
        assert_non_null(rig_add(&rig, id32s[mine & 1], mine >> 1 & 1));
    }
    combine_states(count, 0, policy);
    rig_destroy(&rig);
}

static bool full;

static void all_combinations(void **state)
{
    enum apic_policy policy = *(enum apic_policy *)*state;
    combinations = 0;
    make_states(full);
    make_msgs(full);
    for (unsigned count = 1; count <= APICS; count++) {
        for (unsigned choice = 0; choice < 1u << (2 * count); choice++) {
            if (full || (choice & 2) == 0) { /* the other half only swaps the groups' names */
                combine(count, choice, policy);
            }
        }
    }
    print_message("# policy %d: %lu combinations\n", (int)policy, combinations);
}

int main(int argc, char **argv)
{
    static enum apic_policy policies[] = {APIC_POLICY_ARCHITECTURAL, APIC_POLICY_KNL,
                                          APIC_POLICY_KVM_32BIT};
    full = argc == 2 && strcmp(argv[1], "full") == 0;
    const struct CMUnitTest tests[] = {
        {"architectural", all_combinations, NULL, NULL, &policies[0]},
        {"knl", all_combinations, NULL, NULL, &policies[1]},
        {"kvm_32bit", all_combinations, NULL, NULL, &policies[2]},
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
