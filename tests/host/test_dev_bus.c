/* SPDX-License-Identifier: BSD-2-Clause */
/* links: drivers/guest/pio.c */
/* The port bus: who is asked, what absent and straddling accesses do. */
#include "drivers/guest/pio.h"

#include "tests/host/device_world.h"

struct probe {
    unsigned reads, writes;
    uint64_t offset, value;
    unsigned size;
    uint64_t answer;
    uint64_t due;
};

static uint32_t probe_read(void *dev, uint16_t offset, unsigned size)
{
    struct probe *probe = dev;

    probe->reads++;
    probe->offset = offset;
    probe->size = size;
    return (uint32_t)(probe->answer >> offset * 8);
}

static void probe_write(void *dev, uint16_t offset, unsigned size, uint32_t value)
{
    struct probe *probe = dev;

    probe->writes++;
    probe->offset = offset;
    probe->size = size;
    probe->value = value;
}

static uint64_t probe_advance(void *dev, uint64_t now_ns)
{
    struct probe *probe = dev;

    return probe->due <= now_ns ? DEVICE_NEVER : probe->due;
}

static bool add(struct pio_bus *bus, struct probe *probe, unsigned base, unsigned count,
                unsigned width)
{
    struct pio_device device = {
        .base = (uint16_t)base,
        .count = (uint16_t)count,
        .width = (uint8_t)width,
        .dev = probe,
        .read = probe_read,
        .write = probe_write,
        .advance = probe_advance,
    };
    return pio_bus_add(bus, &device);
}

static void absent_ports(void **state)
{
    struct pio_bus bus;

    (void)state;
    pio_bus_init(&bus);
    assert_int_equal(pio_bus_read(&bus, 0x80, 1), 0xff);
    assert_int_equal(pio_bus_read(&bus, 0x80, 2), 0xffff);
    assert_int_equal(pio_bus_read(&bus, 0xffff, 4), 0xffffffff);
    pio_bus_write(&bus, 0x80, 4, 0);
    assert_true(pio_bus_advance(&bus, 0) == DEVICE_NEVER);
}

static void whole_accesses(void **state)
{
    struct pio_bus bus;
    struct probe probe = {.answer = 0x87654321};

    (void)state;
    pio_bus_init(&bus);
    assert_true(add(&bus, &probe, 0x100, 4, 4));
    assert_int_equal(pio_bus_read(&bus, 0x100, 4), 0x87654321);
    assert_int_equal(probe.reads, 1);
    assert_int_equal(pio_bus_read(&bus, 0x100, 2), 0x4321); /* the bus cuts the value to size */
    pio_bus_write(&bus, 0x102, 2, 0xaabbccdd);
    assert_int_equal(probe.writes, 1);
    assert_int_equal(probe.offset, 2);
    assert_int_equal(probe.size, 2);
    assert_int_equal(probe.value, 0xccdd);
}

static void split_accesses(void **state)
{
    struct pio_bus bus;
    struct probe low = {.answer = 0x11223344}, high = {.answer = 0x55};

    (void)state;
    pio_bus_init(&bus);
    assert_true(add(&bus, &low, 0x100, 2, 1));
    assert_true(add(&bus, &high, 0x103, 1, 4));
    /* 0x100 and 0x101 by byte, 0x102 absent, 0x103 */
    assert_int_equal(pio_bus_read(&bus, 0x100, 4), 0x55ff3344);
    assert_int_equal(low.reads, 2);
    assert_int_equal(low.size, 1);
    pio_bus_write(&bus, 0x100, 4, 0xd4c3b2a1);
    assert_int_equal(low.writes, 2);
    assert_int_equal(low.value, 0xb2);
    assert_int_equal(high.writes, 1);
    assert_int_equal(high.value, 0xd4);
}

static void end_of_port_space(void **state)
{
    struct pio_bus bus;
    struct probe probe = {.answer = 0x77}, zero = {0};

    (void)state;
    pio_bus_init(&bus);
    assert_true(add(&bus, &probe, 0xffff, 1, 4));
    assert_true(add(&bus, &zero, 0, 1, 4));
    assert_int_equal(pio_bus_read(&bus, 0xffff, 2), 0xff77); /* does not wrap to port 0 */
    pio_bus_write(&bus, 0xffff, 2, 0x1234);
    assert_int_equal(zero.writes, 0);
    assert_int_equal(probe.value, 0x34);
}

static void refused_devices(void **state)
{
    struct pio_bus bus;
    struct probe probe = {0};

    (void)state;
    pio_bus_init(&bus);
    assert_false(add(&bus, &probe, 0x100, 0, 1));
    assert_false(add(&bus, &probe, 0xfffe, 3, 1));
    assert_true(add(&bus, &probe, 0x100, 4, 1));
    assert_false(add(&bus, &probe, 0x103, 1, 1));
    assert_false(add(&bus, &probe, 0xfe, 3, 1));
    assert_true(add(&bus, &probe, 0x104, 1, 1));
    for (unsigned i = 2; i < PIO_BUS_DEVICES; i++)
        assert_true(add(&bus, &probe, 0x200 + i, 1, 1));
    assert_false(add(&bus, &probe, 0x300, 1, 1));
}

static void earliest_deadline(void **state)
{
    struct pio_bus bus;
    struct probe early = {.due = 100}, late = {.due = 200};

    (void)state;
    pio_bus_init(&bus);
    assert_true(add(&bus, &late, 0x100, 1, 1));
    assert_true(add(&bus, &early, 0x101, 1, 1));
    assert_int_equal(pio_bus_advance(&bus, 50), 100);
    assert_int_equal(pio_bus_advance(&bus, 100), 200);
}

static void accesses_that_may_move_a_timer(void **state)
{
    struct pio_bus bus;
    struct probe probe = {0};
    const struct pio_device without = {0x200, 2, 1, &probe, probe_read, probe_write, NULL};

    (void)state;
    pio_bus_init(&bus);
    assert_true(add(&bus, &probe, 0x100, 2, 1));
    assert_true(pio_bus_add(&bus, &without));
    pio_bus_read(&bus, 0x200, 1);
    pio_bus_write(&bus, 0x1ff, 4, 0);
    pio_bus_read(&bus, 0x300, 4);
    assert_false(bus.moved);
    pio_bus_read(&bus, 0x100, 1);
    assert_true(bus.moved);
    pio_bus_advance(&bus, 0);
    assert_false(bus.moved);
    pio_bus_write(&bus, 0xfe, 4, 0); /* part of it */
    assert_true(bus.moved);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(absent_ports),
        cmocka_unit_test(whole_accesses),
        cmocka_unit_test(split_accesses),
        cmocka_unit_test(end_of_port_space),
        cmocka_unit_test(refused_devices),
        cmocka_unit_test(earliest_deadline),
        cmocka_unit_test(accesses_that_may_move_a_timer),
    };
    return cmocka_run_group_tests_name("guest bus", tests, NULL, NULL);
}
