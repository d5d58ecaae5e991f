/* SPDX-License-Identifier: BSD-2-Clause */
/* links: drivers/guest/rtc.c core/calendar.c drivers/guest/pio.c */
/* The CMOS clock, with the C library's calendar as judge. */
#define _DEFAULT_SOURCE
#include "core/calendar.h"
#include "drivers/guest/rtc.h"

#include <time.h>

#include "tests/host/device_world.h"

enum {
    IRQ = 8,
    A = 0x0a,
    B = 0x0b,
    C = 0x0c,
    D = 0x0d,
    CENTURY = 0x32,
    UIP = 0x80,
    PF = 0x40,
    AF = 0x20,
    UF = 0x10,
    IRQF = 0x80,
    B_24H = 0x02,
};

static const uint64_t second = 1000000000;
/* 2024-02-28 23:59:58 UTC, a Wednesday before a leap day. */
static const uint64_t start_s = 1709164798;

static struct device_world world;
static struct rtc rtc;

static int setup(void **state)
{
    struct rtc_config config = {
        .base = 0x70, .irq = IRQ, .start_s = start_s, .memory_below4g = 256ull << 20};

    (void)state;
    world_init(&world);
    return !rtc_init(&rtc, &world.host, &world.bus, &config);
}

static uint8_t get(uint8_t index)
{
    world_out(&world, 0x70, index);
    return world_in(&world, 0x71);
}

static void set(uint8_t index, uint8_t value)
{
    world_out(&world, 0x70, index);
    world_out(&world, 0x71, value);
}

static uint64_t advance(void)
{
    return pio_bus_advance(&world.bus, world.now_ns);
}

static void assert_bcd_clock(uint32_t date, uint32_t time, uint8_t weekday)
{
    assert_int_equal(get(CENTURY) << 24 | get(9) << 16 | get(8) << 8 | get(7), date);
    assert_int_equal(get(4) << 16 | get(2) << 8 | get(0), time);
    assert_int_equal(get(6), weekday);
}

static void calendar_agrees_with_libc(void **state)
{
    (void)state;
    for (int64_t t = -60000000000; t < 300000000000; t += 86399 * 97 + 1) {
        struct calendar ours = calendar_from_seconds(t);
        struct tm libc;
        time_t time = (time_t)t;
        assert_non_null(gmtime_r(&time, &libc));
        assert_int_equal(ours.year, libc.tm_year + 1900);
        assert_int_equal(ours.month, libc.tm_mon + 1);
        assert_int_equal(ours.day, libc.tm_mday);
        assert_int_equal(ours.weekday, libc.tm_wday);
        assert_int_equal(ours.hour, libc.tm_hour);
        assert_int_equal(ours.minute, libc.tm_min);
        assert_int_equal(ours.second, libc.tm_sec);
        if (ours.year >= 0)
            assert_true(calendar_to_seconds(&ours) == t);
    }
}

static void runs(void **state)
{
    (void)state;
    assert_bcd_clock(0x20240228, 0x235958, 4);
    world.now_ns = second - 1;
    assert_bcd_clock(0x20240228, 0x235958, 4);
    world.now_ns = 2 * second;
    assert_bcd_clock(0x20240229, 0x000000, 5);
    world.now_ns += 86400 * second;
    assert_bcd_clock(0x20240301, 0x000000, 6);
    assert_int_equal(get(D), 0x80);
}

static void formats(void **state)
{
    (void)state;
    set(B, 0); /* 12 hours */
    assert_int_equal(get(4), 0x91);
    world.now_ns = 2 * second;
    assert_int_equal(get(4), 0x12); /* midnight */
    world.now_ns += 43200 * second;
    assert_int_equal(get(4), 0x92); /* noon */
    world.now_ns += 3600 * second;
    assert_int_equal(get(4), 0x81);
    set(B, 4); /* binary, 12 hours */
    world.now_ns += 10 * 3600 * second;
    assert_int_equal(get(4), 0x80 | 11);
    set(B, 6);
    assert_int_equal(get(4), 23);
    assert_int_equal(get(9), 24);
    assert_int_equal(get(CENTURY), 20);
    assert_int_equal(get(2), 0);
    world.now_ns += 59 * 60 * second;
    assert_int_equal(get(2), 59);
}

static void set_clock(uint8_t mode, const uint8_t bytes[8])
{
    static const uint8_t indices[8] = {0, 2, 4, 6, 7, 8, 9, CENTURY};

    set(B, 0x80 | mode);
    for (unsigned i = 0; i < 8; i++)
        set(indices[i], bytes[i]);
    for (unsigned i = 0; i < 8; i++)
        assert_int_equal(get(indices[i]), bytes[i]);
    set(B, mode);
}

