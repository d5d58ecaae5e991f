/* SPDX-License-Identifier: BSD-2-Clause */
/* The I/O APIC: registers, edge and level, remote IRR, EOI in both forms; and MSI decoding. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/host/apic_rig.h"

enum {
    DATA = 0x10,
    EOI = 0x40,
    MASKED = 1 << 16,
    LEVEL = 1 << 15,
    LOGICAL = 1 << 11,
    IRR = 1 << 14
};

static struct rig rig;
static struct lapic *cpu0, *cpu1;
static struct ioapic ioapic;

static int setup(void **state)
{
    (void)state;
    struct apic_config config = rig_default_config();
    config.groups = 2;
    rig_init(&rig, &config, 4);
    cpu0 = rig_add(&rig, 0, 0);
    cpu1 = rig_add(&rig, 1, 0);
    rig_enable(cpu0);
    rig_enable(cpu1);
    struct ioapic_params params = {.lines = IOAPIC_DEFAULT_LINES, .id = 3};
    assert_true(ioapic_init(&ioapic, &rig.domain, &params));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    rig_destroy(&rig);
    return 0;
}

static uint32_t get(uint32_t index)
{
    ioapic_write(&ioapic, 0, 4, index);
    return ioapic_read(&ioapic, DATA, 4);
}

static void set(uint32_t index, uint32_t value)
{
    ioapic_write(&ioapic, 0, 4, index);
    ioapic_write(&ioapic, DATA, 4, value);
}

static void set_entry(unsigned line, uint32_t low, uint8_t dest)
{
    set(0x10 + 2 * line + 1, (uint32_t)dest << 24);
    set(0x10 + 2 * line, low);
}

static uint32_t entry_low(unsigned line)
{
    return get(0x10 + 2 * line);
}

static void pulse(unsigned line)
{
    ioapic_set_line(&ioapic, line, true);
    ioapic_set_line(&ioapic, line, false);
}

/* Takes the interrupt as the processor would. */
static bool take(struct lapic *lapic, uint8_t vector)
{
    rig_merge(lapic);
    return lapic_pending(lapic) == vector && lapic_acknowledge(lapic) == vector;
}

static void registers(void **state)
{
    (void)state;
    assert_int_equal(get(0), 0x03000000);
    set(0, 0xFFFFFFFF);
    assert_int_equal(get(0), 0x0F000000);
    assert_int_equal(get(2), 0x0F000000);
    set(2, 0);
    assert_int_equal(get(2), 0x0F000000);
    assert_int_equal(get(1), 0x00170020);
    set(1, 0);
    assert_int_equal(get(1), 0x00170020);
    assert_int_equal(get(3), 0);
    for (unsigned line = 0; line < 24; line++) {
        assert_int_equal(entry_low(line), MASKED);
        set_entry(line, 0xFFFFFFFF, 0xFF);
        assert_int_equal(entry_low(line), 0x1AFFF);
        assert_int_equal(get(0x10 + 2 * line + 1), 0xFF000000);
    }
    set(0x10 + 48, 0);
    assert_int_equal(get(0x10 + 48), 0);
    assert_int_equal(ioapic_read(&ioapic, 0, 4), 0x40);
    assert_int_equal(ioapic_read(&ioapic, 0, 1), 0);
    assert_int_equal(ioapic_read(&ioapic, 0x20, 4), 0);
    ioapic_write(&ioapic, 0, 1, 5);
    ioapic_write(&ioapic, 0x20, 4, 5);
    assert_int_equal(ioapic_read(&ioapic, 0, 4), 0x40);
    ioapic_reset(&ioapic);
    assert_int_equal(get(0), 0x03000000);
    assert_int_equal(entry_low(5), MASKED);
}

static void creation_refuses(void **state)
{
    (void)state;
    static struct ioapic more[APIC_MAX_IOAPICS];
    struct ioapic_params params = {.lines = 0};
    assert_false(ioapic_init(&more[0], &rig.domain, &params));
    params.lines = IOAPIC_MAX_LINES + 1;
    assert_false(ioapic_init(&more[0], &rig.domain, &params));
    params.lines = IOAPIC_MAX_LINES;
    for (unsigned i = 1; i < APIC_MAX_IOAPICS; i++) {
        assert_true(ioapic_init(&more[i], &rig.domain, &params));
    }
    assert_false(ioapic_init(&more[0], &rig.domain, &params));
}

