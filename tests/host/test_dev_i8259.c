/* SPDX-License-Identifier: BSD-2-Clause */
/* links: drivers/guest/i8259.c drivers/guest/pio.c */
/* The pair of interrupt controllers, as the Intel 8259A data sheet describes them. */
#include "drivers/guest/i8259.h"

#include <stdlib.h>

#include "tests/host/device_world.h"

enum {
    MASTER = 0x20,
    SLAVE = 0xa0,
    EOI = 0x20,
    SPECIFIC_EOI = 0x60,
    BASE = 0x20,
    SLAVE_BASE = 0x70
};

static struct device_world world;
static struct i8259 pair;
static bool intr;
static unsigned rises;

static void set_intr(void *ctx, bool level)
{
    assert_ptr_equal(ctx, &world);
    assert_int_not_equal(level, intr); /* told of changes only */
    rises += level;
    intr = level;
}

static void out(uint16_t port, uint8_t value)
{
    world_out(&world, port, value);
}

static uint8_t in(uint16_t port)
{
    return world_in(&world, port);
}

static void initialize(uint8_t icw1, uint8_t icw4)
{
    static const struct {
        uint16_t port;
        uint8_t base, icw3;
    } chips[] = {{MASTER, BASE, 1 << 2}, {SLAVE, SLAVE_BASE, 2}};
    for (unsigned i = 0; i < 2; i++) {
        out(chips[i].port, icw1);
        out(chips[i].port + 1, chips[i].base);
        out(chips[i].port + 1, chips[i].icw3);
        if (icw1 & 1)
            out(chips[i].port + 1, icw4);
    }
}

static int setup(void **state)
{
    (void)state;
    world_init(&world);
    intr = false;
    rises = 0;
    if (!i8259_init(&pair, &world.host, &world.bus, set_intr, 1 << 9))
        return -1;
    initialize(0x11, 0x01);
    return 0;
}

static void raise(unsigned line)
{
    i8259_set_line(&pair, line, true);
}

static void lower(unsigned line)
{
    i8259_set_line(&pair, line, false);
}

static void pulse(unsigned line)
{
    lower(line);
    raise(line);
}

static void expect(uint8_t vector)
{
    assert_true(intr);
    assert_int_equal(i8259_acknowledge(&pair), vector);
}

static uint8_t irr(uint16_t port)
{
    out(port, 0x0a);
    return in(port);
}

static uint8_t isr(uint16_t port)
{
    out(port, 0x0b);
    return in(port);
}

static void masked_until_programmed(void **state)
{
    (void)state;
    intr = false;
    assert_true(
        i8259_init(&pair, &world.host, (pio_bus_init(&world.bus), &world.bus), set_intr, 0));
    assert_int_equal(in(0x21), 0xff);
    out(0x21, 0);
    raise(0);
    assert_false(intr);
    out(MASTER, 0x11); /* the edge sense circuit is reset: a line that is high has no edge */
    out(MASTER + 1, BASE);
    out(MASTER + 1, 4);
    assert_false(intr);
    out(MASTER + 1, 1);
    assert_int_equal(in(0x21), 0); /* the mask is cleared */
    assert_false(intr);
    pulse(0);
    expect(BASE);
}

static void one_edge_one_interrupt(void **state)
{
    (void)state;
    raise(4);
    assert_int_equal(irr(MASTER), 1 << 4);
    expect(BASE + 4);
    assert_int_equal(irr(MASTER), 0);
    assert_int_equal(isr(MASTER), 1 << 4);
    assert_false(intr);
    raise(4); /* no edge */
    out(MASTER, EOI);
    assert_int_equal(isr(MASTER), 0);
    assert_false(intr);
    pulse(4);
    assert_true(intr);
}

/* "The IR inputs must remain high until after the falling edge of the first INTA": else the vector
 * is that of input 7, without its bit in the ISR. */
