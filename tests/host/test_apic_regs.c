/* SPDX-License-Identifier: BSD-2-Clause */
/* Registers of one local APIC: access rules in both modes, IA32_APIC_BASE, reset and INIT,
 * priority, EOI, ESR, ICR, LVT and its inputs, hardware-assisted access. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/host/apic_rig.h"

static struct rig rig;
static struct lapic *apic;

static int setup(void **state)
{
    (void)state;
    struct apic_config config = rig_default_config();
    rig_init(&rig, &config, 8);
    apic = rig_add(&rig, 0x123, 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    rig_destroy(&rig);
    return 0;
}

static void again(struct apic_config config)
{
    rig_destroy(&rig);
    rig_init(&rig, &config, 8);
    apic = rig_add(&rig, 0x123, 0);
}

static void self_ipi(uint8_t vector)
{
    rig_set(apic, APIC_ICR, vector | APIC_ICR_ASSERT | 1u << 18);
}

static uint32_t latched_esr(void)
{
    rig_set(apic, APIC_ESR, 0);
    return rig_get(apic, APIC_ESR);
}

/* ---- Values after reset and INIT ---- */

static const struct {
    uint32_t reg;
    uint32_t value;
} reset_values[] = {
    {APIC_ID, 0x23000000},
    {APIC_VERSION, 0x01060014},
    {APIC_TPR, 0},
    {APIC_APR, 0},
    {APIC_PPR, 0},
    {APIC_EOI, 0},
    {APIC_RRD, 0},
    {APIC_LDR, 0},
    {APIC_DFR, 0xFFFFFFFF},
    {APIC_SVR, 0xFF},
    {APIC_ISR, 0},
    {APIC_TMR + 0x70, 0},
    {APIC_IRR, 0},
    {APIC_ESR, 0},
    {APIC_LVT_CMCI, 0x10000},
    {APIC_ICR, 0},
    {APIC_ICR_HIGH, 0},
    {APIC_LVT_TIMER, 0x10000},
    {APIC_LVT_THERMAL, 0x10000},
    {APIC_LVT_PMC, 0x10000},
    {APIC_LVT_LINT0, 0x10000},
    {APIC_LVT_LINT1, 0x10000},
    {APIC_LVT_ERROR, 0x10000},
    {APIC_TIMER_INITIAL, 0},
    {APIC_TIMER_CURRENT, 0},
    {APIC_TIMER_DIVIDE, 0},
};

static void check_reset_values(void)
{
    for (unsigned i = 0; i < sizeof(reset_values) / sizeof(*reset_values); i++) {
        assert_int_equal(rig_get(apic, reset_values[i].reg), reset_values[i].value);
    }
}

static void scribble(void)
{
    rig_enable(apic);
    rig_set(apic, APIC_TPR, 0x55);
    rig_set(apic, APIC_LDR, 0x12000000);
    rig_set(apic, APIC_DFR, 0);
    rig_set(apic, APIC_ID, 0x42000000);
    rig_set(apic, APIC_LVT_LINT0, 0xA7);
    rig_set(apic, APIC_ICR_HIGH, 0x77000000);
    self_ipi(0x99);
    rig_set(apic, APIC_TIMER_DIVIDE, 0xB);
    rig_set(apic, APIC_TIMER_INITIAL, 1000);
}

static void reset_gives_power_on_values(void **state)
{
    (void)state;
    check_reset_values();
    scribble();
    struct apic_msg nmi = {.dest = 0x42, .delivery = APIC_NMI};
    assert_int_equal(apic_route(&rig.domain, &nmi), 1);
    lapic_reset(apic);
    check_reset_values();
    assert_int_equal(apic->base, 0xFEE00900);
    assert_false(apic_posted(apic->post));
    assert_true(lapic_timer_deadline(apic) == UINT64_MAX);
}

static void init_keeps_ids_and_mode(void **state)
{
    (void)state;
    scribble();
    lapic_init_signal(apic);
    assert_int_equal(rig_get(apic, APIC_ID), 0x42000000);
    rig_set(apic, APIC_ID, 0x23000000);
    check_reset_values();
    rig_to_x2apic(apic);
    lapic_init_signal(apic);
    assert_int_equal(lapic_mode(apic), APIC_X2APIC);
    assert_int_equal(rig_get(apic, APIC_ID), 0x123);
    assert_int_equal(rig_get(apic, APIC_LDR), 0x12u << 16 | 1u << 3);
    assert_true(lapic_write_base(apic, 0xFEE00000));
    lapic_init_signal(apic);
    assert_int_equal(lapic_mode(apic), APIC_DISABLED);
}

