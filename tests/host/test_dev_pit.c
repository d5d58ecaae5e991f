/* SPDX-License-Identifier: BSD-2-Clause */
/* links: drivers/guest/pit.c drivers/guest/pio.c */
/* The interval timer against the waveforms of the Intel 8254 data sheet, tick by tick. */
#include "drivers/guest/pit.h"

#include <stdlib.h>

#include "tests/host/device_world.h"

enum { LINE = 2 };

static struct device_world world;
static struct pit pit;
static uint64_t tick;

/* To the middle of a tick, where no rounding is in the way. */
static void go_to(uint64_t to)
{
    tick = to;
    world.now_ns = device_ticks_to_ns(to, PIT_HZ) + 400;
}

static int setup(void **state)
{
    (void)state;
    world_init(&world);
    go_to(100);
    return !pit_init(&pit, &world.host, &world.bus, LINE);
}

static void run_to(uint64_t to)
{
    for (;;) {
        uint64_t due = pio_bus_advance(&world.bus, world.now_ns);
        if (due > device_ticks_to_ns(to, PIT_HZ) + 400)
            break;
        world.now_ns = due;
    }
    go_to(to);
    pio_bus_advance(&world.bus, world.now_ns);
}

static void program(unsigned counter, unsigned mode, uint16_t count)
{
    world_out(&world, 0x43, (uint8_t)(counter << 6 | 3 << 4 | mode << 1));
    world_out(&world, (uint16_t)(0x40 + counter), (uint8_t)count);
    world_out(&world, (uint16_t)(0x40 + counter), (uint8_t)(count >> 8));
}

static uint16_t count(unsigned counter)
{
    world_out(&world, 0x43, (uint8_t)(counter << 6));
    uint8_t low = world_in(&world, (uint16_t)(0x40 + counter));
    return (uint16_t)(low | world_in(&world, (uint16_t)(0x40 + counter)) << 8);
}

static uint8_t status(unsigned counter)
{
    world_out(&world, 0x43, (uint8_t)(0xe0 | 2u << counter));
    return world_in(&world, (uint16_t)(0x40 + counter));
}

static bool out(unsigned counter)
{
    return status(counter) >> 7;
}

static bool null_count(unsigned counter)
{
    return status(counter) >> 6 & 1;
}

static void gate2(bool level)
{
    world_out(&world, 0x61, level);
}

/* The output of counter 2 at `n` ticks from this one on, as the data sheet draws it. */
static void expect_wave(const char *wave)
{
    uint64_t from = tick;
    for (size_t i = 0; wave[i]; i++) {
        go_to(from + i);
        if (out(2) != (wave[i] == '-'))
            fail_msg("tick %zu of %s", i, wave);
        assert_int_equal(world_in(&world, 0x61) >> 5 & 1, out(2));
    }
}

static void expect_counts(const uint16_t *counts, size_t n)
{
    uint64_t from = tick;
    for (size_t i = 0; i < n; i++) {
        go_to(from + i);
        if (count(2) != counts[i])
            fail_msg("tick %zu: %u, expected %u", i, count(2), counts[i]);
    }
}

#define COUNTS(...)                                                                                \
    expect_counts((const uint16_t[]){__VA_ARGS__},                                                 \
                  sizeof((const uint16_t[]){__VA_ARGS__}) / sizeof(uint16_t))

/* "OUT is initially low, and will remain low until the Counter reaches zero", N + 1 ticks after
 * the write; the counting goes on. */
static void mode_0(void **state)
{
    (void)state;
    gate2(true);
    program(2, 0, 4);
    assert_true(null_count(2));
    expect_wave("_____----");
    go_to(100);
    program(2, 0, 4);
    go_to(101);
    assert_false(null_count(2));
    COUNTS(4, 3, 2, 1, 0, 0xffff, 0xfffe);
    go_to(300);
    program(2, 0, 4);
    go_to(303);
    gate2(false);
    go_to(310);
    assert_int_equal(count(2), 2);
    assert_false(out(2));
    gate2(true);
    COUNTS(2, 1, 0);
    assert_true(out(2));
    /* The first byte of a new count stops it and lowers the output. */
    world_out(&world, 0x42, 3);
    assert_false(out(2));
    go_to(400);
    assert_false(out(2));
    world_out(&world, 0x42, 0);
    expect_wave("____-");
}

