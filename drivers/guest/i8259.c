/* SPDX-License-Identifier: BSD-2-Clause */
/* The two interrupt controllers of a PC. */
#include "drivers/guest/i8259.h"

enum {
    INPUTS = 8,
    SPURIOUS = 7, /* the input that is acknowledged when none asks */
    NONE = -1,

    ICW1 = 1 << 4,
    ICW1_IC4 = 1 << 0,
    ICW1_SINGLE = 1 << 1,
    ICW1_LEVEL = 1 << 3,
    ICW2_BASE = 0xf8,
    ICW4_AUTO_EOI = 1 << 1,
    ICW4_FULLY_NESTED = 1 << 4,

    OCW2_INPUT = 7,
    OCW2_EOI = 1 << 5,
    OCW2_SPECIFIC = 1 << 6,
    OCW2_ROTATE = 1 << 7,

    OCW3 = 1 << 3,
    OCW3_ISR = 1 << 0,
    OCW3_READ = 1 << 1,
    OCW3_POLL = 1 << 2,
    OCW3_SPECIAL_MASK = 1 << 5,
    OCW3_SET_SPECIAL_MASK = 1 << 6,

    POLL_REQUEST = 1 << 7,

    /* Inputs that can be set to level: not the timer, keyboard, cascade, clock, coprocessor. */
    MASTER_ELCR = 0xf8,
    SLAVE_ELCR = 0xde,
};

/* ---- One chip -------------------------------------------------------------------------------- */

static uint8_t level_inputs(const struct i8259_chip *c)
{
    return c->icw1 & ICW1_LEVEL ? 0xff : c->level;
}

/* The interrupt request register. */
static uint8_t irr(const struct i8259_chip *c)
{
    uint8_t level = level_inputs(c);

    return (uint8_t)((c->lines & level) | (c->edges & ~level));
}

/* The input of highest priority among @inputs. */
static int first(const struct i8259_chip *c, uint8_t inputs)
{
    for (unsigned i = 1; i <= INPUTS; i++) {
        unsigned input = (c->lowest + i) % INPUTS;
        if (inputs >> input & 1)
            return (int)input;
    }
    return NONE;
}

static unsigned rank(const struct i8259_chip *c, int input)
{
    return (unsigned)(input - c->lowest - 1) % INPUTS;
}

/* What is in service keeps back its own and lower priorities; with the special mask not where it
 * is masked itself, and in special fully nested mode not other interrupts of a slave. */
static int pending(const struct i8259_chip *c)
{
    int input = first(c, irr(c) & (uint8_t)~c->imr);
    int served = first(c, c->special_mask ? c->isr & (uint8_t)~c->imr : c->isr);

    if (!c->initialized || input == NONE)
        return NONE;
    if (served == NONE || rank(c, input) < rank(c, served) ||
        (c->fully_nested && input == I8259_CASCADE && served == input))
        return input;
    return NONE;
}

/* One acknowledge cycle. */
static int acknowledge(struct i8259_chip *c)
{
    int input = pending(c);

    if (input == NONE)
        return NONE;
    c->edges &= (uint8_t) ~(1u << input);
    if (!c->auto_eoi)
        c->isr |= (uint8_t)(1u << input);
    else if (c->rotate_in_auto_eoi)
        c->lowest = (uint8_t)input;
    return input;
}

static void set_input(struct i8259_chip *c, unsigned input, bool level)
{
    uint8_t bit = (uint8_t)(1u << input);

    if (level && !(c->lines & bit))
        c->edges |= bit;
    if (!level)
        c->edges &= (uint8_t)~bit;
    c->lines = (uint8_t)(level ? c->lines | bit : c->lines & ~bit);
}

static void initialize(struct i8259_chip *c, uint8_t icw1)
{
    *c = (struct i8259_chip){
        .lines = c->lines, .level = c->level, .icw1 = icw1, .lowest = INPUTS - 1, .expects = 2};
}

static void write_icw(struct i8259_chip *c, uint8_t value)
{
    switch (c->expects) {
    case 2:
        c->base = value & ICW2_BASE;
        break;
    case 4:
        c->auto_eoi = value & ICW4_AUTO_EOI;
        c->fully_nested = value & ICW4_FULLY_NESTED;
        break;
    default: /* who is whose slave is wired */
        break;
    }
    c->expects++;
    if (c->expects == 3 && c->icw1 & ICW1_SINGLE)
        c->expects++;
    if (c->expects > 4 || (c->expects == 4 && !(c->icw1 & ICW1_IC4)))
        c->expects = 0;
    c->initialized = c->expects == 0;
}

/* "Non-specific" means the one of highest priority in service; with the special mask, of those that
 * are not masked. */
static void end_of_interrupt(struct i8259_chip *c, uint8_t value)
{
    int input = value & OCW2_SPECIFIC
                    ? value & OCW2_INPUT
                    : first(c, c->special_mask ? c->isr & (uint8_t)~c->imr : c->isr);

    if (input == NONE)
        return;
    c->isr &= (uint8_t) ~(1u << input);
    if (value & OCW2_ROTATE)
        c->lowest = (uint8_t)input;
}

