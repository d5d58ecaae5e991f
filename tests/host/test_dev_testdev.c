/* SPDX-License-Identifier: BSD-2-Clause */
/* links: drivers/guest/testdev.c drivers/guest/pio.c */
/* The test device's ports. */
#include "drivers/guest/testdev.h"

#include "tests/host/device_world.h"

static struct device_world world;
static struct testdev testdev;

static int setup(void **state)
{
    (void)state;
    world_init(&world);
    return !testdev_init(&testdev, &world.host, &world.bus);
}

static uint32_t in(uint16_t port, unsigned size)
{
    return pio_bus_read(&world.bus, port, size);
}

static void loopback(void **state)
{
    (void)state;
    assert_int_equal(in(0xe0, 4), 0);
    pio_bus_write(&world.bus, 0xe0, 4, 0x87654321);
    assert_int_equal(in(0xe0, 4), 0x87654321);
    assert_int_equal(in(0xe1, 2), 0x6543);
    assert_int_equal(in(0xe3, 1), 0x87);
    pio_bus_write(&world.bus, 0xe1, 2, 0xabcd);
    assert_int_equal(in(0xe0, 4), 0x87abcd21);
    pio_bus_write(&world.bus, 0xe3, 1, 0);
    assert_int_equal(in(0xe0, 4), 0x00abcd21);
    assert_int_equal(in(0xe8, 4), 0x00abcd21);
    pio_bus_write(&world.bus, 0xe8, 4, 0x11223344);
    assert_int_equal(in(0xe0, 4), 0x11223344);
}

static void flush(void **state)
{
    (void)state;
    pio_bus_write(&world.bus, 0xe0, 4, 0x12345678);
    pio_bus_write(&world.bus, 0xe4, 4, 0x00100000);
    assert_int_equal(in(0xe0, 4), 0x12345678);
    assert_int_equal(in(0xe4, 4), 0xffffffff);
    assert_int_equal(world.edges, 0);
    assert_int_equal(world.console_count, 0);
}

static void serial(void **state)
{
    (void)state;
    world_out(&world, 0xf1, 'h');
    world_out(&world, 0xf1, 0);
    world_out(&world, 0xf1, '\n');
    assert_int_equal(world.console_count, 3);
    assert_memory_equal(world.console, "h\0\n", 3);
    assert_int_equal(in(0xf1, 1), 0xff);
    assert_int_equal(in(0xf0, 1), 0xff);
    world_out(&world, 0xf2, 'x');
    assert_int_equal(world.console_count, 3);
}

static void lines(void **state)
{
    (void)state;
    for (unsigned line = 0; line < TESTDEV_LINE_COUNT; line++) {
        world_out(&world, (uint16_t)(0x2000 + line), 1);
        assert_int_equal(world.edges, line + 1);
        assert_int_equal(world.last_line, line);
        world_out(&world, (uint16_t)(0x2000 + line), 0);
        assert_false(world.level);
        assert_int_equal(world.last_line, line);
    }
    world_out(&world, 0x2000 + TESTDEV_LINE_COUNT, 1);
    assert_false(world.level);
    world_out(&world, 0x2003, 0x80); /* any bit raises */
    assert_true(world.level);
    assert_int_equal(in(0x2003, 1), 0xff);
    pio_bus_write(&world.bus, 0x2003, 2, 0x0100); /* two ports: 3 goes down, 4 up */
    assert_int_equal(world.last_line, 4);
    assert_int_equal(world.edges, TESTDEV_LINE_COUNT + 2);
}

static void taken_ports(void **state)
{
    struct testdev second;

    (void)state;
    assert_false(testdev_init(&second, &world.host, &world.bus));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(loopback, setup),    cmocka_unit_test_setup(flush, setup),
        cmocka_unit_test_setup(serial, setup),      cmocka_unit_test_setup(lines, setup),
        cmocka_unit_test_setup(taken_ports, setup),
    };
    return cmocka_run_group_tests_name("test device", tests, NULL, NULL);
}