/* "OUT will go low on the CLK pulse following a trigger", for N ticks, and can be retriggered. */
static void mode_1(void **state)
{
    (void)state;
    program(2, 1, 3);
    go_to(200);
    assert_true(out(2));
    gate2(true);
    expect_wave("-___----");
    gate2(false);
    go_to(300);
    assert_true(out(2));
    gate2(true);
    go_to(302);
    gate2(false);
    gate2(true);
    go_to(302);
    expect_wave("____--");
    /* A new count waits for the trigger. */
    program(2, 1, 3);
    gate2(false);
    gate2(true);
    world_out(&world, 0x42, 5);
    world_out(&world, 0x42, 0);
    assert_true(null_count(2));
    expect_wave("-___--");
    gate2(false);
    gate2(true);
    expect_wave("-_____-");
}

/* "When the initial count has decremented to 1, OUT goes low for one CLK pulse." */
static void mode_2(void **state)
{
    (void)state;
    gate2(true);
    program(2, 2, 3);
    expect_wave("---_--_--_");
    go_to(200);
    program(2, 6, 4); /* the mode's other code */
    go_to(201);
    COUNTS(4, 3, 2, 1, 4, 3, 2, 1, 4, 3);
    assert_false(null_count(2));
    world_out(&world, 0x42, 2); /* takes effect at the end of this cycle */
    world_out(&world, 0x42, 0);
    assert_true(null_count(2));
    COUNTS(3, 2, 1, 2, 1, 2, 1);
    assert_false(null_count(2));
    /* The gate stops it, with the output high, and starts it anew. */
    assert_false(out(2));
    gate2(false);
    assert_true(out(2));
    go_to(tick + 10);
    gate2(true);
    go_to(tick + 1);
    COUNTS(2, 1, 2);
}

/* High for (N + 1) / 2 ticks, low for N / 2, counting by two. */
static void mode_3(void **state)
{
    (void)state;
    gate2(true);
    program(2, 3, 4);
    expect_wave("---__--__--__");
    go_to(200);
    program(2, 7, 5);
    expect_wave("----__---__---__");
    go_to(201);
    COUNTS(4, 2, 0, 4, 2, 4, 2, 0, 4, 2);
    go_to(300);
    program(2, 3, 4);
    go_to(301);
    COUNTS(4, 2, 4, 2, 4);
    /* A new count waits for the end of this half. */
    world_out(&world, 0x42, 6);
    world_out(&world, 0x42, 0);
    COUNTS(4, 2, 6, 4, 2, 6, 4, 2, 6);
    go_to(305);
    go_to(400);
    program(2, 3, 4);
    go_to(401);
    world_out(&world, 0x42, 6);
    world_out(&world, 0x42, 0);
    expect_wave("--___---___");
    gate2(false);
    assert_true(out(2));
}

/* "When the initial count expires, OUT will go low for one CLK pulse"; once. */
static void modes_4_and_5(void **state)
{
    (void)state;
    gate2(true);
    program(2, 4, 3);
    expect_wave("----_------");
    gate2(false);
    program(2, 5, 3);
    go_to(300);
    assert_true(out(2));
    gate2(true);
    expect_wave("----_------");
}

static void zero_is_the_largest_count(void **state)
{
    (void)state;
    gate2(true);
    program(2, 2, 0);
    go_to(101 + 65535);
    assert_int_equal(count(2), 1);
    assert_false(out(2));
    go_to(101 + 65536);
    assert_int_equal(count(2), 0);
    assert_true(out(2));
}