static void spurious(void **state)
{
    (void)state;
    raise(3);
    assert_true(intr);
    lower(3);
    assert_false(intr);
    assert_int_equal(i8259_acknowledge(&pair), BASE + 7);
    assert_int_equal(isr(MASTER), 0);
    /* Of the slave, whose master has acknowledged: 15, with the cascade in service. */
    raise(12);
    assert_true(intr);
    pair.chip[1].lines = pair.chip[1].edges = 0; /* goes away between the two */
    assert_int_equal(i8259_acknowledge(&pair), SLAVE_BASE + 7);
    assert_int_equal(isr(MASTER), 1 << 2);
    assert_int_equal(isr(SLAVE), 0);
}

static void priorities(void **state)
{
    (void)state;
    raise(6);
    expect(BASE + 6);
    raise(7);
    assert_false(intr);
    raise(1);
    expect(BASE + 1);
    out(MASTER, EOI); /* the highest in service */
    assert_int_equal(isr(MASTER), 1 << 6);
    assert_false(intr);
    out(MASTER, EOI);
    expect(BASE + 7);
    pulse(0);
    expect(BASE + 0);
    out(MASTER, SPECIFIC_EOI | 7);
    assert_int_equal(isr(MASTER), 1);
    out(MASTER, EOI);
    out(MASTER, EOI); /* none in service: nothing */
    assert_int_equal(isr(MASTER), 0);
}

static void cascade(void **state)
{
    (void)state;
    raise(12);
    assert_int_equal(irr(SLAVE), 1 << 4);
    assert_int_equal(irr(MASTER), 1 << 2);
    expect(SLAVE_BASE + 4);
    assert_int_equal(isr(MASTER), 1 << 2);
    assert_int_equal(isr(SLAVE), 1 << 4);
    raise(8); /* higher in the slave, but the master has its input in service */
    assert_false(intr);
    raise(1);
    expect(BASE + 1);
    out(MASTER, EOI);
    out(SLAVE, EOI);
    out(MASTER, EOI);
    expect(SLAVE_BASE + 0);
    i8259_set_line(&pair, 2, true); /* the slave's own */
    i8259_set_line(&pair, 16, true);
    assert_int_equal(irr(MASTER), 0);
}

static void special_fully_nested(void **state)
{
    (void)state;
    initialize(0x11, 0x11);
    raise(12);
    expect(SLAVE_BASE + 4);
    raise(8);
    expect(SLAVE_BASE + 0);
    raise(13);
    assert_false(intr);
    out(SLAVE, EOI);
    assert_int_equal(isr(SLAVE), 1 << 4);
}

static void masks(void **state)
{
    (void)state;
    out(0x21, 0xff);
    raise(0);
    assert_false(intr);
    assert_int_equal(irr(MASTER), 1); /* waits */
    out(0x21, 0xfe);
    expect(BASE);
    assert_int_equal(in(0x21), 0xfe);
}

/* "Enables interrupts from all other levels (lower as well as higher) that are not masked." */
static void special_mask(void **state)
{
    (void)state;
    raise(3);
    expect(BASE + 3);
    raise(5);
    assert_false(intr);
    out(0x21, 1 << 3);
    assert_false(intr);
    out(MASTER, 0x68);
    expect(BASE + 5);
    pulse(3);
    assert_false(intr); /* masked */
    out(MASTER, EOI);   /* does not end what is masked */
    assert_int_equal(isr(MASTER), 1 << 3);
    out(MASTER, EOI);
    assert_int_equal(isr(MASTER), 1 << 3);
    out(MASTER, 0x48);
    out(MASTER, EOI);
    assert_int_equal(isr(MASTER), 0);
}

static void rotation(void **state)
{
    (void)state;
    raise(4);
    raise(6);
    expect(BASE + 4);
    out(MASTER, 0xa0); /* on the non-specific EOI: 4 becomes lowest */
    pulse(4);
    expect(BASE + 6);
    out(MASTER, 0xe0 | 6); /* on the specific one: 6 becomes lowest */
    raise(7);
    expect(BASE + 7);
    out(MASTER, EOI);
    expect(BASE + 4);
    out(MASTER, EOI);
    out(MASTER, 0xc0 | 2); /* set priority: 2 lowest, 3 highest */
    pulse(0);
    pulse(3);
    expect(BASE + 3);
    out(MASTER, EOI);
    expect(BASE + 0);
    out(MASTER, 0x40); /* no operation */
    assert_int_equal(isr(MASTER), 1);
    out(MASTER, EOI);
}