static void can_be_set(void **state)
{
    static const uint8_t bcd[8] = {0x58, 0x59, 0x23, 0x01, 0x31, 0x12, 0x99, 0x19};
    static const uint8_t binary12[8] = {58, 59, 0x80 | 11, 1, 31, 12, 99, 19};

    (void)state;
    world.now_ns = second / 4;
    set_clock(B_24H, bcd);
    assert_bcd_clock(0x19991231, 0x235958, 1); /* the guest may think it was a Sunday */
    world.now_ns = 2 * second; /* the fraction of the second went on: 1.75 s later is two updates */
    assert_bcd_clock(0x20000101, 0x000000, 2);

    set_clock(4, binary12);
    set(B, B_24H);
    assert_bcd_clock(0x19991231, 0x235958, 1);
}

/* In 12-hour format, 12 AM is midnight and 12 PM is noon. */
static void twelve_o_clock_can_be_set(void **state)
{
    (void)state;
    set(B, 0);
    set(4, 0x12);
    set(B, B_24H);
    assert_bcd_clock(0x20240228, 0x005958, 4);
    set(B, 0);
    set(4, 0x92);
    set(B, B_24H);
    assert_bcd_clock(0x20240228, 0x125958, 4);
}

static void single_bytes_can_be_set_while_running(void **state)
{
    (void)state;
    set(0, 0x30);
    assert_bcd_clock(0x20240228, 0x235930, 4);
    set(8, 0x03);
    assert_bcd_clock(0x20240328, 0x235930, 4);
}

static void stands_still_while_set(void **state)
{
    (void)state;
    set(B, 0x80 | B_24H);
    world.now_ns = 100 * second - 1;
    assert_bcd_clock(0x20240228, 0x235958, 4);
    assert_int_equal(get(A) & UIP, 0);
    assert_int_equal(get(C), 0x40); /* the periodic flag goes on */
    set(B, B_24H);
    assert_bcd_clock(0x20240228, 0x235958, 4);
    world.now_ns++;
    assert_bcd_clock(0x20240228, 0x235959, 4);
}

static void divider_reset_starts_half_a_second_before_an_update(void **state)
{
    (void)state;
    world.now_ns = 1234567890;
    set(A, 0x76);
    world.now_ns += 10 * second;
    assert_int_equal(get(0), 0x59);
    assert_int_equal(get(C), PF | UF); /* of before */
    world.now_ns += second;
    assert_int_equal(get(C), 0);
    set(A, 0x26);
    world.now_ns += second / 2 - 1;
    assert_int_equal(get(0), 0x59);
    world.now_ns++;
    assert_bcd_clock(0x20240229, 0x000000, 5);
}

static void update_in_progress(void **state)
{
    (void)state;
    assert_int_equal(get(A), 0x26);
    world.now_ns = second - 244142;
    assert_int_equal(get(A), 0x26);
    world.now_ns = second - 244140;
    assert_int_equal(get(A), 0xa6);
    world.now_ns = second - 1;
    assert_int_equal(get(A), 0xa6);
    assert_int_equal(get(0), 0x58);
    world.now_ns = second;
    assert_int_equal(get(A), 0x26);
    assert_int_equal(get(0), 0x59);
    set(A, 0xa6); /* UIP cannot be written */
    assert_int_equal(get(A), 0x26);
}

static void update_interrupt(void **state)
{
    (void)state;
    set(A, 0x20);
    world.now_ns = second / 3;
    assert_true(advance() == DEVICE_NEVER);
    set(B, B_24H | UF);
    assert_true(advance() == second);
    assert_int_equal(get(C), 0);
    world.now_ns = second;
    assert_true(advance() == DEVICE_NEVER); /* until the guest has read register C */
    assert_true(world.level);
    assert_int_equal(world.last_line, IRQ);
    assert_int_equal(get(C), IRQF | UF);
    assert_false(world.level);
    assert_int_equal(get(C), 0);
    assert_true(advance() == 2 * second);

    set(B, B_24H | 0x80 | UF); /* SET clears UIE */
    assert_int_equal(get(B), B_24H | 0x80);
}

static void flags_without_enable(void **state)
{
    (void)state;
    set(A, 0x20);
    world.now_ns = second;
    assert_int_equal(get(C), UF);
    assert_int_equal(world.edges, 0);
    world.now_ns = 2 * second;
    advance();
    set(B, B_24H | UF); /* the flag is there: the line rises now */
    assert_true(world.level);
}

static void alarm_interrupt(void **state)
{
    (void)state;
    set(A, 0x20);
    set(1, 0x01);
    set(3, 0x00);
    set(5, 0x00);
    set(B, B_24H | AF);
    unsigned wakes = 0;
    for (uint64_t due = advance(); due != DEVICE_NEVER; due = advance()) {
        world.now_ns = due;
        assert_true(wakes++ < 5);
    }
    assert_true(world.level);
    assert_true(world.now_ns == 3 * second);
    assert_bcd_clock(0x20240229, 0x000001, 5);
    assert_int_equal(get(C), IRQF | AF | UF);
    world.now_ns += 86399 * second;
    assert_int_equal(get(C), UF);
    world.now_ns += second;
    assert_int_equal(get(C), IRQF | AF | UF);
}