static void bcd(void **state)
{
    (void)state;
    gate2(true);
    world_out(&world, 0x43, 2 << 6 | 3 << 4 | 2 << 1 | 1);
    world_out(&world, 0x42, 0x00);
    world_out(&world, 0x42, 0x10); /* 1000 */
    go_to(102);
    assert_int_equal(count(2), 0x0999);
    go_to(1101);
    assert_int_equal(count(2), 0x1000);
    world_out(&world, 0x43, 2 << 6 | 3 << 4 | 0 << 1 | 1);
    world_out(&world, 0x42, 0x01);
    world_out(&world, 0x42, 0x00);
    go_to(1102 + 2);
    assert_int_equal(count(2), 0x9999);
}

/* Bytes: low only, high only, both; latches stay until they are read. */
static void reading_and_writing(void **state)
{
    (void)state;
    gate2(true);
    world_out(&world, 0x43, 2 << 6 | 1 << 4 | 2 << 1);
    world_out(&world, 0x42, 100);
    go_to(101);
    assert_int_equal(world_in(&world, 0x42), 100);
    assert_int_equal(world_in(&world, 0x42), 100);
    world_out(&world, 0x43, 2 << 6 | 2 << 4 | 2 << 1);
    world_out(&world, 0x42, 2);
    go_to(103);
    assert_int_equal(world_in(&world, 0x42), 1); /* 01ffH */
    go_to(200);
    program(2, 2, 0x1234);
    go_to(201);
    world_out(&world, 0x43, 2 << 6);
    go_to(301);
    world_out(&world, 0x43, 2 << 6); /* ignored: one is latched */
    assert_int_equal(world_in(&world, 0x42), 0x34);
    go_to(302);
    assert_int_equal(world_in(&world, 0x42), 0x12);
    assert_int_equal(world_in(&world, 0x42), (0x1234 - 101) & 0xff); /* live again */
    assert_int_equal(world_in(&world, 0x42), (0x1234 - 101) >> 8);
    /* Read-back of both: the status comes first. */
    world_out(&world, 0x43, 0xc0 | 1 << 3);
    go_to(400);
    assert_int_equal(world_in(&world, 0x42), 0x80 | 3 << 4 | 2 << 1);
    assert_int_equal(world_in(&world, 0x42), (0x1234 - 101) & 0xff);
    assert_int_equal(world_in(&world, 0x42), (0x1234 - 101) >> 8);
    /* Of the counters that it names only. */
    world_out(&world, 0x43, 0xc0 | 1 << 2);
    assert_int_equal(count(2), 0x1234 - 199);
    assert_int_equal(world_in(&world, 0x43), 0xff);
}

static void line_of_counter_0(void **state)
{
    (void)state;
    program(0, 2, 1000);
    assert_true(world.level);
    unsigned edges = world.edges;
    run_to(100 + 1000);
    assert_int_equal(world.edges, edges);
    run_to(101 + 1000);
    assert_int_equal(world.last_line, LINE);
    assert_int_equal(world.edges, edges + 1);
    run_to(101 + 5999);
    assert_int_equal(world.edges, edges + 5);
    /* Late as the timer may be, each call gives one edge for what it missed. */
    go_to(101 + 20000);
    pio_bus_advance(&world.bus, world.now_ns);
    assert_int_equal(world.edges, edges + 6);
    assert_true(world.level);
    /* Another count: from the end of this cycle on. */
    world_out(&world, 0x40, (uint8_t)500);
    world_out(&world, 0x40, 500 >> 8);
    run_to(101 + 20999);
    assert_int_equal(world.edges, edges + 6);
    run_to(101 + 21000);
    assert_int_equal(world.edges, edges + 7);
    run_to(101 + 22000);
    assert_int_equal(world.edges, edges + 9);

    program(0, 3, 1000); /* low for half of the time */
    uint64_t start = tick + 1;
    edges = world.edges;
    run_to(start + 499);
    assert_true(world.level);
    run_to(start + 500);
    assert_false(world.level);
    run_to(start + 1000);
    assert_true(world.level);
    assert_int_equal(world.edges, edges + 1);

    program(0, 0, 50); /* once */
    start = tick + 1;
    assert_false(world.level);
    edges = world.edges;
    run_to(start + 49);
    assert_false(world.level);
    run_to(start + 100000);
    assert_true(world.level);
    assert_int_equal(world.edges, edges + 1);
    assert_int_equal(pio_bus_advance(&world.bus, world.now_ns), DEVICE_NEVER);

    program(0, 4, 50);
    start = tick + 1;
    edges = world.edges;
    run_to(start + 50);
    assert_int_equal(world.edges, edges);
    run_to(start + 51);
    assert_int_equal(world.edges, edges + 1);
    run_to(start + 100000);
    assert_int_equal(world.edges, edges + 1);
}

