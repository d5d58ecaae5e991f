/* SPDX-License-Identifier: BSD-2-Clause */
/* The CMOS clock: a valid date, seconds that last a second, memory that keeps bytes, interrupts. */
#include "tests/guest/guest.h"

enum {
    INDEX = 0x70,
    DATA = 0x71,
    SECONDS = 0,
    MINUTES = 2,
    HOURS = 4,
    DAY = 7,
    MONTH = 8,
    YEAR = 9,
    STATUS_A = 10,
    STATUS_B = 11,
    STATUS_C = 12,
    STATUS_D = 13,
    FREE_BYTE = 0x50,
    A_UPDATE = 1 << 7,
    A_RATE_1024_HZ = 6,
    B_24_HOURS = 1 << 1,
    B_PERIODIC = 1 << 6,
    C_PERIODIC = 1 << 6,
    C_INTERRUPT = 1 << 7,
    D_VALID = 1 << 7,
    RTC_PIN = 8,
    VECTOR = 0x58,
};

static uint8_t read(unsigned index)
{
    outb(INDEX, (uint8_t)index);
    return inb(DATA);
}

static void write(unsigned index, uint8_t value)
{
    outb(INDEX, (uint8_t)index);
    outb(DATA, value);
}

/* A BCD register as a number, or 255 when it is none. */
static unsigned number(unsigned index)
{
    while (read(STATUS_A) & A_UPDATE)
        pause();
    uint8_t bcd = read(index);
    return (bcd & 0xf) > 9 || bcd >> 4 > 9 ? 255 : (bcd >> 4) * 10u + (bcd & 0xf);
}

static void date(void)
{
    ok(read(STATUS_D) & D_VALID, "the memory and time are valid");
    ok(read(STATUS_B) & B_24_HOURS, "hours are counted to 24");
    in_range(number(SECONDS), 0, 59, "seconds");
    in_range(number(MINUTES), 0, 59, "minutes");
    in_range(number(HOURS), 0, 23, "hours");
    in_range(number(DAY), 1, 31, "day");
    in_range(number(MONTH), 1, 12, "month");
    in_range(number(YEAR), 0, 99, "year");
}

static void wait_for_tick(void)
{
    unsigned second = number(SECONDS);
    while (number(SECONDS) == second)
        pause();
}

static void one_second(void)
{
    wait_for_tick();
    uint32_t start = pm_timer();
    unsigned second = number(SECONDS);
    wait_for_tick();
    uint32_t ticks = (pm_timer() - start) & 0xffffff;
    in_range(ticks, PM_TIMER_HZ / 100 * 99, PM_TIMER_HZ / 100 * 101, "a second lasts a second");
    is_u64(number(SECONDS), (second + 1) % 60, "and is the next one");
}

static void memory(void)
{
    uint8_t old = read(FREE_BYTE);
    write(FREE_BYTE, 0x5a);
    write(FREE_BYTE + 1, 0xa5);
    is_u64(read(FREE_BYTE), 0x5a, "the memory keeps a byte");
    is_u64(read(FREE_BYTE + 1), 0xa5, "and its neighbour another");
    write(FREE_BYTE, old);
}

static volatile unsigned causes;

static void on_interrupt(struct trap_frame *frame)
{
    count_trap(frame);
    causes |= read(STATUS_C);
    lapic_eoi();
}

static void periodic(void)
{
    enum { COUNT = 32 };
    lapic_enable();
    set_handler(VECTOR, on_interrupt);
    ioapic_route(RTC_PIN, VECTOR, lapic_read(LAPIC_ID) >> 24);
    write(STATUS_A, (read(STATUS_A) & 0x70) | A_RATE_1024_HZ);
    read(STATUS_C);
    write(STATUS_B, read(STATUS_B) | B_PERIODIC);
    sti();
    uint32_t start = pm_timer();
    ok(wait_for(&trap_count[VECTOR], COUNT, 1000), "the periodic interrupt comes");
    uint32_t ticks = (pm_timer() - start) & 0xffffff;
    cli();
    write(STATUS_B, read(STATUS_B) & ~B_PERIODIC);
    is_u64(causes, C_PERIODIC | C_INTERRUPT, "register C names the cause");
    in_range(ticks, PM_TIMER_HZ / 1024 * (COUNT - 2), PM_TIMER_HZ / 1024 * (COUNT + 3),
             "at 1024 Hz");
    ioapic_route(RTC_PIN, IOAPIC_MASKED, 0);
}

void test_main(void)
{
    date();
    one_second();
    memory();
    periodic();
}
