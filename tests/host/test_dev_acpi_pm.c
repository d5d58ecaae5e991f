/* SPDX-License-Identifier: BSD-2-Clause */
/* links: drivers/guest/acpi_pm.c drivers/guest/pio.c */
/* ACPI PM1 registers and the PM timer. */
#include "drivers/guest/acpi_pm.h"

#include "tests/host/device_world.h"

enum {
    BASE = 0x600,
    STATUS = BASE,
    ENABLE = BASE + 2,
    CONTROL = BASE + 4,
    TIMER = BASE + 8,
    SCI = 9,
    S5 = 5,
};

static struct device_world world;
static struct acpi_pm pm;

static void create(bool timer)
{
    struct acpi_pm_config config = {.base = BASE, .sci = SCI, .s5 = S5, .timer = timer};

    world_init(&world);
    assert_true(acpi_pm_init(&pm, &world.host, &world.bus, &config));
}

static uint16_t in16(uint16_t port)
{
    return (uint16_t)pio_bus_read(&world.bus, port, 2);
}

static void out16(uint16_t port, uint16_t value)
{
    pio_bus_write(&world.bus, port, 2, value);
}

/* The first nanosecond of a tick, computed another way than the device does. */
static uint64_t tick_ns(uint64_t tick)
{
    return (uint64_t)(((__uint128_t)tick * 1000000000u + ACPI_PM_TIMER_HZ - 1) / ACPI_PM_TIMER_HZ);
}

static void timer_counts(void **state)
{
    static const uint64_t ticks[] = {0,         1,          3579544,     3579545,        0xffffff,
                                     0x1000000, 0xffffffff, 0x100000000, 0x123456789abcd};

    (void)state;
    create(true);
    for (unsigned i = 0; i < sizeof ticks / sizeof ticks[0]; i++) {
        world.now_ns = tick_ns(ticks[i]);
        assert_int_equal(pio_bus_read(&world.bus, TIMER, 4), (uint32_t)ticks[i]);
        if (ticks[i] == 0)
            continue;
        world.now_ns--;
        assert_int_equal(pio_bus_read(&world.bus, TIMER, 4), (uint32_t)(ticks[i] - 1));
    }
    world.now_ns = UINT64_MAX; /* 584 years: still no overflow */
    assert_int_equal(pio_bus_read(&world.bus, TIMER, 4),
                     (uint32_t)((__uint128_t)UINT64_MAX * ACPI_PM_TIMER_HZ / 1000000000u));
}

static void timer_is_read_only_and_readable_by_parts(void **state)
{
    (void)state;
    create(true);
    world.now_ns = tick_ns(0x87654321);
    pio_bus_write(&world.bus, TIMER, 4, 0);
    assert_int_equal(pio_bus_read(&world.bus, TIMER + 2, 2), 0x8765);
    assert_int_equal(pio_bus_read(&world.bus, TIMER + 1, 1), 0x43);
}

static void carry_raises_the_sci(void **state)
{
    (void)state;
    create(true);
    assert_true(pio_bus_advance(&world.bus, 0) == DEVICE_NEVER);
    out16(ENABLE, 1);
    uint64_t carry = tick_ns(1ull << 31);
    assert_true(pio_bus_advance(&world.bus, 0) == carry);
    world.now_ns = carry - 1;
    assert_true(pio_bus_advance(&world.bus, world.now_ns) == carry);
    assert_int_equal(in16(STATUS), 0);
    assert_false(world.level);

    world.now_ns = carry;
    assert_true(pio_bus_advance(&world.bus, world.now_ns) == DEVICE_NEVER);
    assert_true(world.level);
    assert_int_equal(world.last_line, SCI);
    assert_int_equal(in16(STATUS), 1);
    out16(STATUS, 0xfffe);
    assert_int_equal(in16(STATUS), 1);
    out16(STATUS, 1);
    assert_int_equal(in16(STATUS), 0);
    assert_false(world.level);
    assert_true(pio_bus_advance(&world.bus, world.now_ns) == tick_ns(2ull << 31));
}

static void carry_without_enable(void **state)
{
    (void)state;
    create(true);
    world.now_ns = tick_ns(1ull << 31);
    assert_int_equal(in16(STATUS), 1);
    assert_false(world.level);
    out16(ENABLE, 1); /* the status bit is already there */
    assert_true(world.level);
    out16(ENABLE, 0);
    assert_false(world.level);
}

static void without_timer(void **state)
{
    (void)state;
    create(false);
    out16(ENABLE, 1);
    world.now_ns = tick_ns(1ull << 31);
    assert_true(pio_bus_advance(&world.bus, world.now_ns) == DEVICE_NEVER);
    assert_int_equal(pio_bus_read(&world.bus, TIMER, 4), UINT32_MAX);
    assert_int_equal(in16(STATUS), 0);
    assert_false(world.level);
    assert_int_equal(in16(CONTROL), 1);
}

static void enable_reads_back(void **state)
{
    (void)state;
    create(true);
    out16(ENABLE, 0xffff);
    assert_int_equal(in16(ENABLE), 0x4721);
    world_out(&world, ENABLE, 0);
    assert_int_equal(in16(ENABLE), 0x4700);
    assert_int_equal(pio_bus_read(&world.bus, STATUS, 4), 0x47000000);
}

static void acpi_mode_stays_on(void **state)
{
    (void)state;
    create(true);
    assert_int_equal(in16(CONTROL), 1);
    out16(CONTROL, 0);
    assert_int_equal(in16(CONTROL), 1);
    out16(CONTROL, 0x1c03); /* SLP_TYP without SLP_EN is only remembered */
    assert_int_equal(in16(CONTROL), 0x1c03);
    assert_int_equal(world.stops, 0);
}

static void power_off(void **state)
{
    (void)state;
    create(true);
    out16(CONTROL, 3 << 10 | 1 << 13); /* a sleep state that _Sx does not offer */
    assert_int_equal(world.stops, 0);
    out16(CONTROL, S5 << 10 | 1 << 13 | 1);
    assert_int_equal(world.stops, 1);
    assert_int_equal(world.stop_reason, DEVICE_STOP_POWEROFF);
    assert_int_equal(in16(CONTROL), S5 << 10 | 1); /* SLP_EN is write-only */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(timer_counts),
        cmocka_unit_test(timer_is_read_only_and_readable_by_parts),
        cmocka_unit_test(carry_raises_the_sci),
        cmocka_unit_test(carry_without_enable),
        cmocka_unit_test(without_timer),
        cmocka_unit_test(enable_reads_back),
        cmocka_unit_test(acpi_mode_stays_on),
        cmocka_unit_test(power_off),
    };
    return cmocka_run_group_tests_name("ACPI PM", tests, NULL, NULL);
}