/* ---- xAPIC page ---- */

/* Writing all ones and then zero shows which bits can be written. */
static void xapic_writable_bits(void **state)
{
    (void)state;
    static const struct {
        uint32_t reg, ones, zero;
    } rules[] = {
        {APIC_ID, 0xFF000000, 0},
        {APIC_VERSION, 0x01060014, 0x01060014},
        {APIC_TPR, 0xFF, 0},
        {APIC_APR, 0, 0},
        {APIC_RRD, 0, 0},
        {APIC_LDR, 0xFF000000, 0},
        {APIC_DFR, 0xFFFFFFFF, 0x0FFFFFFF},
        {APIC_SVR, 0x11FF, 0},
        {APIC_ISR, 0, 0},
        {APIC_IRR + 0x70, 0, 0},
        {APIC_ICR_HIGH, 0xFF000000, 0},
        {APIC_LVT_CMCI, 0x107FF, 0x10000},
        {APIC_LVT_TIMER, 0x700FF, 0x10000},
        {APIC_LVT_THERMAL, 0x107FF, 0x10000},
        {APIC_LVT_PMC, 0x107FF, 0x10000},
        {APIC_LVT_LINT0, 0x1A7FF, 0x10000},
        {APIC_LVT_LINT1, 0x1A7FF, 0x10000},
        {APIC_LVT_ERROR, 0x100FF, 0x10000},
        {APIC_TIMER_CURRENT, 0, 0},
        {APIC_TIMER_DIVIDE, 0xB, 0},
    };
    for (unsigned i = 0; i < sizeof(rules) / sizeof(*rules); i++) {
        rig_set(apic, rules[i].reg, 0xFFFFFFFF);
        assert_int_equal(rig_get(apic, rules[i].reg), rules[i].ones);
        rig_set(apic, rules[i].reg, 0);
        assert_int_equal(rig_get(apic, rules[i].reg), rules[i].zero);
    }
    assert_int_equal(latched_esr(), 0);
}

static void features_take_bits_away(void **state)
{
    (void)state;
    struct apic_config config = rig_default_config();
    config.cmci = config.eoi_suppression = config.tsc_deadline = config.writable_id = false;
    config.x2apic = false;
    again(config);
    assert_int_equal(rig_get(apic, APIC_VERSION), 0x00050014);
    rig_set(apic, APIC_SVR, 0xFFFFFFFF);
    assert_int_equal(rig_get(apic, APIC_SVR), 0x1FF);
    rig_set(apic, APIC_LVT_TIMER, 0x40000 | 0x41);
    assert_int_equal(rig_get(apic, APIC_LVT_TIMER), 0x41);
    rig_set(apic, APIC_ID, 0x42000000);
    assert_int_equal(rig_get(apic, APIC_ID), 0x23000000);
    assert_int_equal(latched_esr(), 0);
    assert_int_equal(rig_get(apic, APIC_LVT_CMCI), 0);
    assert_int_equal(latched_esr(), APIC_ESR_ILLEGAL_ADDRESS);
    lapic_cmci(apic);
    assert_false(lapic_write_base(apic, apic->base | APIC_BASE_EXTD));
}

static void reserved_offsets_set_esr(void **state)
{
    (void)state;
    static const uint32_t reserved[] = {0x000, 0x010, 0x040, 0x070, 0x290, 0x2E0, 0x3A0,
                                        0x3D0, 0x3F0, 0x400, 0x800, 0xFF0, 0x3F4};
    for (unsigned i = 0; i < sizeof(reserved) / sizeof(*reserved); i++) {
        assert_int_equal(lapic_read(apic, reserved[i], 4), 0);
        assert_int_equal(latched_esr(), APIC_ESR_ILLEGAL_ADDRESS);
        lapic_write(apic, reserved[i], 4, 1);
        assert_int_equal(latched_esr(), APIC_ESR_ILLEGAL_ADDRESS);
    }
}

