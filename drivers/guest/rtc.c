/* SPDX-License-Identifier: BSD-2-Clause */
/* The CMOS clock. Register and bit names are those of the MC146818A data sheet. */
#include "drivers/guest/rtc.h"
#include "core/calendar.h"

enum {
    INDEX_PORT = 0,
    PORTS = 2,
    INDEX_MASK = 0x7f,

    SECONDS = 0x00,
    SECONDS_ALARM = 0x01,
    MINUTES = 0x02,
    MINUTES_ALARM = 0x03,
    HOURS = 0x04,
    HOURS_ALARM = 0x05,
    WEEKDAY = 0x06, /* 1 is Sunday */
    DAY = 0x07,
    MONTH = 0x08,
    YEAR = 0x09,
    REGISTER_A = 0x0a,
    REGISTER_B = 0x0b,
    REGISTER_C = 0x0c,
    REGISTER_D = 0x0d,
    BASE_MEMORY = 0x15,           /* KiB, 16 bits */
    EXTENDED_MEMORY = 0x17,       /* KiB above 1 MiB, 16 bits */
    EXTENDED_MEMORY_FOUND = 0x30, /* the same, as memory tests found it */
    MEMORY_ABOVE_16M = 0x34,      /* units of 64 KiB, 16 bits */
    CENTURY = 0x32,

    A_UIP = 1 << 7,
    A_DIVIDER = 7 << 4,
    A_DIVIDER_32768_HZ = 2 << 4,
    A_RATE = 0x0f,

    B_SET = 1 << 7,
    B_PIE = 1 << 6,
    B_AIE = 1 << 5,
    B_UIE = 1 << 4,
    B_BINARY = 1 << 2,
    B_24_HOURS = 1 << 1,

    C_IRQF = 1 << 7,
    C_PF = 1 << 6, /* the flags are where their enable bits are in register B */
    C_AF = 1 << 5,
    C_UF = 1 << 4,

    D_VRT = 1 << 7,

    HOUR_PM = 1 << 7,
    ALARM_ANY = 0xc0, /* an alarm byte with both bits set matches everything */

    OSCILLATOR_HZ = 32768,
    UIP_NS = 244141,
    /* The first update comes half a second after the divider starts. */
    DIVIDER_START_NS = DEVICE_NS_PER_S / 2,
    SECONDS_PER_DAY = 86400,
};

static bool divider_runs(const struct rtc *rtc)
{
    return (rtc->cmos[REGISTER_A] & A_DIVIDER) == A_DIVIDER_32768_HZ;
}

static bool clock_runs(const struct rtc *rtc)
{
    return divider_runs(rtc) && !(rtc->cmos[REGISTER_B] & B_SET);
}

/* Time since the divider passed zero, and so: its fraction of a second is the time since the last
 * update. */
static uint64_t divider_ns(const struct rtc *rtc, uint64_t now_ns)
{
    return now_ns + rtc->phase_ns;
}

/* ---- Formats --------------------------------------------------------------------------------- */

static uint8_t encode(const struct rtc *rtc, unsigned value)
{
    return (uint8_t)(rtc->cmos[REGISTER_B] & B_BINARY ? value : value / 10 << 4 | value % 10);
}

static uint8_t decode(const struct rtc *rtc, uint8_t byte)
{
    return rtc->cmos[REGISTER_B] & B_BINARY ? byte : (byte >> 4) * 10 + (byte & 0xf);
}

static uint8_t encode_hour(const struct rtc *rtc, unsigned hour)
{
    if (rtc->cmos[REGISTER_B] & B_24_HOURS)
        return encode(rtc, hour);
    unsigned of_12 = hour % 12 ? hour % 12 : 12;
    return encode(rtc, of_12) | (hour >= 12 ? HOUR_PM : 0);
}

static uint8_t decode_hour(const struct rtc *rtc, uint8_t byte)
{
    if (rtc->cmos[REGISTER_B] & B_24_HOURS)
        return decode(rtc, byte);
    return decode(rtc, byte & ~HOUR_PM) % 12 + (byte & HOUR_PM ? 12 : 0);
}

