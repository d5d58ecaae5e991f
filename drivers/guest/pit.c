/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The interval timer. Nothing counts: what a counter holds and what its output says follows from
 * the tick at which it was loaded.
 */
#include "drivers/guest/pit.h"

enum {
    CONTROL_OFFSET = 3,

    /* Control word and status byte. */
    BCD = 1 << 0,
    MODE_SHIFT = 1,
    ACCESS_SHIFT = 4,
    ACCESS_LOW = 1,
    ACCESS_HIGH = 2,
    CONTROL_MASK = 0x3f,
    STATUS_NULL = 1 << 6,
    STATUS_OUT = 1 << 7,
    SELECT_SHIFT = 6,
    READ_BACK = 3,
    READ_BACK_NO_STATUS = 1 << 4,
    READ_BACK_NO_COUNT = 1 << 5,

    PORT_B_GATE = 1 << 0,
    PORT_B_WRITABLE = 0x0f,
    PORT_B_REFRESH = 1 << 4,
    PORT_B_OUT = 1 << 5,
    REFRESH_TICKS = 18,

    SHORTEST_WAIT = 12, /* ticks */
};

enum mode {
    MODE_TERMINAL_COUNT,
    MODE_ONE_SHOT,
    MODE_RATE,
    MODE_SQUARE,
    MODE_SOFTWARE_STROBE,
    MODE_HARDWARE_STROBE,
};

static const int64_t never = INT64_MAX;

/* Modes 2 and 3 have two codes each. */
static enum mode mode_of(const struct pit_counter *c)
{
    unsigned mode = c->control >> MODE_SHIFT & 7;

    return (enum mode)(mode > MODE_HARDWARE_STROBE ? mode - 4 : mode);
}

static unsigned access_of(const struct pit_counter *c)
{
    return c->control >> ACCESS_SHIFT & 3;
}

static bool is_periodic(const struct pit_counter *c)
{
    return mode_of(c) == MODE_RATE || mode_of(c) == MODE_SQUARE;
}

/* By the gate's rising edge, and the gate's level then does not matter. */
static bool is_triggered(const struct pit_counter *c)
{
    return mode_of(c) == MODE_ONE_SHOT || mode_of(c) == MODE_HARDWARE_STROBE;
}

/* ---- What follows from the time -------------------------------------------------------------- */

static int64_t elapsed(const struct pit_counter *c, int64_t now)
{
    int64_t until = c->gate || is_triggered(c) ? now : c->stopped;

    return until < c->start ? 0 : until - c->start;
}

/* The longer part of an odd square wave is the high one. */
static int64_t high_half(const struct pit_counter *c)
{
    return (c->count + 1) / 2;
}

/* When a periodic counter's cycle, in mode 3 half of it, ends. */
static int64_t cycle_end(const struct pit_counter *c, int64_t now)
{
    int64_t e = elapsed(c, now);
    int64_t place = e % c->count;
    bool first = mode_of(c) == MODE_SQUARE && place < high_half(c);

    return c->start + e - place + (first ? high_half(c) : c->count);
}

static bool out(const struct pit_counter *c, int64_t now)
{
    int64_t e = elapsed(c, now);

    if (!c->loaded)
        return mode_of(c) != MODE_TERMINAL_COUNT;
    if (now < c->start)
        return c->before;
    switch (mode_of(c)) {
    case MODE_TERMINAL_COUNT:
    case MODE_ONE_SHOT:
        return e >= c->count;
    case MODE_RATE:
        return !c->gate || e % c->count != c->count - 1;
    case MODE_SQUARE:
        return !c->gate || e % c->count < high_half(c);
    case MODE_SOFTWARE_STROBE:
    case MODE_HARDWARE_STROBE:
        break;
    }
    return e != c->count;
}

static uint16_t to_bcd(int64_t n)
{
    return (uint16_t)(n / 1000 % 10 << 12 | n / 100 % 10 << 8 | n / 10 % 10 << 4 | n % 10);
}

/* A square wave's halves are counted in steps of two, from an even number. */
static uint16_t value(const struct pit_counter *c, int64_t now)
{
    int64_t modulus = c->control & BCD ? 10000 : 0x10000;
    int64_t left = c->count;

    if (c->loaded && is_periodic(c)) {
        int64_t place = elapsed(c, now) % c->count;
        bool second = mode_of(c) == MODE_SQUARE && place >= high_half(c);

        if (mode_of(c) == MODE_SQUARE)
            left = (left & ~INT64_C(1)) - 2 * (second ? place - high_half(c) : place);
        else
            left -= place;
    } else if (c->loaded) {
        left += modulus - elapsed(c, now) % modulus;
    }
    return c->control & BCD ? to_bcd(left % modulus) : (uint16_t)left;
}