static void alarm_wildcards_and_long_gaps(void **state)
{
    (void)state;
    set(A, 0x20);
    set(1, 0xff);
    set(3, 0xc0);
    set(5, 0x12);
    world.now_ns = 2 * second;
    assert_int_equal(get(C), UF);
    world.now_ns = 400ull * 86400 * second;
    assert_int_equal(get(C), UF | AF);
    world.now_ns += (12 * 3600 - 1) * second; /* 11:59:57 is not 12:xx:xx */
    assert_int_equal(get(C), UF);
    world.now_ns += 3 * second;
    assert_int_equal(get(C), UF | AF);
    assert_bcd_clock(0x20250404, 0x120000, 6);
}

static void periodic_interrupt(void **state)
{
    static const struct {
        uint8_t rate;
        uint32_t ticks;
    } rates[] = {{1, 128}, {2, 256}, {3, 4}, {6, 32}, {15, 16384}};

    (void)state;
    for (unsigned i = 0; i < sizeof rates / sizeof rates[0]; i++) {
        set(A, 0x20 | rates[i].rate);
        set(B, B_24H | PF);
        get(C);
        for (unsigned n = 0; n < 10; n++) {
            uint64_t next = (world.now_ns * 512 / 15625000 / rates[i].ticks + 1) * rates[i].ticks;
            uint64_t due = (next * 15625000 + 511) / 512;
            assert_true(advance() == due);
            world.now_ns = due - 1;
            assert_int_equal(get(C) & PF, 0);
            world.now_ns = due;
            assert_true(advance() == DEVICE_NEVER);
            assert_true(world.level);
            assert_int_equal(get(C) & (IRQF | PF), IRQF | PF);
        }
    }
    set(A, 0x20);
    assert_true(advance() == DEVICE_NEVER);
}

static void memory_sizes(void **state)
{
    struct rtc_config config = {.base = 0x70, .start_s = 0, .memory_below4g = 3ull << 30};

    (void)state;
    assert_int_equal(get(0x15) | get(0x16) << 8, 640);
    assert_int_equal(get(0x17) | get(0x18) << 8, 65535);
    assert_int_equal(get(0x30) | get(0x31) << 8, 65535);
    assert_int_equal(get(0x34) | get(0x35) << 8, 240 * 16);
    world_init(&world);
    assert_true(rtc_init(&rtc, &world.host, &world.bus, &config));
    assert_int_equal(get(0x34) | get(0x35) << 8, (3072 - 16) * 16);
    assert_bcd_clock(0x19700101, 0, 5);
    world_init(&world);
    config.memory_below4g = 8 << 20;
    assert_true(rtc_init(&rtc, &world.host, &world.bus, &config));
    assert_int_equal(get(0x17) | get(0x18) << 8, 7168);
    assert_int_equal(get(0x34) | get(0x35) << 8, 0);
}

static void index_port(void **state)
{
    (void)state;
    set(0x80 | 0x40, 0x5a);
    assert_int_equal(get(0x40), 0x5a); /* plain memory */
    assert_int_equal(world_in(&world, 0x70), 0xff);
    pio_bus_write(&world.bus, 0x70, 2, 0xa541); /* index and data at once */
    assert_int_equal(get(0x41), 0xa5);
}

/* Nothing a guest stores into the clock may lead anywhere but to some date. */
static void any_bytes_are_harmless(void **state)
{
    uint32_t random = 1;

    (void)state;
    for (unsigned i = 0; i < 200000; i++) {
        random = random * 1664525 + 1013904223;
        uint8_t index = random >> 24 & 0x3f;
        if (random >> 23 & 1)
            set(index % 14, random >> 8 & 0xff);
        else
            set(CENTURY, random >> 8 & 0xff);
        world.now_ns += (random >> 4 & 0xfff) << (random & 15);
        assert_true(advance() > world.now_ns);
        get(C);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calendar_agrees_with_libc),
        cmocka_unit_test_setup(runs, setup),
        cmocka_unit_test_setup(formats, setup),
        cmocka_unit_test_setup(can_be_set, setup),
        cmocka_unit_test_setup(twelve_o_clock_can_be_set, setup),
        cmocka_unit_test_setup(single_bytes_can_be_set_while_running, setup),
        cmocka_unit_test_setup(stands_still_while_set, setup),
        cmocka_unit_test_setup(divider_reset_starts_half_a_second_before_an_update, setup),
        cmocka_unit_test_setup(update_in_progress, setup),
        cmocka_unit_test_setup(update_interrupt, setup),
        cmocka_unit_test_setup(flags_without_enable, setup),
        cmocka_unit_test_setup(alarm_interrupt, setup),
        cmocka_unit_test_setup(alarm_wildcards_and_long_gaps, setup),
        cmocka_unit_test_setup(periodic_interrupt, setup),
        cmocka_unit_test_setup(memory_sizes, setup),
        cmocka_unit_test_setup(index_port, setup),
        cmocka_unit_test_setup(any_bytes_are_harmless, setup),
    };
    return cmocka_run_group_tests_name("CMOS clock", tests, NULL, NULL);
}