static void store_word(struct rtc *rtc, unsigned index, uint64_t value)
{
    uint64_t word = value > UINT16_MAX ? UINT16_MAX : value;

    rtc->cmos[index] = word & 0xff;
    rtc->cmos[index + 1] = (uint8_t)(word >> 8);
}

/* ---- The calendar and its bytes -------------------------------------------------------------- */

static int64_t clock_seconds(const struct rtc *rtc, uint64_t now_ns)
{
    return rtc->epoch_s + (int64_t)(divider_ns(rtc, now_ns) / DEVICE_NS_PER_S);
}

static void store_calendar(struct rtc *rtc, int64_t seconds)
{
    struct calendar now = calendar_from_seconds(seconds);

    rtc->cmos[SECONDS] = encode(rtc, now.second);
    rtc->cmos[MINUTES] = encode(rtc, now.minute);
    rtc->cmos[HOURS] = encode_hour(rtc, now.hour);
    rtc->cmos[WEEKDAY] = encode(rtc, (now.weekday + rtc->weekday_add) % 7 + 1);
    rtc->cmos[DAY] = encode(rtc, now.day);
    rtc->cmos[MONTH] = encode(rtc, now.month);
    rtc->cmos[YEAR] = encode(rtc, (unsigned)now.year % 100);
    rtc->cmos[CENTURY] = encode(rtc, (unsigned)now.year / 100);
}

/* Lets the clock go on from what the bytes say. */
static void load_calendar(struct rtc *rtc, uint64_t now_ns)
{
    struct calendar set = {
        .year = decode(rtc, rtc->cmos[CENTURY]) * 100 + decode(rtc, rtc->cmos[YEAR]),
        .month = decode(rtc, rtc->cmos[MONTH]),
        .day = decode(rtc, rtc->cmos[DAY]),
        .hour = decode_hour(rtc, rtc->cmos[HOURS]),
        .minute = decode(rtc, rtc->cmos[MINUTES]),
        .second = decode(rtc, rtc->cmos[SECONDS]),
    };
    int64_t seconds = calendar_to_seconds(&set);
    unsigned computed = calendar_from_seconds(seconds).weekday;
    unsigned weekday = decode(rtc, rtc->cmos[WEEKDAY]) + 6u; /* 0 is Sunday, modulo 7 */

    rtc->weekday_add = (uint8_t)((weekday + 7 - computed) % 7);
    rtc->epoch_s += seconds - clock_seconds(rtc, now_ns);
}

/* ---- Flags and interrupts -------------------------------------------------------------------- */

static bool alarm_byte_matches(uint8_t alarm, uint8_t now)
{
    return alarm >= ALARM_ANY || alarm == now;
}

static bool alarm_matches(const struct rtc *rtc, int64_t second_of_day)
{
    unsigned second = (unsigned)second_of_day;

    return alarm_byte_matches(rtc->cmos[SECONDS_ALARM], encode(rtc, second % 60)) &&
           alarm_byte_matches(rtc->cmos[MINUTES_ALARM], encode(rtc, second / 60 % 60)) &&
           alarm_byte_matches(rtc->cmos[HOURS_ALARM], encode_hour(rtc, second / 3600));
}

/* Whether one of the updates after `from` up to and including `to` hit the alarm. */
static bool alarm_between(const struct rtc *rtc, int64_t from, int64_t to)
{
    if (to - from > SECONDS_PER_DAY)
        from = to - SECONDS_PER_DAY;
    for (int64_t second = from + 1; second <= to; second++) {
        int64_t of_day = second % SECONDS_PER_DAY;
        if (alarm_matches(rtc, of_day < 0 ? of_day + SECONDS_PER_DAY : of_day))
            return true;
    }
    return false;
}

/* Oscillator ticks between periodic interrupts; 0 for none. */
static uint32_t period_ticks(const struct rtc *rtc)
{
    unsigned rate = rtc->cmos[REGISTER_A] & A_RATE;

    if (rate == 0 || !divider_runs(rtc))
        return 0;
    return rate <= 2 ? 1u << (rate + 6) : 1u << (rate - 1);
}