static void automatic_eoi(void **state)
{
    (void)state;
    initialize(0x11, 0x03);
    raise(1);
    raise(2 + 10);
    expect(BASE + 1);
    assert_int_equal(isr(MASTER), 0);
    expect(SLAVE_BASE + 4);
    assert_int_equal(isr(MASTER) | isr(SLAVE), 0);
    pulse(13);
    pulse(14);
    expect(SLAVE_BASE + 5);
    expect(SLAVE_BASE + 6); /* another edge of the slave's output */
    out(MASTER, 0x80);      /* rotating */
    pulse(0);
    expect(BASE + 0);
    pulse(0);
    pulse(7);
    expect(BASE + 7);
    expect(BASE + 0);
    out(MASTER, 0x00);
    pulse(5);
    expect(BASE + 5);
    pulse(5);
    pulse(0);
    expect(BASE + 5);
    expect(BASE + 0);
}

static void poll(void **state)
{
    (void)state;
    out(MASTER, 0x0c);
    assert_int_equal(in(MASTER), 0);
    raise(5);
    out(MASTER, 0x0c);
    assert_int_equal(in(MASTER), 0x85);
    assert_false(intr);
    assert_int_equal(isr(MASTER), 1 << 5);
    raise(10);
    out(SLAVE, 0x0c);
    assert_int_equal(in(SLAVE + 1), 0x82);
    assert_int_equal(isr(SLAVE), 1 << 2);
    assert_int_equal(irr(MASTER), 0);
}

static void level_triggered(void **state)
{
    (void)state;
    assert_int_equal(in(0x4d1), 1 << 1);
    raise(9);
    expect(SLAVE_BASE + 1);
    out(SLAVE, EOI);
    out(MASTER, EOI);
    expect(SLAVE_BASE + 1); /* still there */
    lower(9);
    out(SLAVE, EOI);
    out(MASTER, EOI);
    assert_false(intr);
    out(0x4d0, 0xff);
    out(0x4d1, 0xff);
    assert_int_equal(in(0x4d0), 0xf8); /* the timer, the keyboard and the cascade cannot be */
    assert_int_equal(in(0x4d1), 0xde); /* nor the clock and the coprocessor */
    out(0x4d1, 0);
    raise(9);
    expect(SLAVE_BASE + 1);
    out(SLAVE, EOI);
    out(MASTER, EOI);
    assert_false(intr);
    initialize(0x19, 0x01); /* all of them */
    expect(SLAVE_BASE + 1);
}

static void without_icw4(void **state)
{
    (void)state;
    initialize(0x11, 0x03);
    initialize(0x10, 0);
    raise(6);
    expect(BASE + 6);
    assert_int_equal(isr(MASTER), 1 << 6); /* automatic EOI is off */
    out(MASTER, 0x13);                     /* single: no third word */
    out(MASTER + 1, 0x40);
    out(MASTER + 1, 0x01);
    pulse(6);
    expect(0x46);
}

/* ---- Against a second reading of the data sheet -------------------------------------------------
 * One chip as 8 inputs with a priority each, which every operation looks up and renumbers. */

struct model {
    bool line[8], edge[8], served[8], masked[8];
    int priority[8]; /* 0 highest */
    bool special, rotates, automatic;
};

static int model_pending(const struct model *m)
{
    for (int p = 0; p < 8; p++)
        for (int i = 0; i < 8; i++) {
            if (m->priority[i] != p)
                continue;
            if (m->served[i] && !(m->special && m->masked[i]))
                return -1;
            if (m->edge[i] && !m->masked[i])
                return i;
        }
    return -1;
}

static void model_make_lowest(struct model *m, int input)
{
    for (int i = 0; i < 8; i++)
        m->priority[(input + 1 + i) % 8] = i;
}

