/* SPDX-License-Identifier: BSD-2-Clause */
/* links: drivers/guest/reset.c drivers/guest/pci_config.c drivers/guest/debug_exit.c */
/* links: drivers/guest/pio.c */
/* The ports that end or reset a VM, and what must not. */
#include "drivers/guest/debug_exit.h"
#include "drivers/guest/pci_config.h"
#include "drivers/guest/reset.h"

#include "tests/host/device_world.h"

struct fixture {
    struct device_world world;
    struct reset reset;
    struct pci_config pci;
};

static struct fixture fixture;
static struct device_world *const world = &fixture.world;

static int setup(void **state)
{
    (void)state;
    world_init(world);
    return !(reset_init(&fixture.reset, &world->host, &world->bus, true) &&
             pci_config_init(&fixture.pci, &world->host, &world->bus) &&
             debug_exit_init(&world->host, &world->bus, 0xf4));
}

static void assert_stopped(enum device_stop reason, uint32_t code)
{
    assert_int_equal(world->stops, 1);
    assert_int_equal(world->stop_reason, reason);
    assert_int_equal(world->stop_code, code);
}

static void keyboard_controller(void **state)
{
    (void)state;
    uint8_t status = world_in(world, 0x64);
    assert_int_equal(status & 3, 0); /* nothing to read, ready for a command */
    assert_int_not_equal(status, 0xff);
    assert_int_equal(world_in(world, 0x60), 0xff);
    world_out(world, 0x64, 0xaa);
    world_out(world, 0x64, 0xff); /* pulses no line */
    world_out(world, 0x64, 0xf1);
    world_out(world, 0x60, 0xfe);
    assert_int_equal(world->stops, 0);
    world_out(world, 0x64, 0xfe);
    assert_stopped(DEVICE_STOP_RESET, 0);
}

static void any_pulse_of_the_reset_line(void **state)
{
    (void)state;
    world_out(world, 0x64, 0xf0);
    assert_stopped(DEVICE_STOP_RESET, 0);
}

static void port_a(void **state)
{
    (void)state;
    assert_int_equal(world_in(world, 0x92), 2);
    world_out(world, 0x92, 0xfc);
    assert_int_equal(world_in(world, 0x92), 0);
    world_out(world, 0x92, 2);
    assert_int_equal(world_in(world, 0x92), 2);
    assert_int_equal(world->stops, 0);
    world_out(world, 0x92, 3);
    assert_stopped(DEVICE_STOP_RESET, 0);
    world_out(world, 0x92, 3); /* no second edge */
    assert_int_equal(world->stops, 1);
}

static void reset_control(void **state)
{
    (void)state;
    world_out(world, 0xcf9, 0xf1);
    assert_int_equal(world_in(world, 0xcf9), 0);
    world_out(world, 0xcf9, 2);
    assert_int_equal(world->stops, 0);
    assert_int_equal(world_in(world, 0xcf9), 2);
    world_out(world, 0xcf9, 6);
    assert_stopped(DEVICE_STOP_RESET, 0);
    assert_int_equal(world_in(world, 0xcf9), 6);
    world_out(world, 0xcf9, 0x0e);
    assert_int_equal(world->stops, 1);
}

/* A configuration address for device 0, function 6 has 0x06 in the byte at 0xcf9. */
static void address_register_is_not_a_reset(void **state)
{
    (void)state;
    pio_bus_write(&world->bus, 0xcf8, 4, 0x80000600);
    pio_bus_write(&world->bus, 0xcf8, 2, 0x0600);
    assert_int_equal(world->stops, 0);
    assert_int_equal(pio_bus_read(&world->bus, 0xcf8, 4), 0x80000600);
    pio_bus_write(&world->bus, 0xcf8, 4, 0xffffffff);
    assert_int_equal(pio_bus_read(&world->bus, 0xcf8, 4), 0x80fffffc);
    assert_int_equal(pio_bus_read(&world->bus, 0xcfc, 4), 0xffffffff);
    pio_bus_write(&world->bus, 0xcfc, 4, 0);
    assert_int_equal(pio_bus_read(&world->bus, 0xcfc, 2), 0xffff);
    assert_int_equal(pio_bus_read(&world->bus, 0xcfb, 1), 0xff);
}

static void debug_exit_codes(void **state)
{
    static const struct {
        unsigned size;
        uint32_t value, code;
    } cases[] = {
        {1, 0, 1},
        {1, 0x10, 0x21},
        {1, 0xff, 0x1ff},
        {2, 0x1234, 0x2469},
        {4, 0x40000001, 0x80000003},
    };

    (void)state;
    assert_int_equal(pio_bus_read(&world->bus, 0xf4, 4), 0);
    assert_int_equal(world->stops, 0);
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        world->stops = 0;
        pio_bus_write(&world->bus, 0xf4, cases[i].size, cases[i].value);
        assert_stopped(DEVICE_STOP_DEBUG_EXIT, cases[i].code);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(keyboard_controller, setup),
        cmocka_unit_test_setup(any_pulse_of_the_reset_line, setup),
        cmocka_unit_test_setup(port_a, setup),
        cmocka_unit_test_setup(reset_control, setup),
        cmocka_unit_test_setup(address_register_is_not_a_reset, setup),
        cmocka_unit_test_setup(debug_exit_codes, setup),
    };
    return cmocka_run_group_tests_name("reset ports", tests, NULL, NULL);
}
