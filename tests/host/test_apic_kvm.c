/* SPDX-License-Identifier: BSD-2-Clause */
/* Differential against KVM's in-kernel local APICs: the same populations, the same messages,
 * compared IRR by IRR and by the number that accepted. Every difference there is has a row in
 * docs/errata.md, whose rule is one of the functions named kvm_... below.
 * Argument "full": many more populations. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/host/apic_kvm.h"
#include "tests/host/apic_model.h"
#include "tests/host/apic_rig.h"

enum { VCPUS = 6, FIRST_VECTOR = 0x20, VECTORS = 0xE0, QUICK = 120, FULL = 5000 };

static struct rig rig;
static struct kvm kvm;
static struct apic_identity identity[VCPUS];
static unsigned populations = QUICK;
static uint64_t compared, differing;

static unsigned pick(unsigned count)
{
    return (unsigned)rand() % count;
}

/* ---- One population in both ---- */

struct shape {
    bool wide;        /* KVM_X2APIC_API_USE_32BIT_IDS, without the broadcast quirk */
    bool quirk;       /* ... with it */
    bool mixed_modes; /* some APICs in x2APIC mode, some in xAPIC mode */
    bool all_x2apic;
    enum apic_policy policy;
};

static const uint32_t id32s[VCPUS] = {0x00, 0x01, 0x23, 0x05, 0x123, 0x101};

static void choose_identity(const struct shape *shape, unsigned i)
{
    static const uint8_t ids[] = {0x00, 0x01, 0x05, 0x23, 0x23, 0xFE};
    static const uint8_t flat[] = {0x00, 0x01, 0x02, 0x03, 0x81, 0xFF};
    static const uint8_t clustered[] = {0x00, 0x11, 0x12, 0x13, 0x21, 0xE8};
    struct apic_identity id = {.id32 = id32s[i], .mode = APIC_XAPIC, .dfr = 0xF};
    id.enabled = pick(5) != 0;
    id.id8 = pick(2) ? ids[pick(6)] : (uint8_t)id.id32;
    id.dfr = pick(4) == 0 ? 0x0 : 0xF;
    id.ldr = id.dfr == 0 ? clustered[pick(6)] : flat[pick(6)];
    if (shape->all_x2apic || (shape->mixed_modes && pick(2))) {
        id.mode = APIC_X2APIC;
    } else if (pick(12) == 0) {
        id.mode = APIC_DISABLED;
    }
    identity[i] = id;
}

static uint64_t base_of(const struct apic_identity *id)
{
    return APIC_BASE_DEFAULT | (id->mode != APIC_DISABLED ? APIC_BASE_EN : 0) |
           (id->mode == APIC_X2APIC ? APIC_BASE_EXTD : 0);
}

static void set_ours(unsigned i)
{
    const struct apic_identity *id = &identity[i];
    struct lapic *lapic = &rig.lapic[i];
    lapic_reset(lapic);
    rig_set(lapic, APIC_SVR, (id->enabled ? APIC_SVR_ENABLE : 0) | 0xFF);
    rig_set(lapic, APIC_ID, (uint32_t)id->id8 << 24);
    rig_set(lapic, APIC_LDR, (uint32_t)id->ldr << 24);
    rig_set(lapic, APIC_DFR, (uint32_t)id->dfr << 28);
    assert_true(lapic_write_base(lapic, base_of(id)));
}

static void set_theirs(unsigned i)
{
    const struct apic_identity *id = &identity[i];
    uint32_t page[KVM_APIC_PAGE / 4];
    assert_true(kvm_set_base(&kvm, i, APIC_BASE_DEFAULT));
    assert_true(kvm_set_base(&kvm, i, APIC_BASE_DEFAULT | APIC_BASE_EN));
    if (id->mode == APIC_X2APIC) {
        assert_true(kvm_set_base(&kvm, i, base_of(id)));
    }
    assert_true(kvm_get_page(&kvm, i, page));
    memset(&page[APIC_ISR / 4], 0, (APIC_ESR - APIC_ISR));
    page[APIC_SVR / 4] = (id->enabled ? APIC_SVR_ENABLE : 0) | 0xFF;
    if (id->mode != APIC_X2APIC) {
        page[APIC_ID / 4] = (uint32_t)id->id8 << 24;
        page[APIC_LDR / 4] = (uint32_t)id->ldr << 24;
        page[APIC_DFR / 4] = (uint32_t)id->dfr << 28 | 0x0FFFFFFF;
    }
    assert_true(kvm_set_page(&kvm, i, page));
    assert_true(kvm_set_base(&kvm, i, base_of(id)));
}

/* ---- Where KVM is known to differ (docs/errata.md, "Differences from KVM") ---- */