static void odd_accesses(void **state)
{
    (void)state;
    rig_set(apic, APIC_LVT_LINT0, 0xA7FF);
    assert_int_equal(lapic_read(apic, APIC_LVT_LINT0, 1), 0xFF);
    assert_int_equal(lapic_read(apic, APIC_LVT_LINT0 + 1, 1), 0xA7);
    assert_int_equal(lapic_read(apic, APIC_LVT_LINT0 + 2, 2), 0x0001);
    assert_int_equal(lapic_read(apic, APIC_LVT_LINT0, 8), 0x1A7FF);
    assert_int_equal(lapic_read(apic, APIC_LVT_LINT0 + 4, 4), 0);
    lapic_write(apic, APIC_TPR, 1, 0x20);
    lapic_write(apic, APIC_TPR, 8, 0x20);
    lapic_write(apic, APIC_TPR + 1, 4, 0x20);
    lapic_write(apic, APIC_TPR + 4, 4, 0x20);
    assert_int_equal(rig_get(apic, APIC_TPR), 0);
}

/* ---- x2APIC MSRs ---- */

enum msr_rights { NONE = 0, READ = 1, WRITE = 2 };

static unsigned expected_rights(uint32_t reg)
{
    switch (reg) {
    case APIC_ID:
    case APIC_VERSION:
    case APIC_PPR:
    case APIC_LDR:
    case APIC_TIMER_CURRENT:
        return READ;
    case APIC_EOI:
    case APIC_SELF_IPI:
        return WRITE;
    case APIC_TPR:
    case APIC_SVR:
    case APIC_ESR:
    case APIC_ICR:
    case APIC_LVT_CMCI:
    case APIC_LVT_TIMER:
    case APIC_LVT_THERMAL:
    case APIC_LVT_PMC:
    case APIC_LVT_LINT0:
    case APIC_LVT_LINT1:
    case APIC_LVT_ERROR:
    case APIC_TIMER_INITIAL:
    case APIC_TIMER_DIVIDE:
        return READ | WRITE;
    default:
        return reg >= APIC_ISR && reg < APIC_ESR ? READ : NONE;
    }
}

static void every_msr(void **state)
{
    (void)state;
    for (uint32_t msr = APIC_MSR_FIRST; msr <= APIC_MSR_LAST; msr++) {
        uint64_t value;
        assert_false(lapic_rdmsr(apic, msr, &value));
        assert_false(lapic_wrmsr(apic, msr, 0));
    }
    rig_to_x2apic(apic);
    for (uint32_t msr = APIC_MSR_FIRST; msr <= APIC_MSR_LAST; msr++) {
        uint32_t reg = (msr - APIC_MSR_FIRST) << 4;
        uint64_t value;
        unsigned rights = expected_rights(reg);
        assert_int_equal(lapic_rdmsr(apic, msr, &value), (rights & READ) != 0);
        assert_int_equal(lapic_wrmsr(apic, msr, 0), (rights & WRITE) != 0);
        bool wide = reg == APIC_ICR;
        assert_int_equal(lapic_wrmsr(apic, msr, UINT64_C(1) << 32), wide);
    }
}

static void x2apic_reserved_bits_fault(void **state)
{
    (void)state;
    static const struct {
        uint32_t reg, allowed;
    } rules[] = {
        {APIC_TPR, 0xFF},
        {APIC_EOI, 0},
        {APIC_SVR, 0x11FF},
        {APIC_ESR, 0},
        {APIC_LVT_CMCI, 0x117FF},
        {APIC_ICR, 0xCDFFF},
        {APIC_LVT_TIMER, 0x710FF},
        {APIC_LVT_THERMAL, 0x117FF},
        {APIC_LVT_PMC, 0x117FF},
        {APIC_LVT_LINT0, 0x1F7FF},
        {APIC_LVT_LINT1, 0x1F7FF},
        {APIC_LVT_ERROR, 0x110FF},
        {APIC_TIMER_INITIAL, 0xFFFFFFFF},
        {APIC_TIMER_DIVIDE, 0xB},
        {APIC_SELF_IPI, 0xFF},
    };
    rig_to_x2apic(apic);
    for (unsigned i = 0; i < sizeof(rules) / sizeof(*rules); i++) {
        for (unsigned bit = 0; bit < 32; bit++) {
            uint32_t value = UINT32_C(1) << bit;
            assert_int_equal(lapic_wrmsr(apic, APIC_MSR(rules[i].reg), value),
                             (rules[i].allowed & value) != 0);
        }
    }
}

static void x2apic_icr_is_64_bits(void **state)
{
    (void)state;
    rig_to_x2apic(apic);
    uint64_t value;
    assert_true(lapic_wrmsr(apic, APIC_MSR(APIC_ICR), UINT64_C(0x12345678000810F3)));
    assert_true(lapic_rdmsr(apic, APIC_MSR(APIC_ICR), &value));
    assert_true(value == UINT64_C(0x12345678000800F3)); /* bit 12 reads 0 */
    assert_int_equal(apic->regs[APIC_ICR / 4 + 1], 0x12345678);
}