static uint64_t periods(const struct rtc *rtc, uint64_t now_ns)
{
    return device_ns_to_ticks(divider_ns(rtc, now_ns), OSCILLATOR_HZ) / period_ticks(rtc);
}

static void update_irq(struct rtc *rtc)
{
    bool pending = rtc->cmos[REGISTER_B] & rtc->cmos[REGISTER_C] & (C_PF | C_AF | C_UF);

    rtc->cmos[REGISTER_C] &= ~C_IRQF;
    if (pending)
        rtc->cmos[REGISTER_C] |= C_IRQF;
    rtc->host->set_irq(rtc->host->ctx, rtc->irq, pending);
}

/* Brings bytes and flags up to date. Before any change of state, so that what is past was counted
 * under the state that held then. */
static void catch_up(struct rtc *rtc, uint64_t now_ns)
{
    if (period_ticks(rtc) && periods(rtc, rtc->done_ns) != periods(rtc, now_ns))
        rtc->cmos[REGISTER_C] |= C_PF;
    if (clock_runs(rtc)) {
        int64_t from = clock_seconds(rtc, rtc->done_ns);
        int64_t to = clock_seconds(rtc, now_ns);
        if (from != to) {
            rtc->cmos[REGISTER_C] |= C_UF;
            if (!(rtc->cmos[REGISTER_C] & C_AF) && alarm_between(rtc, from, to))
                rtc->cmos[REGISTER_C] |= C_AF;
        }
        store_calendar(rtc, to);
    }
    rtc->done_ns = now_ns;
    update_irq(rtc);
}

/* ---- Registers ------------------------------------------------------------------------------- */

static bool update_in_progress(const struct rtc *rtc, uint64_t now_ns)
{
    return clock_runs(rtc) && divider_ns(rtc, now_ns) % DEVICE_NS_PER_S >= DEVICE_NS_PER_S - UIP_NS;
}

static uint8_t read_register_c(struct rtc *rtc)
{
    uint8_t flags = rtc->cmos[REGISTER_C];

    rtc->cmos[REGISTER_C] = 0;
    update_irq(rtc);
    return flags;
}

static uint8_t read_data(struct rtc *rtc)
{
    unsigned index = rtc->index & INDEX_MASK;
    uint64_t now_ns = rtc->host->now_ns(rtc->host->ctx);

    catch_up(rtc, now_ns);
    switch (index) {
    case REGISTER_A:
        return rtc->cmos[REGISTER_A] | (update_in_progress(rtc, now_ns) ? A_UIP : 0);
    case REGISTER_C:
        return read_register_c(rtc);
    case REGISTER_D:
        return D_VRT;
    default:
        return rtc->cmos[index];
    }
}

/* Makes the divider read `phase` at now_ns; the bytes say what time it is. */
static void start_divider(struct rtc *rtc, uint64_t now_ns, uint32_t phase)
{
    uint64_t fraction = now_ns % DEVICE_NS_PER_S;

    rtc->phase_ns = (uint32_t)((phase + DEVICE_NS_PER_S - fraction) % DEVICE_NS_PER_S);
}

static void write_register_a(struct rtc *rtc, uint8_t value, uint64_t now_ns)
{
    bool ran = divider_runs(rtc);

    rtc->cmos[REGISTER_A] = value & ~A_UIP;
    if (ran || !divider_runs(rtc))
        return;
    start_divider(rtc, now_ns, DEVICE_NS_PER_S - DIVIDER_START_NS);
    load_calendar(rtc, now_ns);
}

static void write_register_b(struct rtc *rtc, uint8_t value, uint64_t now_ns)
{
    bool ran = clock_runs(rtc);

    rtc->cmos[REGISTER_B] = value & B_SET ? value & ~B_UIE : value;
    if (!ran && clock_runs(rtc))
        load_calendar(rtc, now_ns);
    update_irq(rtc);
}