static bool any(bool (*test)(const struct apic_identity *id, const struct apic_msg *msg),
                const struct apic_msg *msg)
{
    for (unsigned i = 0; i < VCPUS; i++) {
        if (identity[i].mode != APIC_DISABLED && test(&identity[i], msg)) {
            return true;
        }
    }
    return false;
}

static bool in_x2apic(const struct apic_identity *id, const struct apic_msg *msg)
{
    (void)msg;
    return id->mode == APIC_X2APIC;
}

static bool in_xapic(const struct apic_identity *id, const struct apic_msg *msg)
{
    (void)msg;
    return id->mode == APIC_XAPIC;
}

static bool matches_disabled(const struct apic_identity *id, const struct apic_msg *msg)
{
    return !id->enabled && lapic_matches(id, msg, rig.domain.config.policy, false);
}

/* FFFFFFFFh is no broadcast for a receiver in xAPIC mode. */
static bool kvm_xapic_ignores_wide_broadcast(const struct apic_msg *msg)
{
    return msg->dest == UINT32_MAX && any(in_xapic, msg);
}

static bool kvm_wide_ff_is_broadcast_to_xapic(const struct apic_msg *msg)
{
    return msg->wide && msg->dest == 0xFF && any(in_xapic, msg);
}

/* Lowest priority: another choice among the same candidates; none when its choice falls on a gap;
 * Fixed when it is a physical broadcast. */
static bool kvm_choice_is_sound(const struct apic_msg *msg, unsigned theirs)
{
    struct apic_msg fixed = *msg;
    fixed.delivery = APIC_FIXED;
    uint64_t candidates =
        model_targets(identity, VCPUS, rig.domain.config.policy, &fixed, MODEL_NOBODY);
    return (theirs & ~candidates) == 0 && (msg->broadcast || (theirs & (theirs - 1)) == 0);
}

/* One logical map per VM: mixed modes or DFRs, or IDs above FFh, are matched otherwise. */
static bool kvm_logical_in_mixed_modes(const struct apic_msg *msg)
{
    return msg->logical && any(in_x2apic, msg) && any(in_xapic, msg);
}

static bool kvm_wide_logical_to_xapic(const struct apic_msg *msg)
{
    return msg->logical && msg->dest > 0xFF && any(in_xapic, msg);
}

static bool kvm_differs(const struct apic_msg *msg)
{
    return kvm_xapic_ignores_wide_broadcast(msg) || kvm_wide_ff_is_broadcast_to_xapic(msg) ||
           kvm_logical_in_mixed_modes(msg) || kvm_wide_logical_to_xapic(msg);
}

/* ---- One message to both ---- */

static uint64_t address_of(const struct apic_msg *msg)
{
    return UINT64_C(0xFEE00000) | (uint64_t)(msg->dest & 0xFF) << 12 |
           (uint64_t)(msg->dest >> 8) << 40 | (msg->logical ? 4 : 0);
}

static struct apic_msg choose_msg(const struct shape *shape, uint8_t vector)
{
    static const uint32_t dests[] = {0x00,  0x01,  0x02,    0x03,     0x05,     0x11,      0x13,
                                     0x23,  0x81,  0xE8,    0xFE,     0xFF,     0x7F,      0x123,
                                     0x101, 0x223, 0x20008, 0x12FFFF, 0x100003, 0xFFFFFFFF};
    struct apic_msg msg = {.vector = vector, .wide = shape->wide, .logical = pick(2)};
    msg.dest = dests[pick(shape->wide ? 20 : 13)];
    msg.delivery = pick(8) == 0 ? APIC_LOWEST : APIC_FIXED;
    msg.level = pick(4) == 0;
    msg.broadcast = apic_dest_is_broadcast(msg.dest, msg.wide);
    return msg;
}

static struct {
    struct apic_msg msg;
    unsigned ours;
    int theirs;
} sent[VECTORS];

static void send_all(const struct shape *shape)
{
    for (unsigned k = 0; k < VECTORS; k++) {
        struct apic_msg msg = choose_msg(shape, (uint8_t)(FIRST_VECTOR + k));
        struct apic_msg decoded;
        uint32_t data = msg.vector | (uint32_t)msg.delivery << 8 | (msg.level ? 0xC000 : 0);
        enum apic_msi_format format = shape->wide ? APIC_MSI_32BIT : APIC_MSI_8BIT;
        assert_true(apic_msi_decode(format, address_of(&msg), data, &decoded));
        sent[k].msg = decoded;
        sent[k].ours = apic_route(&rig.domain, &decoded);
        int taken = kvm_msi(&kvm, address_of(&msg), data);
        sent[k].theirs = taken < 0 ? 0 : taken; /* an error when nobody matches */
    }
}