/* A square wave cannot make the hypervisor run for it without end. */
static void fast_waves_wait(void **state)
{
    (void)state;
    program(0, 3, 2);
    for (unsigned i = 0; i < 100; i++) {
        uint64_t due = pio_bus_advance(&world.bus, world.now_ns);
        assert_true(due >= world.now_ns + 9000);
        world.now_ns = due;
    }
}

static void port_b(void **state)
{
    (void)state;
    assert_int_equal(world_in(&world, 0x61) & 0xcf, 0);
    world_out(&world, 0x61, 0xff);
    assert_int_equal(world_in(&world, 0x61) & 0xcf, 0x0f);
    unsigned toggles = 0;
    bool last = world_in(&world, 0x61) & 0x10;
    for (unsigned i = 0; i < 1800; i++) {
        go_to(tick + 1);
        bool now = world_in(&world, 0x61) & 0x10;
        toggles += now != last;
        last = now;
    }
    assert_int_equal(toggles, 100);
}

/* The same timer, counting: an element that steps once a tick, as the data sheet tells it. */
struct model {
    unsigned mode;
    uint32_t initial, element;
    bool out, first; /* first: loads with this tick */
    unsigned since;  /* ticks after loading */
};

static void model_tick(struct model *m)
{
    uint32_t even = m->initial & ~1u;
    if (m->first) {
        m->first = false;
        m->element = m->mode == 3 ? even : m->initial;
        m->since = 0;
        m->out = m->mode != 0;
        return;
    }
    m->since++;
    switch (m->mode) {
    case 0:
    case 4:
        m->element = (m->element - 1) & 0xffff;
        m->out = m->mode == 0 ? m->out || m->element == 0 : m->since != m->initial;
        break;
    case 2:
        m->element = m->element == 1 ? m->initial : m->element - 1;
        m->out = m->element != 1;
        break;
    default: { /* an odd count's high half lasts a tick longer */
        bool last = m->element == (m->out && m->initial % 2 ? 0 : 2);
        m->element = last ? even : m->element - 2;
        m->out ^= last;
        break;
    }
    }
}

static void as_a_counting_one(void **state)
{
    static const unsigned modes[] = {0, 2, 3, 4};
    (void)state;
    srand(1);
    gate2(true);
    for (unsigned round = 0; round < 400; round++) {
        struct model m = {.mode = modes[rand() % 4], .first = true};
        m.initial = 2 + (uint32_t)rand() % (round % 2 ? 9 : 600);
        program(2, m.mode, (uint16_t)m.initial);
        for (unsigned i = 0; i < 3 * m.initial; i++) {
            go_to(tick + 1);
            model_tick(&m);
            assert_int_equal(count(2), m.element);
            assert_int_equal(out(2), m.out);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(mode_0, setup),
        cmocka_unit_test_setup(mode_1, setup),
        cmocka_unit_test_setup(mode_2, setup),
        cmocka_unit_test_setup(mode_3, setup),
        cmocka_unit_test_setup(modes_4_and_5, setup),
        cmocka_unit_test_setup(zero_is_the_largest_count, setup),
        cmocka_unit_test_setup(bcd, setup),
        cmocka_unit_test_setup(reading_and_writing, setup),
        cmocka_unit_test_setup(line_of_counter_0, setup),
        cmocka_unit_test_setup(fast_waves_wait, setup),
        cmocka_unit_test_setup(port_b, setup),
        cmocka_unit_test_setup(as_a_counting_one, setup),
    };
    return cmocka_run_group_tests_name("pit", tests, NULL, NULL);
}
