/* SPDX-License-Identifier: BSD-2-Clause */
/* The test device: its register, its memory, its console, and the lines of the I/O APIC
   that it drives. */
// testdev: on
#include "tests/guest/guest.h"

enum {
    LOOPBACK = 0xe0,
    FLUSH = 0xe4,
    SERIAL = 0xf1,
    LINES = 0x2000,
    LINE = 20,
    MEMORY_SIZE = 0x10000,
    VECTOR = 0x71,
    ENTRY = IOAPIC_ENTRY + 2 * LINE,
    REMOTE_IRR = 1 << 14,
};

#define MEMORY ((volatile uint64_t *)0xff000000ul)

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

/* What an instruction that no emulator knows does to it shows that it is memory. */
static void memory(void)
{
    volatile uint64_t *last = MEMORY + MEMORY_SIZE / sizeof(*MEMORY) - 1;

    is_u64(*MEMORY | *last, 0, "the memory is empty");
    *MEMORY = 0x1122334455667788;
    *last = UINT64_MAX;
    uint32_t lowest = 1;
    asm volatile("rolq $8, (%1); bsfl 4(%1), %0" : "+r"(lowest) : "r"(MEMORY) : "memory", "cc");
    is_u64(*MEMORY, 0x2233445566778811, "keeps what is written");
    is_u64(lowest, 0, "and any instruction can read it");
    is_u64(*last, UINT64_MAX, "up to its end");
    is_u64(last[1], UINT64_MAX, "behind which there is nothing");
}

/* The last result, which the plan misses if it does not arrive. */
static void serial(void)
{
    for (const char *c = "ok 13 - the serial port\n"; *c; c++)
        outb(SERIAL, (uint8_t)*c);
}

void test_main(void)
{
    plan(13);
    lapic_enable();
    registers();
    memory();
    lines(lapic_read(LAPIC_ID) >> 24);
    serial();
    guest_exit(0);
}