/* The last rise of a counter whose gate is always high; before all time if there was none. */
static int64_t last_rise(const struct pit_counter *c, int64_t now)
{
    int64_t end = c->start + c->count + (mode_of(c) == MODE_SOFTWARE_STROBE);

    if (!c->loaded || is_triggered(c) || now < end)
        return INT64_MIN;
    return is_periodic(c) ? now - (now - c->start) % c->count : end;
}

static int64_t next_change(const struct pit_counter *c, int64_t now)
{
    int64_t end = c->start + c->count + (mode_of(c) == MODE_SOFTWARE_STROBE);

    if (!c->loaded || is_triggered(c))
        return never;
    if (is_periodic(c))
        return cycle_end(c, now);
    return now < end ? end : never;
}

/* ---- What is written ------------------------------------------------------------------------- */

/* The element takes a count with the tick after this one. */
static void load(struct pit_counter *c, uint32_t count, int64_t now)
{
    c->before = mode_of(c) != MODE_TERMINAL_COUNT && out(c, now);
    c->count = count;
    c->start = now + 1;
    c->stopped = c->start;
    c->loaded = true;
    c->waits = false;
}

static uint32_t from_written(const struct pit_counter *c, uint16_t written)
{
    if (!(c->control & BCD))
        return written ? written : 0x10000;
    uint32_t n = (written >> 12) * 1000u + (written >> 8 & 15) * 100u + (written >> 4 & 15) * 10u +
                 (written & 15);
    return n ? n : 10000;
}

static void write_count(struct pit_counter *c, uint16_t written, int64_t now)
{
    uint32_t count = from_written(c, written);

    if (!is_triggered(c) && !(is_periodic(c) && c->loaded)) {
        load(c, count, now);
        return;
    }
    c->next = count;
    c->waits = true;
    if (is_periodic(c))
        c->due = cycle_end(c, now);
}

/* A square wave that takes it after its high half goes on with a low one. */
static void take_next(struct pit_counter *c)
{
    bool low = mode_of(c) == MODE_SQUARE && (c->due - c->start) % c->count == high_half(c);

    c->count = c->next;
    c->start = c->due - (low ? high_half(c) : 0);
    c->waits = false;
}

static void set_gate(struct pit_counter *c, bool level, int64_t now)
{
    bool rises = level && !c->gate;

    if (!level && c->gate)
        c->stopped = now;
    c->gate = level;
    if (!rises)
        return;
    if (is_triggered(c) ? c->loaded || c->waits : is_periodic(c) && c->loaded)
        load(c, c->waits ? c->next : c->count, now);
    else if (!is_triggered(c))
        c->start += now - c->stopped;
}

static void write_byte(struct pit_counter *c, uint8_t byte, int64_t now)
{
    switch (access_of(c)) {
    case ACCESS_LOW:
        write_count(c, byte, now);
        return;
    case ACCESS_HIGH:
        write_count(c, (uint16_t)(byte << 8), now);
        return;
    default:
        break;
    }
    c->high_write = !c->high_write;
    if (!c->high_write) {
        write_count(c, (uint16_t)(byte << 8 | c->low), now);
        return;
    }
    c->low = byte;
    if (mode_of(c) == MODE_TERMINAL_COUNT)
        c->loaded = false; /* the first byte stops it */
}

static uint8_t read_byte(struct pit_counter *c, int64_t now)
{
    uint16_t count = c->count_latched ? c->latch : value(c, now);
    bool high = access_of(c) == ACCESS_HIGH || c->high_read;

    if (c->status_latched) {
        c->status_latched = false;
        return c->status;
    }
    if (access_of(c) != ACCESS_LOW && access_of(c) != ACCESS_HIGH)
        c->high_read = !c->high_read;
    c->count_latched = c->count_latched && c->high_read;
    return (uint8_t)(high ? count >> 8 : count);
}

/* What is latched stays until it is read. */
static void latch_count(struct pit_counter *c, int64_t now)
{
    if (!c->count_latched)
        c->latch = value(c, now);
    c->count_latched = true;
}

static void latch_status(struct pit_counter *c, int64_t now)
{
    bool null = !c->loaded || c->waits || now < c->start;

    if (!c->status_latched)
        c->status =
            (uint8_t)(c->control | (null ? STATUS_NULL : 0) | (out(c, now) ? STATUS_OUT : 0));
    c->status_latched = true;
}