static void x2apic_hides_the_page(void **state)
{
    (void)state;
    rig_to_x2apic(apic);
    assert_int_equal(lapic_read(apic, APIC_ID, 4), 0xFFFFFFFF);
    assert_int_equal(lapic_read(apic, APIC_ID, 1), 0xFF);
    assert_true(lapic_read(apic, APIC_ID, 8) == UINT64_MAX);
    lapic_write(apic, APIC_TPR, 4, 0x20);
    assert_int_equal(rig_get(apic, APIC_TPR), 0);
}

/* ---- IA32_APIC_BASE ---- */

static void every_transition(void **state)
{
    (void)state;
    static const uint64_t bits[] = {0, APIC_BASE_EXTD, APIC_BASE_EN, APIC_BASE_EN | APIC_BASE_EXTD};
    static const bool legal[4][4] = {
        {true, false, true, false}, /* disabled */
        {false, false, false, false},
        {true, false, true, true},  /* xAPIC */
        {true, false, false, true}, /* x2APIC */
    };
    for (unsigned from = 0; from < 4; from++) {
        for (unsigned to = 0; from != 1 && to < 4; to++) {
            lapic_reset(apic);
            assert_true(from == 2 || lapic_write_base(apic, APIC_BASE_DEFAULT | bits[from]));
            uint64_t before = apic->base;
            assert_int_equal(lapic_write_base(apic, APIC_BASE_DEFAULT | bits[to]), legal[from][to]);
            assert_true(apic->base ==
                        (legal[from][to] ? APIC_BASE_DEFAULT | APIC_BASE_BSP | bits[to] : before));
        }
    }
}

static void base_reserved_bits_fault(void **state)
{
    (void)state;
    for (unsigned bit = 0; bit < 64; bit++) {
        bool defined = bit == 8 || bit == 10 || bit == 11 || (bit >= 12 && bit < 46);
        lapic_reset(apic);
        assert_int_equal(lapic_write_base(apic, apic->base | UINT64_C(1) << bit), defined);
    }
    lapic_reset(apic);
    assert_true(lapic_write_base(apic, UINT64_C(0x12345000) | APIC_BASE_EN));
    assert_true(apic->base == (UINT64_C(0x12345000) | APIC_BASE_EN | APIC_BASE_BSP));
}

static void mode_changes_keep_what_they_must(void **state)
{
    (void)state;
    scribble();
    rig_to_x2apic(apic);
    assert_int_equal(rig_get(apic, APIC_ID), 0x123);
    assert_int_equal(rig_get(apic, APIC_TPR), 0x55);
    assert_true(rig_bit(apic, APIC_IRR, 0x99));
    assert_int_equal(rig_get(apic, APIC_LVT_LINT0), 0xA7);
    uint64_t icr;
    assert_true(lapic_rdmsr(apic, APIC_MSR(APIC_ICR), &icr));
    assert_int_equal(icr >> 32, 0);

    assert_true(lapic_write_base(apic, APIC_BASE_DEFAULT));
    assert_int_equal(lapic_read(apic, APIC_VERSION, 4), 0xFFFFFFFF);
    assert_int_equal(lapic_read_cr8(apic), 5);
    assert_true(lapic_write_cr8(apic, 7));
    assert_int_equal(lapic_pending(apic), -1);
    assert_false(lapic_post(apic, 0x44));
    lapic_write_icr(apic, 0x40);

    assert_true(lapic_write_base(apic, APIC_BASE_DEFAULT | APIC_BASE_EN));
    assert_int_equal(rig_get(apic, APIC_ID), 0x23000000);
    assert_int_equal(rig_get(apic, APIC_LDR), 0);
    assert_int_equal(rig_get(apic, APIC_TPR), 0x70);
    assert_int_equal(rig_get(apic, APIC_VERSION), 0x01060014);
}

/* Accepted before, merged after: an APIC that is gone has lost the vector. */
static void global_disable_drops_what_was_posted(void **state)
{
    (void)state;
    rig_enable(apic);
    assert_true(lapic_post(apic, 0x44));
    assert_true(lapic_write_base(apic, APIC_BASE_DEFAULT));
    assert_false(rig_has(apic, 0x44));
    assert_true(lapic_write_base(apic, APIC_BASE_DEFAULT | APIC_BASE_EN));
    assert_false(rig_has(apic, 0x44));
}

