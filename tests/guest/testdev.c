/* SPDX-License-Identifier: BSD-2-Clause */
/* The test device: its register, its console, and the lines of the I/O APIC that it drives. */
// testdev: on
#include "tests/guest/guest.h"

enum {
    LOOPBACK = 0xe0,
    FLUSH = 0xe4,
    SERIAL = 0xf1,
    LINES = 0x2000,
    LINE = 20,
    VECTOR = 0x71,
    ENTRY = IOAPIC_ENTRY + 2 * LINE,
    REMOTE_IRR = 1 << 14,
};

static volatile unsigned lower_at;

static void on_interrupt(struct trap_frame *frame)
{
    count_trap(frame);
    if (trap_count[VECTOR] >= lower_at)
        outb(LINES + LINE, 0);
    lapic_eoi();
}

/* Raises the line; the handler lowers it at its call number `lower`. */
static unsigned interrupts(unsigned lower)
{
    trap_count[VECTOR] = 0;
    lower_at = lower;
    outb(LINES + LINE, 1);
    sti();
    delay_us(100);
    cli();
    outb(LINES + LINE, 0);
    return trap_count[VECTOR];
}

static void registers(void)
{
    outl(LOOPBACK, 0x12345678);
    is_u64(inl(LOOPBACK), 0x12345678, "the register keeps 4 bytes");
    outw(LOOPBACK + 2, 0xabcd);
    is_u64(inl(LOOPBACK), 0xabcd5678, "and takes 2 of them");
    volatile uint32_t *word = page_alloc();
    *word = 42;
    outl(FLUSH, (uint32_t)(uintptr_t)word);
    is_u64(*word, 42, "a flushed page is still there");
}

static void lines(uint32_t self)
{
    set_handler(VECTOR, on_interrupt);
    ioapic_route(LINE, VECTOR, self);
    is_u64(interrupts(2), 1, "edge: one interrupt for a rise");
    is_u64(interrupts(1), 1, "edge: one for the next");
    ioapic_route(LINE, VECTOR | IOAPIC_LEVEL, self);
    is_u64(interrupts(3), 3, "level: interrupts until the line is lowered");
    is_u64(ioapic_read(ENTRY) & REMOTE_IRR, 0, "level: the last EOI cleared remote IRR");
    ioapic_route(LINE, IOAPIC_MASKED, 0);
}

/* The last result, which the plan misses if it does not arrive. */
static void serial(void)
{
    for (const char *c = "ok 8 - the serial port\n"; *c; c++)
        outb(SERIAL, (uint8_t)*c);
}

void test_main(void)
{
    plan(8);
    lapic_enable();
    registers();
    lines(lapic_read(LAPIC_ID) >> 24);
    serial();
    guest_exit(0);
}