static void edges(void **state)
{
    (void)state;
    set_entry(4, 0x51, 1);
    pulse(4);
    assert_true(take(cpu1, 0x51));
    assert_false(rig_bit(cpu1, APIC_TMR, 0x51));
    assert_false(take(cpu0, 0x51));
    ioapic_set_line(&ioapic, 4, true);
    ioapic_set_line(&ioapic, 4, true);
    lapic_eoi(cpu1);
    assert_true(take(cpu1, 0x51));
    lapic_eoi(cpu1);
    assert_false(take(cpu1, 0x51));
    ioapic_set_line(&ioapic, 4, false);
    set_entry(4, MASKED | 0x51, 1);
    pulse(4);
    set_entry(4, 0x51, 1);
    assert_false(take(cpu1, 0x51));
    ioapic_set_line(&ioapic, 24, true);
}

static void level(void **state)
{
    (void)state;
    set_entry(9, LEVEL | 0x61, 0);
    ioapic_set_line(&ioapic, 9, true);
    assert_int_equal(entry_low(9), LEVEL | IRR | 0x61);
    assert_true(take(cpu0, 0x61));
    assert_true(rig_bit(cpu0, APIC_TMR, 0x61));
    assert_false(take(cpu0, 0x61));
    lapic_eoi(cpu0); /* still asserted: again */
    assert_int_equal(entry_low(9), LEVEL | IRR | 0x61);
    assert_true(take(cpu0, 0x61));
    ioapic_set_line(&ioapic, 9, false);
    lapic_eoi(cpu0);
    assert_int_equal(entry_low(9), LEVEL | 0x61);
    assert_false(take(cpu0, 0x61));
    ioapic_set_line(&ioapic, 9, true);
    ioapic_set_line(&ioapic, 9, false); /* gone before it was served: still pending */
    assert_true(take(cpu0, 0x61));
    lapic_eoi(cpu0);
    assert_int_equal(entry_low(9), LEVEL | 0x61);
}

static void masking_and_retriggering_levels(void **state)
{
    (void)state;
    set_entry(9, MASKED | LEVEL | 0x61, 0);
    ioapic_set_line(&ioapic, 9, true);
    assert_false(take(cpu0, 0x61));
    set_entry(9, LEVEL | 0x61, 0);
    assert_true(take(cpu0, 0x61));
    set_entry(9, MASKED | LEVEL | 0x61, 0);
    lapic_eoi(cpu0);
    assert_false(take(cpu0, 0x61));
    set_entry(9, LEVEL | 0x61, 0);
    assert_true(take(cpu0, 0x61));
    set_entry(9, 0x61, 0); /* to edge and back frees a lost EOI */
    assert_int_equal(entry_low(9), 0x61);
    set_entry(9, LEVEL | 0x61, 1);
    assert_true(take(cpu1, 0x61));
}

static void remote_irr_needs_an_acceptor(void **state)
{
    (void)state;
    set_entry(9, LEVEL | 0x61, 7);
    ioapic_set_line(&ioapic, 9, true);
    assert_int_equal(entry_low(9), LEVEL | 0x61);
    set(0x10 + 2 * 9, MASKED);
    set_entry(9, LEVEL | 0x0F, 0); /* an illegal vector is never in service */
    assert_int_equal(entry_low(9), LEVEL | 0x0F);
    rig_merge(cpu0);
    rig_set(cpu0, APIC_ESR, 0);
    assert_int_equal(rig_get(cpu0, APIC_ESR), APIC_ESR_RECEIVE_ILLEGAL);
}