static void write_ocw2(struct i8259_chip *c, uint8_t value)
{
    if (value & OCW2_EOI)
        end_of_interrupt(c, value);
    else if (!(value & OCW2_SPECIFIC))
        c->rotate_in_auto_eoi = value & OCW2_ROTATE;
    else if (value & OCW2_ROTATE)
        c->lowest = value & OCW2_INPUT;
}

static void write_ocw3(struct i8259_chip *c, uint8_t value)
{
    if (value & OCW3_SET_SPECIAL_MASK)
        c->special_mask = value & OCW3_SPECIAL_MASK;
    if (value & OCW3_READ)
        c->read_isr = value & OCW3_ISR;
    c->poll = value & OCW3_POLL;
}

static void chip_write(struct i8259_chip *c, uint16_t offset, uint8_t value)
{
    if (offset == 1 && c->expects)
        write_icw(c, value);
    else if (offset == 1)
        c->imr = value;
    else if (value & ICW1)
        initialize(c, value);
    else if (value & OCW3)
        write_ocw3(c, value);
    else
        write_ocw2(c, value);
}

static uint8_t chip_read(struct i8259_chip *c, uint16_t offset)
{
    if (c->poll) {
        int input = acknowledge(c);

        c->poll = false;
        return input == NONE ? 0 : (uint8_t)(POLL_REQUEST | input);
    }
    if (offset == 1)
        return c->imr;
    return c->read_isr ? c->isr : irr(c);
}

/* ---- The pair -------------------------------------------------------------------------------- */

static void update(struct i8259 *pair)
{
    set_input(&pair->chip[0], I8259_CASCADE, pending(&pair->chip[1]) != NONE);
    bool intr = pending(&pair->chip[0]) != NONE;
    if (intr == pair->intr)
        return;
    pair->intr = intr;
    pair->set_intr(pair->host->ctx, intr);
}

void i8259_set_line(struct i8259 *pair, unsigned line, bool level)
{
    if (line >= I8259_LINES || line == I8259_CASCADE)
        return;
    set_input(&pair->chip[line / INPUTS], line % INPUTS, level);
    update(pair);
}

/* The slave's output falls in between, so that its next request is another edge for the master. */
static uint8_t acknowledge_slave(struct i8259 *pair)
{
    struct i8259_chip *slave = &pair->chip[1];
    int input = acknowledge(slave);

    set_input(&pair->chip[0], I8259_CASCADE, false);
    return (uint8_t)(slave->base + (input == NONE ? SPURIOUS : input));
}

uint8_t i8259_acknowledge(struct i8259 *pair)
{
    struct i8259_chip *master = &pair->chip[0];
    int input = acknowledge(master);
    uint8_t vector = (uint8_t)(master->base + (input == NONE ? SPURIOUS : input));

    if (input == I8259_CASCADE)
        vector = acknowledge_slave(pair);
    update(pair);
    return vector;
}

/* ---- Ports ----------------------------------------------------------------------------------- */

static uint32_t read(struct i8259 *pair, unsigned chip, uint16_t offset)
{
    uint8_t value = chip_read(&pair->chip[chip], offset);

    update(pair); /* a poll acknowledges */
    return value;
}

static void write(struct i8259 *pair, unsigned chip, uint16_t offset, uint8_t value)
{
    chip_write(&pair->chip[chip], offset, value);
    update(pair);
}

static uint32_t read_master(void *dev, uint16_t offset, unsigned)
{
    return read(dev, 0, offset);
}

static void write_master(void *dev, uint16_t offset, unsigned, uint32_t value)
{
    write(dev, 0, offset, (uint8_t)value);
}

static uint32_t read_slave(void *dev, uint16_t offset, unsigned)
{
    return read(dev, 1, offset);
}

static void write_slave(void *dev, uint16_t offset, unsigned, uint32_t value)
{
    write(dev, 1, offset, (uint8_t)value);
}

static uint32_t read_elcr(void *dev, uint16_t offset, unsigned)
{
    const struct i8259 *pair = dev;

    return pair->chip[offset].level;
}

static void write_elcr(void *dev, uint16_t offset, unsigned, uint32_t value)
{
    struct i8259 *pair = dev;

    pair->chip[offset].level = value & (offset == 0 ? MASTER_ELCR : SLAVE_ELCR);
    update(pair);
}

bool i8259_init(struct i8259 *pair, const struct device_host *host, struct pio_bus *bus,
                void (*set_intr)(void *ctx, bool level), uint16_t level_lines)
{
    const struct pio_device ports[] = {
        {I8259_MASTER_PORT, 2, 1, pair, read_master, write_master, NULL},
        {I8259_SLAVE_PORT, 2, 1, pair, read_slave, write_slave, NULL},
        {I8259_ELCR_PORT, 2, 1, pair, read_elcr, write_elcr, NULL},
    };
    bool ok = true;

    *pair = (struct i8259){.host = host, .set_intr = set_intr};
    for (unsigned i = 0; i < 2; i++)
        pair->chip[i] = (struct i8259_chip){
            .imr = 0xff, .lowest = INPUTS - 1, .level = (uint8_t)(level_lines >> INPUTS * i)};
    for (size_t i = 0; i < sizeof(ports) / sizeof(ports[0]); i++)
        ok = ok && pio_bus_add(bus, &ports[i]);
    return ok;
}