static void read_back(struct pit *pit, uint8_t command, int64_t now)
{
    for (unsigned i = 0; i < PIT_COUNTERS; i++) {
        if (!(command >> (i + 1) & 1))
            continue;
        if (!(command & READ_BACK_NO_COUNT))
            latch_count(&pit->counter[i], now);
        if (!(command & READ_BACK_NO_STATUS))
            latch_status(&pit->counter[i], now);
    }
}

static void write_control(struct pit *pit, uint8_t word, int64_t now)
{
    if (word >> SELECT_SHIFT == READ_BACK) {
        read_back(pit, word, now);
        return;
    }
    struct pit_counter *c = &pit->counter[word >> SELECT_SHIFT];
    if (word >> ACCESS_SHIFT & 3)
        *c = (struct pit_counter){.control = word & CONTROL_MASK, .gate = c->gate};
    else
        latch_count(c, now);
}

/* ---- The line, and time passing -------------------------------------------------------------- */

static void drive_line(struct pit *pit, int64_t now)
{
    const struct pit_counter *c = &pit->counter[0];

    if (last_rise(c, now) > pit->done) {
        pit->host->set_irq(pit->host->ctx, pit->irq, false);
        pit->host->set_irq(pit->host->ctx, pit->irq, true);
    }
    pit->host->set_irq(pit->host->ctx, pit->irq, out(c, now));
    pit->done = now;
}

/* Brings everything up to guest time @now_ns, and returns it in ticks. */
static int64_t catch_up(struct pit *pit, uint64_t now_ns)
{
    int64_t now = (int64_t)device_ns_to_ticks(now_ns, PIT_HZ);

    for (unsigned i = 0; i < PIT_COUNTERS; i++) {
        struct pit_counter *c = &pit->counter[i];
        if (!c->waits || !is_periodic(c) || !c->gate || now < c->due)
            continue;
        if (i == 0)
            drive_line(pit, c->due);
        take_next(c);
    }
    drive_line(pit, now);
    return now;
}

static int64_t catch_up_now(struct pit *pit)
{
    return catch_up(pit, pit->host->now_ns(pit->host->ctx));
}

static uint64_t advance(void *dev, uint64_t now_ns)
{
    struct pit *pit = dev;
    int64_t now = catch_up(pit, now_ns);
    int64_t due = next_change(&pit->counter[0], now);

    if (due == never)
        return DEVICE_NEVER;
    if (due < now + SHORTEST_WAIT)
        due = now + SHORTEST_WAIT;
    return device_ticks_to_ns((uint64_t)due, PIT_HZ);
}

/* ---- Ports ----------------------------------------------------------------------------------- */

static uint32_t counter_read(void *dev, uint16_t offset, unsigned)
{
    struct pit *pit = dev;
    int64_t now = catch_up_now(pit);

    return offset == CONTROL_OFFSET ? UINT8_MAX : read_byte(&pit->counter[offset], now);
}

static void counter_write(void *dev, uint16_t offset, unsigned, uint32_t value)
{
    struct pit *pit = dev;
    int64_t now = catch_up_now(pit);

    if (offset == CONTROL_OFFSET)
        write_control(pit, (uint8_t)value, now);
    else
        write_byte(&pit->counter[offset], (uint8_t)value, now);
    drive_line(pit, now);
}

static uint32_t port_b_read(void *dev, uint16_t, unsigned)
{
    struct pit *pit = dev;
    int64_t now = catch_up_now(pit);

    return pit->port_b | (now / REFRESH_TICKS % 2 ? PORT_B_REFRESH : 0u) |
           (out(&pit->counter[2], now) ? PORT_B_OUT : 0u);
}

static void port_b_write(void *dev, uint16_t, unsigned, uint32_t value)
{
    struct pit *pit = dev;
    int64_t now = catch_up_now(pit);

    pit->port_b = value & PORT_B_WRITABLE;
    set_gate(&pit->counter[2], value & PORT_B_GATE, now);
}

bool pit_init(struct pit *pit, const struct device_host *host, struct pio_bus *bus, unsigned irq)
{
    const struct pio_device counters = {PIT_PORT,     CONTROL_OFFSET + 1, 1,      pit,
                                        counter_read, counter_write,      advance};
    const struct pio_device port_b = {PIT_PORT_B, 1, 1, pit, port_b_read, port_b_write, NULL};

    *pit = (struct pit){.host = host, .irq = irq};
    pit->counter[0].gate = true;
    pit->counter[1].gate = true;
    return pio_bus_add(bus, &counters) && pio_bus_add(bus, &port_b);
}