static void directed_eoi(void **state)
{
    (void)state;
    rig_set(cpu0, APIC_SVR, APIC_SVR_SUPPRESS_EOI | APIC_SVR_ENABLE | 0xFF);
    set_entry(9, LEVEL | 0x61, 0);
    ioapic_set_line(&ioapic, 9, true);
    assert_true(take(cpu0, 0x61));
    ioapic_set_line(&ioapic, 9, false);
    lapic_eoi(cpu0);
    assert_int_equal(entry_low(9), LEVEL | IRR | 0x61);
    ioapic_write(&ioapic, EOI, 4, 0x62);
    assert_int_equal(entry_low(9), LEVEL | IRR | 0x61);
    ioapic_write(&ioapic, EOI, 4, 0x61);
    assert_int_equal(entry_low(9), LEVEL | 0x61);
}

static void eoi_exit_broadcasts(void **state)
{
    (void)state;
    set_entry(9, LEVEL | 0x61, 0);
    ioapic_set_line(&ioapic, 9, true);
    assert_true(take(cpu0, 0x61));
    ioapic_set_line(&ioapic, 9, false);
    lapic_eoi_exit(cpu0, 0x61);
    assert_int_equal(entry_low(9), LEVEL | 0x61);
}

static void other_groups_do_not_end_it(void **state)
{
    (void)state;
    struct lapic *other = rig_add(&rig, 0, 1);
    rig_enable(other);
    set_entry(9, LEVEL | 0x61, 0);
    ioapic_set_line(&ioapic, 9, true);
    struct apic_msg msg = {.dest = 0, .vector = 0x61, .level = true, .group = 1};
    assert_int_equal(apic_route(&rig.domain, &msg), 1);
    assert_true(take(other, 0x61));
    lapic_eoi(other);
    assert_int_equal(entry_low(9), LEVEL | IRR | 0x61);
}

static void destinations_and_modes(void **state)
{
    (void)state;
    rig_set(cpu0, APIC_LDR, 1u << 24);
    rig_set(cpu1, APIC_LDR, 2u << 24);
    set_entry(1, LOGICAL | 0x52, 3);
    pulse(1);
    assert_true(take(cpu0, 0x52));
    assert_true(take(cpu1, 0x52));
    lapic_eoi(cpu0);
    lapic_eoi(cpu1);
    set_entry(1, LOGICAL | 0x100 | 0x53, 3); /* lowest priority: 0x53 is odd, so the second */
    pulse(1);
    assert_false(take(cpu0, 0x53));
    assert_true(take(cpu1, 0x53));
    set_entry(1, 0x400, 0xFF);
    pulse(1);
    assert_int_equal(rig_merge(cpu0).nmi, 1);
    assert_int_equal(rig_merge(cpu1).nmi, 1);
    set_entry(1, LEVEL | 0x500, 0); /* INIT is an edge whatever bit 15 says */
    pulse(1);
    assert_int_equal(entry_low(1), LEVEL | 0x500);
    assert_true(rig_merge(cpu0).init);
    set_entry(1, 0x700, 0);
    pulse(1);
    assert_true(rig_merge(cpu0).extint);
}

static void extended_destination(void **state)
{
    (void)state;
    static struct ioapic wide;
    struct ioapic_params params = {.lines = 2, .format = APIC_MSI_15BIT};
    struct lapic *far = rig_add(&rig, 0x2301, 0);
    rig_to_x2apic(far);
    rig_enable(far);
    assert_true(ioapic_init(&wide, &rig.domain, &params));
    ioapic_write(&wide, 0, 4, 0x11);
    ioapic_write(&wide, DATA, 4, 0x01000000 | 0x23 << 17 | 1 << 16);
    assert_int_equal(ioapic_read(&wide, DATA, 4), 0x01000000 | 0x23 << 17);
    ioapic_write(&wide, 0, 4, 0x10);
    ioapic_write(&wide, DATA, 4, 0x54);
    ioapic_set_line(&wide, 0, true);
    assert_true(take(far, 0x54));
    assert_false(take(cpu1, 0x54));
}

/* ---- MSI ---- */