/* ---- Software disable ---- */

static void software_disable_masks_lvts(void **state)
{
    (void)state;
    rig_enable(apic);
    rig_set(apic, APIC_LVT_TIMER, 0x41);
    self_ipi(0x50);
    rig_set(apic, APIC_SVR, 0xFF);
    assert_int_equal(rig_get(apic, APIC_LVT_TIMER), 0x10041);
    assert_int_equal(rig_get(apic, APIC_LVT_CMCI), 0x10000);
    rig_set(apic, APIC_LVT_ERROR, 0x42);
    assert_int_equal(rig_get(apic, APIC_LVT_ERROR), 0x10042);
    self_ipi(0x60);
    assert_false(rig_has(apic, 0x60));
    assert_int_equal(lapic_pending(apic), 0x50);
    rig_enable(apic);
    assert_int_equal(rig_get(apic, APIC_LVT_TIMER), 0x10041);
}

/* "The reception of any interrupt ... in progress when the local APIC is disabled" is completed. */
static void software_disable_keeps_what_was_posted(void **state)
{
    (void)state;
    rig_enable(apic);
    assert_true(lapic_post(apic, 0x44));
    rig_set(apic, APIC_SVR, 0xFF);
    assert_int_equal(lapic_pending(apic), 0x44);
}

/* A message that met the old map while the APIC took an INIT. */
static void init_drops_what_was_under_way(void **state)
{
    (void)state;
    rig_enable(apic);
    assert_true(lapic_post(apic, 0x44));
    lapic_init_signal(apic);
    assert_false(rig_has(apic, 0x44));
    rig_enable(apic);
    assert_false(rig_has(apic, 0x44));
}

/* ---- Priority ---- */

static void ppr_follows_tpr_and_isr(void **state)
{
    (void)state;
    rig_enable(apic);
    for (unsigned tpr = 0; tpr < 256; tpr += 5) {
        for (unsigned vector = 32; vector < 256; vector += 7) {
            lapic_reset(apic);
            rig_enable(apic);
            self_ipi((uint8_t)vector);
            assert_int_equal(lapic_acknowledge(apic), vector);
            rig_set(apic, APIC_TPR, tpr);
            uint32_t ppr = tpr >> 4 >= vector >> 4 ? tpr : vector & 0xF0u;
            assert_int_equal(rig_get(apic, APIC_PPR), ppr);
        }
    }
}

static void pending_needs_a_higher_class(void **state)
{
    (void)state;
    rig_enable(apic);
    self_ipi(0x51);
    rig_set(apic, APIC_TPR, 0x50);
    assert_int_equal(lapic_pending(apic), -1);
    assert_int_equal(lapic_tpr_threshold(apic), 5);
    assert_int_equal(lapic_acknowledge(apic), 0xFF); /* spurious */
    rig_set(apic, APIC_TPR, 0x4F);
    assert_int_equal(lapic_tpr_threshold(apic), 0);
    assert_int_equal(lapic_pending(apic), 0x51);
    assert_int_equal(lapic_acknowledge(apic), 0x51);
    assert_int_equal(lapic_highest_isr(apic), 0x51);
    assert_int_equal(rig_get(apic, APIC_PPR), 0x50);
    self_ipi(0x5F);
    assert_int_equal(lapic_pending(apic), -1);
    self_ipi(0x60);
    assert_int_equal(lapic_pending(apic), 0x60);
    assert_int_equal(lapic_acknowledge(apic), 0x60);
    assert_int_equal(lapic_highest_irr(apic), 0x5F);
    lapic_eoi(apic);
    lapic_eoi(apic);
    assert_int_equal(lapic_pending(apic), 0x5F);
    lapic_eoi(apic); /* nothing in service: no effect */
    assert_int_equal(lapic_pending(apic), 0x5F);
}

static void cr8_is_the_tpr_class(void **state)
{
    (void)state;
    rig_set(apic, APIC_TPR, 0x5A);
    assert_int_equal(lapic_read_cr8(apic), 5);
    assert_true(lapic_write_cr8(apic, 15));
    assert_int_equal(rig_get(apic, APIC_TPR), 0xF0);
    assert_int_equal(rig_get(apic, APIC_PPR), 0xF0);
    assert_false(lapic_write_cr8(apic, 16));
    assert_false(lapic_write_cr8(apic, UINT64_C(1) << 63));
    assert_int_equal(rig_get(apic, APIC_TPR), 0xF0);
}