static void complain(const struct apic_msg *msg, unsigned ours, int theirs)
{
    for (unsigned i = 0; i < VCPUS; i++) {
        const struct apic_identity *id = &identity[i];
        print_error("  id32 %#5x id8 %#4x mode %u dfr %x ldr %#4x enabled %u\n", id->id32, id->id8,
                    id->mode, id->dfr, id->ldr, id->enabled);
    }
    fail_msg("dest %#x logical %u wide %u delivery %u: ours %#x, KVM %#x", msg->dest, msg->logical,
             msg->wide, msg->delivery, ours, theirs);
}

static bool bit(const uint32_t *page, uint32_t base, uint8_t vector)
{
    return (page[(base + vector / 32u * 0x10u) / 4] >> (vector % 32u) & 1u) != 0;
}

static void compare_all(void)
{
    static uint32_t page[VCPUS][KVM_APIC_PAGE / 4];
    for (unsigned i = 0; i < VCPUS; i++) {
        assert_true(kvm_get_page(&kvm, i, page[i]));
        rig_merge(&rig.lapic[i]);
    }
    for (unsigned k = 0; k < VECTORS; k++) {
        const struct apic_msg *msg = &sent[k].msg;
        unsigned ours = 0, theirs = 0, our_tmr = 0, their_tmr = 0;
        for (unsigned i = 0; i < VCPUS; i++) {
            const uint32_t *mine = rig.lapic[i].regs;
            ours |= (unsigned)bit(mine, APIC_IRR, msg->vector) << i;
            theirs |= (unsigned)bit(page[i], APIC_IRR, msg->vector) << i;
            our_tmr |= (unsigned)bit(mine, APIC_TMR, msg->vector) << i;
            their_tmr |= (unsigned)bit(page[i], APIC_TMR, msg->vector) << i;
        }
        assert_int_equal(sent[k].ours, __builtin_popcount(ours));
        compared++;
        if (kvm_differs(msg)) {
            differing += ours != theirs;
            continue;
        }
        if (msg->delivery == APIC_LOWEST) {
            differing += ours != theirs;
            if (!kvm_choice_is_sound(msg, theirs)) {
                complain(msg, ours, (int)theirs);
            }
            continue;
        }
        /* KVM counts an APIC that matched but is software-disabled as no delivery; same here. */
        if (ours != theirs || our_tmr != their_tmr ||
            (sent[k].theirs != (int)sent[k].ours && !any(matches_disabled, msg))) {
            complain(msg, ours | sent[k].ours << 16,
                     (int)(theirs | (unsigned)sent[k].theirs << 16));
        }
    }
}

/* ---- The runs ---- */

static void run(const struct shape *shape)
{
    const char *why;
    struct apic_config config = rig_default_config();
    config.policy = shape->policy;
    rig_init(&rig, &config, VCPUS);
    if (!kvm_open(&kvm, VCPUS, shape->wide, !shape->quirk, &why)) {
        rig_destroy(&rig);
        print_message("skipped: %s\n", why);
        skip();
    }
    for (unsigned i = 0; i < VCPUS; i++) {
        assert_non_null(rig_add(&rig, id32s[i], 0));
        assert_true(kvm_add(&kvm, id32s[i]));
    }
    compared = differing = 0;
    srand(1);
    for (unsigned p = 0; p < populations; p++) {
        for (unsigned i = 0; i < VCPUS; i++) {
            choose_identity(shape, i);
            set_ours(i);
            set_theirs(i);
        }
        send_all(shape);
        compare_all();
    }
    print_message("# %lu messages compared; %lu differ in a way that is listed\n", compared,
                  differing);
    kvm_close(&kvm);
    rig_destroy(&rig);
}

static void xapic_is_architectural(void **state)
{
    (void)state;
    run(&(struct shape){.policy = APIC_POLICY_ARCHITECTURAL});
}

static void x2apic_is_architectural(void **state)
{
    (void)state;
    run(&(struct shape){.wide = true, .all_x2apic = true});
}

static void mixed_modes(void **state)
{
    (void)state;
    run(&(struct shape){.mixed_modes = true});
}

static void wide_ids_are_the_kvm_policy(void **state)
{
    (void)state;
    run(&(struct shape){.wide = true, .policy = APIC_POLICY_KVM_32BIT});
}

static void wide_ids_in_mixed_modes(void **state)
{
    (void)state;
    run(&(struct shape){.wide = true, .mixed_modes = true, .policy = APIC_POLICY_KVM_32BIT});
}

int main(int argc, char **argv)
{
    populations = argc == 2 && strcmp(argv[1], "full") == 0 ? FULL : QUICK;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(xapic_is_architectural),
        cmocka_unit_test(x2apic_is_architectural),
        cmocka_unit_test(mixed_modes),
        cmocka_unit_test(wide_ids_are_the_kvm_policy),
        cmocka_unit_test(wide_ids_in_mixed_modes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