static void msi_fields(void **state)
{
    (void)state;
    struct apic_msg msg;
    assert_true(apic_msi_decode(APIC_MSI_8BIT, 0xFEE12FE0, 0x0041, &msg));
    assert_int_equal(msg.dest, 0x12);
    assert_int_equal(msg.vector, 0x41);
    assert_false(msg.logical || msg.level || msg.wide || msg.broadcast);
    assert_int_equal(msg.shorthand, APIC_NO_SHORTHAND);
    assert_null(msg.source);
    assert_true(apic_msi_decode(APIC_MSI_15BIT, 0xFEE12FE0, 0x0041, &msg));
    assert_int_equal(msg.dest, 0x7F12);
    assert_true(apic_msi_decode(APIC_MSI_32BIT, UINT64_C(0xABCDEF00FEE12000), 0x41, &msg));
    assert_int_equal(msg.dest, 0xABCDEF12);
    assert_true(msg.wide);

    assert_true(apic_msi_decode(APIC_MSI_8BIT, 0xFEEFF000, 0xC041, &msg));
    assert_true(msg.broadcast && msg.level);
    assert_true(apic_msi_decode(APIC_MSI_15BIT, 0xFEEFF020, 0x41, &msg));
    assert_false(msg.broadcast);
    assert_true(apic_msi_decode(APIC_MSI_32BIT, 0xFEEFF000, 0x41, &msg));
    assert_false(msg.broadcast);
    assert_true(apic_msi_decode(APIC_MSI_32BIT, UINT64_C(0xFFFFFF00FEEFF000), 0x41, &msg));
    assert_true(msg.broadcast);
}

static void msi_redirection_and_trigger(void **state)
{
    (void)state;
    struct apic_msg msg;
    assert_true(apic_msi_decode(APIC_MSI_8BIT, 0xFEE0300C, 0x41, &msg));
    assert_int_equal(msg.delivery, APIC_LOWEST);
    assert_true(msg.logical);
    assert_true(apic_msi_decode(APIC_MSI_8BIT, 0xFEE03008, 0x41, &msg));
    assert_int_equal(msg.delivery, APIC_FIXED);
    assert_true(apic_msi_decode(APIC_MSI_8BIT, 0xFEE0300C, 0x441, &msg));
    assert_int_equal(msg.delivery, APIC_NMI);
    assert_true(apic_msi_decode(APIC_MSI_8BIT, 0xFEE03000, 0x8441, &msg));
    assert_false(msg.level);
    assert_true(apic_msi_decode(APIC_MSI_8BIT, 0xFEE03003, 0x8141, &msg));
    assert_true(msg.level);
}

static void msi_refusals(void **state)
{
    (void)state;
    struct apic_msg msg = {.dest = 0x77};
    assert_false(apic_msi_decode(APIC_MSI_8BIT, 0xFED00000, 0x41, &msg));
    assert_false(apic_msi_decode(APIC_MSI_8BIT, 0xFEE00010, 0x41, &msg));
    assert_false(apic_msi_decode(APIC_MSI_8BIT, UINT64_C(0x100FEE00000), 0x41, &msg));
    assert_false(apic_msi_decode(APIC_MSI_15BIT, UINT64_C(0x100FEE00000), 0x41, &msg));
    assert_false(apic_msi_decode(APIC_MSI_32BIT, UINT64_C(0x1FEE00000), 0x41, &msg));
    assert_int_equal(msg.dest, 0x77);
}

int main(void)
{
#define IOAPIC_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        IOAPIC_TEST(registers),
        IOAPIC_TEST(creation_refuses),
        IOAPIC_TEST(edges),
        IOAPIC_TEST(level),
        IOAPIC_TEST(masking_and_retriggering_levels),
        IOAPIC_TEST(remote_irr_needs_an_acceptor),
        IOAPIC_TEST(directed_eoi),
        IOAPIC_TEST(eoi_exit_broadcasts),
        IOAPIC_TEST(other_groups_do_not_end_it),
        IOAPIC_TEST(destinations_and_modes),
        IOAPIC_TEST(extended_destination),
        cmocka_unit_test(msi_fields),
        cmocka_unit_test(msi_redirection_and_trigger),
        cmocka_unit_test(msi_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