/* ---- ESR and ICR ---- */

static void esr_latches_and_rearms(void **state)
{
    (void)state;
    rig_enable(apic);
    rig_set(apic, APIC_LVT_ERROR, 0x45);
    self_ipi(5);
    assert_true(rig_bit(apic, APIC_IRR, 0x45));
    assert_int_equal(rig_get(apic, APIC_ESR), 0);
    assert_int_equal(lapic_acknowledge(apic), 0x45);
    lapic_eoi(apic);
    self_ipi(6);
    assert_false(rig_bit(apic, APIC_IRR, 0x45)); /* not armed */
    assert_int_equal(latched_esr(), APIC_ESR_SEND_ILLEGAL | APIC_ESR_RECEIVE_ILLEGAL);
    self_ipi(7);
    assert_true(rig_bit(apic, APIC_IRR, 0x45));
    rig_set(apic, APIC_LVT_ERROR, 0x10045);
    assert_int_equal(latched_esr(), APIC_ESR_SEND_ILLEGAL | APIC_ESR_RECEIVE_ILLEGAL);
    assert_int_equal(latched_esr(), 0);
    rig_set(apic, APIC_LVT_ERROR, 0x03);
    self_ipi(8);
    assert_int_equal(latched_esr(), APIC_ESR_SEND_ILLEGAL | APIC_ESR_RECEIVE_ILLEGAL);
}

static void x2apic_self_ipi(void **state)
{
    (void)state;
    rig_to_x2apic(apic);
    rig_enable(apic);
    assert_true(lapic_wrmsr(apic, APIC_MSR(APIC_SELF_IPI), 0x77));
    assert_true(rig_bit(apic, APIC_IRR, 0x77));
    assert_true(lapic_wrmsr(apic, APIC_MSR(APIC_SELF_IPI), 0x0F));
    assert_int_equal(latched_esr(), APIC_ESR_SEND_ILLEGAL | APIC_ESR_RECEIVE_ILLEGAL);
    assert_true(lapic_wrmsr(apic, APIC_MSR(APIC_ICR), UINT64_C(0x123) << 32 | 0x140));
    assert_int_equal(latched_esr(), APIC_ESR_REDIRECTABLE);
    assert_false(rig_has(apic, 0x40));
}

static void unusual_ipis(void **state)
{
    (void)state;
    struct lapic *other = rig_add(&rig, 5, 0);
    rig_enable(apic);
    rig_enable(other);
    rig_set(apic, APIC_ICR_HIGH, 5u << 24);
    rig_set(apic, APIC_ICR, 0x8500); /* INIT level de-assert */
    assert_false(rig_merge(other).init);
    rig_set(apic, APIC_ICR, 0xC500); /* INIT level assert */
    assert_true(rig_merge(other).init);
    rig_set(apic, APIC_ICR, 0x200); /* SMI */
    rig_set(apic, APIC_ICR, 0x300);
    rig_set(apic, APIC_ICR, 0x700);
    assert_false(apic_posted(other->post));
    rig_set(apic, APIC_ICR, 0x8033); /* level, de-asserted: sent as an edge */
    assert_true(rig_has(other, 0x33));
    assert_false(rig_bit(other, APIC_TMR, 0x33));
    rig_set(apic, APIC_ICR, 0x134); /* lowest priority */
    assert_true(rig_has(other, 0x34));
    rig_set(apic, APIC_ICR, 0x69A); /* SIPI */
    assert_int_equal(rig_merge(other).sipi_vector, 0x9A);
    rig_set(apic, APIC_ICR, 0x1035);
    assert_int_equal(rig_get(apic, APIC_ICR), 0x35); /* idle */
    rig_set(apic, APIC_ICR, 0x80400);                /* NMI to all including self */
    assert_int_equal(rig_merge(apic).nmi, 1);
    assert_int_equal(rig_merge(other).nmi, 1);
    lapic_write_icr(apic, UINT64_C(0x05000000) << 32 | 0x36);
    assert_true(rig_has(other, 0x36));
    rig_to_x2apic(apic);
    lapic_write_icr(apic, UINT64_C(5) << 32 | 0x37);
    assert_true(rig_has(other, 0x37));
}

/* ---- LVT inputs ---- */