static bool is_calendar(unsigned index)
{
    return index == CENTURY || index == SECONDS || index == MINUTES || index == HOURS ||
           (index >= WEEKDAY && index <= YEAR);
}

static void write_data(struct rtc *rtc, uint8_t value)
{
    unsigned index = rtc->index & INDEX_MASK;
    uint64_t now_ns = rtc->host->now_ns(rtc->host->ctx);

    catch_up(rtc, now_ns);
    switch (index) {
    case REGISTER_A:
        write_register_a(rtc, value, now_ns);
        break;
    case REGISTER_B:
        write_register_b(rtc, value, now_ns);
        break;
    case REGISTER_C:
    case REGISTER_D:
        break;
    default:
        rtc->cmos[index] = value;
        if (is_calendar(index) && clock_runs(rtc))
            load_calendar(rtc, now_ns);
        break;
    }
}

/* The index port cannot be read back. */
static uint32_t rtc_read(void *dev, uint16_t offset, unsigned)
{
    return offset == INDEX_PORT ? 0xff : read_data(dev);
}

static void rtc_write(void *dev, uint16_t offset, unsigned, uint32_t value)
{
    struct rtc *rtc = dev;

    if (offset == INDEX_PORT)
        rtc->index = (uint8_t)value;
    else
        write_data(rtc, (uint8_t)value);
}

static uint64_t rtc_advance(void *dev, uint64_t now_ns)
{
    struct rtc *rtc = dev;
    uint64_t due = DEVICE_NEVER;
    uint8_t waiting = rtc->cmos[REGISTER_B] & ~rtc->cmos[REGISTER_C];

    if (!(waiting & (C_PF | C_AF | C_UF)))
        return DEVICE_NEVER; /* registers are brought up to date when somebody looks at them */
    catch_up(rtc, now_ns);
    waiting = rtc->cmos[REGISTER_B] & ~rtc->cmos[REGISTER_C];
    if (clock_runs(rtc) && waiting & (C_AF | C_UF))
        due = now_ns + DEVICE_NS_PER_S - divider_ns(rtc, now_ns) % DEVICE_NS_PER_S;
    if (period_ticks(rtc) && waiting & C_PF) {
        uint64_t next = (periods(rtc, now_ns) + 1) * period_ticks(rtc);
        uint64_t at = device_ticks_to_ns(next, OSCILLATOR_HZ) - rtc->phase_ns;
        due = at < due ? at : due;
    }
    return due;
}

/* ---- Start ----------------------------------------------------------------------------------- */

static void store_memory_sizes(struct rtc *rtc, uint64_t bytes)
{
    const uint64_t base_end = 640 << 10, extended = 1 << 20, high = 16 << 20;
    uint64_t base = bytes < base_end ? bytes : base_end;
    uint64_t above_1m = bytes > extended ? bytes - extended : 0;
    uint64_t above_16m = bytes > high ? bytes - high : 0;

    store_word(rtc, BASE_MEMORY, base >> 10);
    store_word(rtc, EXTENDED_MEMORY, above_1m >> 10);
    store_word(rtc, EXTENDED_MEMORY_FOUND, above_1m >> 10);
    store_word(rtc, MEMORY_ABOVE_16M, above_16m >> 16);
}

bool rtc_init(struct rtc *rtc, const struct device_host *host, struct pio_bus *bus,
              const struct rtc_config *config)
{
    const struct pio_device ports = {config->base, PORTS, 1, rtc, rtc_read, rtc_write, rtc_advance};

    *rtc = (struct rtc){.host = host, .irq = config->irq, .epoch_s = (int64_t)config->start_s};
    rtc->cmos[REGISTER_A] = A_DIVIDER_32768_HZ | 6; /* 1024 Hz, as firmware leaves it */
    rtc->cmos[REGISTER_B] = B_24_HOURS;
    rtc->done_ns = host->now_ns(host->ctx);
    store_memory_sizes(rtc, config->memory_below4g);
    store_calendar(rtc, clock_seconds(rtc, rtc->done_ns));
    return pio_bus_add(bus, &ports);
}