static void model_eoi(struct model *m, bool rotate)
{
    for (int p = 0; p < 8; p++)
        for (int i = 0; i < 8; i++)
            if (m->priority[i] == p && m->served[i] && !(m->special && m->masked[i])) {
                m->served[i] = false;
                if (rotate)
                    model_make_lowest(m, i);
                return;
            }
}

static int model_acknowledge(struct model *m)
{
    int i = model_pending(m);
    if (i < 0)
        return 7;
    m->edge[i] = false;
    m->served[i] = !m->automatic;
    if (m->automatic && m->rotates)
        model_make_lowest(m, i);
    return i;
}

static void step(struct model *m)
{
    int i = rand() % 8, what = rand() % 16;
    if (i == 2 && what < 5)
        return;
    switch (what) {
    case 0:
    case 1:
    case 2:
    case 3:
    case 4: {
        bool level = rand() % 2;
        m->edge[i] = level && (m->edge[i] || !m->line[i]);
        m->line[i] = level;
        i8259_set_line(&pair, (unsigned)i, level);
        break;
    }
    case 5:
    case 6:
    case 7:
    case 8:
        if (intr || rand() % 8 == 0)
            assert_int_equal(i8259_acknowledge(&pair), BASE + model_acknowledge(m));
        break;
    case 9:
    case 10:
        out(MASTER, EOI);
        model_eoi(m, false);
        break;
    case 11:
        out(MASTER, 0xa0);
        model_eoi(m, true);
        break;
    case 12:
        out(MASTER, (uint8_t)(SPECIFIC_EOI | i));
        m->served[i] = false;
        break;
    case 13: {
        uint8_t mask = (uint8_t)(rand() & rand());
        out(0x21, mask);
        for (int j = 0; j < 8; j++)
            m->masked[j] = mask >> j & 1;
        break;
    }
    case 14:
        m->special = rand() % 2;
        out(MASTER, m->special ? 0x68 : 0x48);
        break;
    default:
        if (rand() % 2) {
            out(MASTER, (uint8_t)(0xc0 | i));
            model_make_lowest(m, i);
        } else {
            m->rotates = rand() % 2;
            out(MASTER, m->rotates ? 0x80 : 0x00);
        }
        break;
    }
}

static void as_the_second_reading(void **state)
{
    (void)state;
    srand(1);
    for (unsigned round = 0; round < 300; round++) {
        struct model m = {.automatic = round % 4 == 3};
        for (unsigned line = 0; line < 16; line++)
            i8259_set_line(&pair, line, false);
        initialize(0x11, m.automatic ? 3 : 1);
        model_make_lowest(&m, 7);
        for (unsigned i = 0; i < 300; i++) {
            step(&m);
            uint8_t requests = 0, served = 0;
            for (unsigned j = 0; j < 8; j++) {
                requests |= (uint8_t)(m.edge[j] << j);
                served |= (uint8_t)(m.served[j] << j);
            }
            assert_int_equal(intr, model_pending(&m) >= 0);
            assert_int_equal(irr(MASTER), requests);
            assert_int_equal(isr(MASTER), served);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(masked_until_programmed, setup),
        cmocka_unit_test_setup(one_edge_one_interrupt, setup),
        cmocka_unit_test_setup(spurious, setup),
        cmocka_unit_test_setup(priorities, setup),
        cmocka_unit_test_setup(cascade, setup),
        cmocka_unit_test_setup(special_fully_nested, setup),
        cmocka_unit_test_setup(masks, setup),
        cmocka_unit_test_setup(special_mask, setup),
        cmocka_unit_test_setup(rotation, setup),
        cmocka_unit_test_setup(automatic_eoi, setup),
        cmocka_unit_test_setup(poll, setup),
        cmocka_unit_test_setup(level_triggered, setup),
        cmocka_unit_test_setup(without_icw4, setup),
        cmocka_unit_test_setup(as_the_second_reading, setup),
    };
    return cmocka_run_group_tests_name("i8259", tests, NULL, NULL);
}