static void local_sources(void **state)
{
    (void)state;
    static const struct {
        uint32_t reg;
        void (*fire)(struct lapic *lapic);
    } sources[] = {
        {APIC_LVT_THERMAL, lapic_thermal}, {APIC_LVT_PMC, lapic_pmc}, {APIC_LVT_CMCI, lapic_cmci}};
    rig_enable(apic);
    for (unsigned i = 0; i < 3; i++) {
        uint8_t vector = (uint8_t)(0x50 + i);
        sources[i].fire(apic);
        assert_false(rig_bit(apic, APIC_IRR, vector));
        rig_set(apic, sources[i].reg, vector);
        assert_false(rig_bit(apic, APIC_IRR, vector)); /* a masked event is lost */
        sources[i].fire(apic);
        assert_true(rig_bit(apic, APIC_IRR, vector));
        rig_set(apic, sources[i].reg, 0x400); /* NMI */
        sources[i].fire(apic);
        assert_int_equal(rig_merge(apic).nmi, 1);
        rig_set(apic, sources[i].reg, 0x200); /* SMI */
        sources[i].fire(apic);
        rig_set(apic, sources[i].reg, 0x500); /* INIT is reserved here, and ExtINT */
        sources[i].fire(apic);
        rig_set(apic, sources[i].reg, 0x700);
        sources[i].fire(apic);
        assert_false(apic_posted(apic->post));
    }
    rig_set(apic, APIC_LVT_PMC, 0x51);
    lapic_pmc(apic);
    assert_int_equal(rig_get(apic, APIC_LVT_PMC), 0x10051);
}

static void lint_edges(void **state)
{
    (void)state;
    rig_enable(apic);
    rig_set(apic, APIC_LVT_LINT1, 0x400);
    lapic_lint(apic, 1, true);
    lapic_lint(apic, 1, true);
    assert_int_equal(rig_merge(apic).nmi, 1);
    lapic_lint(apic, 1, false);
    lapic_lint(apic, 1, true);
    assert_int_equal(rig_merge(apic).nmi, 1);
    lapic_lint(apic, 1, false);
    rig_set(apic, APIC_LVT_LINT1, 0x500);
    lapic_lint(apic, 1, true);
    assert_true(rig_merge(apic).init);
    lapic_lint(apic, 1, false);
    rig_set(apic, APIC_LVT_LINT1, 0x8060); /* no level triggering on LINT1 */
    lapic_lint(apic, 1, true);
    assert_true(rig_bit(apic, APIC_IRR, 0x60));
    assert_false(rig_bit(apic, APIC_TMR, 0x60));
    lapic_lint(apic, 2, true); /* there is no such pin */
}

static void lint0_level(void **state)
{
    (void)state;
    rig_enable(apic);
    lapic_lint(apic, 0, true);
    rig_set(apic, APIC_LVT_LINT0, 0x8061); /* unmasking finds the line asserted */
    assert_int_equal(rig_get(apic, APIC_LVT_LINT0), 0xC061);
    assert_true(rig_bit(apic, APIC_TMR, 0x61));
    assert_int_equal(lapic_acknowledge(apic), 0x61);
    lapic_lint(apic, 0, true);
    assert_int_equal(lapic_highest_irr(apic), 0);
    lapic_eoi(apic);
    assert_int_equal(lapic_acknowledge(apic), 0x61); /* still asserted */
    lapic_lint(apic, 0, false);
    lapic_eoi(apic);
    assert_int_equal(rig_get(apic, APIC_LVT_LINT0), 0x8061);
    assert_int_equal(lapic_highest_irr(apic), 0);
    lapic_lint(apic, 0, true);
    rig_set(apic, APIC_LVT_LINT0, 0x61); /* edge has no remote IRR */
    assert_int_equal(rig_get(apic, APIC_LVT_LINT0), 0x61);
}

static void extint_is_a_level(void **state)
{
    (void)state;
    rig_enable(apic);
    lapic_lint(apic, 0, true);
    assert_false(lapic_extint(apic));
    rig_set(apic, APIC_LVT_LINT0, 0x700);
    assert_true(lapic_extint(apic));
    rig_set(apic, APIC_LVT_LINT0, 0x10700);
    assert_false(lapic_extint(apic));
    rig_set(apic, APIC_LVT_LINT1, 0x700);
    lapic_lint(apic, 1, true);
    assert_true(lapic_extint(apic));
    struct apic_msg msg = {.dest = 0x23, .delivery = APIC_EXTINT};
    assert_int_equal(apic_route(&rig.domain, &msg), 1);
    assert_true(rig_merge(apic).extint);
}

/* ---- Hardware-assisted access ---- */

/* Storing in the page and reporting it is the same as writing the register. */
static void written_equals_write(void **state)
{
    (void)state;
    static const uint32_t regs[] = {
        APIC_ID,           APIC_LDR,       APIC_DFR,       APIC_SVR,       APIC_ESR,
        APIC_LVT_CMCI,     APIC_ICR,       APIC_ICR_HIGH,  APIC_LVT_TIMER, APIC_LVT_THERMAL,
        APIC_LVT_PMC,      APIC_LVT_LINT0, APIC_LVT_LINT1, APIC_LVT_ERROR, APIC_TIMER_INITIAL,
        APIC_TIMER_DIVIDE, APIC_EOI,
    };
    struct lapic *twin = rig_add(&rig, 0x123, 0);
    srand(1);
    rig_enable(apic);
    rig_enable(twin);
    for (unsigned i = 0; i < 20000; i++) {
        uint32_t reg = regs[(unsigned)rand() % (sizeof(regs) / sizeof(*regs))];
        uint32_t value = (uint32_t)rand() ^ (uint32_t)rand() << 16;
        if (reg == APIC_ICR) {
            value = (value & 0xFF) | 1u << 18; /* to self, so that neither hears the other */
        }
        rig.now += (unsigned)rand() % 100000;
        rig_set(apic, reg, value);
        twin->regs[reg / 4] = value;
        lapic_written(twin, reg);
        rig_merge(apic);
        rig_merge(twin);
        assert_memory_equal(apic->regs, twin->regs, APIC_PAGE_SIZE);
        assert_true(lapic_timer_deadline(apic) == lapic_timer_deadline(twin));
    }
}

static void written_timer_entry_does_not_revive_an_expiry(void **state)
{
    (void)state;
    rig_enable(apic);
    rig_set(apic, APIC_LVT_TIMER, 0x10041);
    rig_set(apic, APIC_TIMER_INITIAL, 100);
    rig.now += 1000;
    apic->regs[APIC_LVT_TIMER / 4] = 0x41;
    lapic_written(apic, APIC_LVT_TIMER);
    assert_false(rig_has(apic, 0x41));
}

static void eoi_exit_bitmap_is_the_level_vectors(void **state)
{
    (void)state;
    uint64_t bitmap[4];
    rig_enable(apic);
    struct apic_msg msg = {.dest = 0x23, .vector = 0xA1, .level = true};
    apic_route(&rig.domain, &msg);
    rig_merge(apic);
    lapic_eoi_exit_bitmap(apic, bitmap);
    assert_true(bitmap[0] == 0 && bitmap[1] == 0 && bitmap[3] == 0);
    assert_true(bitmap[2] == UINT64_C(1) << 33);
    msg.level = false;
    apic_route(&rig.domain, &msg);
    rig_merge(apic);
    lapic_eoi_exit_bitmap(apic, bitmap);
    assert_true(bitmap[2] == 0);
}

int main(void)
{
#define APIC_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        APIC_TEST(reset_gives_power_on_values),
        APIC_TEST(init_keeps_ids_and_mode),
        APIC_TEST(xapic_writable_bits),
        APIC_TEST(features_take_bits_away),
        APIC_TEST(reserved_offsets_set_esr),
        APIC_TEST(odd_accesses),
        APIC_TEST(every_msr),
        APIC_TEST(x2apic_reserved_bits_fault),
        APIC_TEST(x2apic_icr_is_64_bits),
        APIC_TEST(x2apic_hides_the_page),
        APIC_TEST(every_transition),
        APIC_TEST(base_reserved_bits_fault),
        APIC_TEST(mode_changes_keep_what_they_must),
        APIC_TEST(global_disable_drops_what_was_posted),
        APIC_TEST(software_disable_masks_lvts),
        APIC_TEST(software_disable_keeps_what_was_posted),
        APIC_TEST(init_drops_what_was_under_way),
        APIC_TEST(ppr_follows_tpr_and_isr),
        APIC_TEST(pending_needs_a_higher_class),
        APIC_TEST(cr8_is_the_tpr_class),
        APIC_TEST(esr_latches_and_rearms),
        APIC_TEST(x2apic_self_ipi),
        APIC_TEST(unusual_ipis),
        APIC_TEST(local_sources),
        APIC_TEST(lint_edges),
        APIC_TEST(lint0_level),
        APIC_TEST(extint_is_a_level),
        APIC_TEST(written_equals_write),
        APIC_TEST(written_timer_entry_does_not_revive_an_expiry),
        APIC_TEST(eoi_exit_bitmap_is_the_level_vectors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
