/* SPDX-License-Identifier: BSD-2-Clause */
/* The UART's transmitter interrupt through the I/O APIC: edge, masking, and OUT2. */
#include "tests/guest/guest.h"

enum {
    COM1 = 0x3f8,
    IER = COM1 + 1,
    IIR = COM1 + 2,
    MCR = COM1 + 4,
    LSR = COM1 + 5,
    IER_TRANSMITTER = 1 << 1,
    IIR_NONE = 1,
    IIR_TRANSMITTER = 2,
    MCR_OUT2 = 1 << 3,
    LSR_IDLE = 0x60,
    UART_PIN = 4,
    VECTOR = 0x54,
};

static volatile unsigned cause;

static void on_interrupt(struct trap_frame *frame)
{
    count_trap(frame);
    cause = inb(IIR) & 0xf;
    lapic_eoi();
}

/* The transmitter is idle, so that enabling its interrupt raises it. */
static void enable(void)
{
    while ((inb(LSR) & LSR_IDLE) != LSR_IDLE)
        pause();
    outb(IER, IER_TRANSMITTER);
    delay_us(500);
}

static void disable(void)
{
    outb(IER, 0);
    inb(IIR);
    delay_us(100);
}

void test_main(void)
{
    uint32_t self = lapic_read(LAPIC_ID) >> 24;
    set_handler(VECTOR, on_interrupt);
    lapic_enable();
    outb(IER, 0);
    outb(MCR, MCR_OUT2);
    ioapic_route(UART_PIN, VECTOR, self);
    sti();

    enable();
    unsigned count = trap_count[VECTOR], seen = cause;
    disable();
    is_u64(count, 1, "the empty transmitter interrupts once");
    is_u64(seen, IIR_TRANSMITTER, "the cause is the transmitter");
    is_u64(inb(IIR) & 0xf, IIR_NONE, "reading the cause cleared it");

    count = trap_count[VECTOR];
    enable();
    outb(COM1, '#');
    delay_us(2000);
    count = trap_count[VECTOR] - count;
    disable();
    printf("\n");
    is_u64(count, 2, "and again after it has sent a byte");

    ioapic_route(UART_PIN, VECTOR | IOAPIC_MASKED, self);
    count = trap_count[VECTOR];
    enable();
    count = trap_count[VECTOR] - count;
    disable();
    is_u64(count, 0, "a masked pin interrupts nobody");

    ioapic_route(UART_PIN, VECTOR, self);
    outb(MCR, 0);
    count = trap_count[VECTOR];
    enable();
    count = trap_count[VECTOR] - count;
    disable();
    cli();
    is_u64(count, 0, "without OUT2 the interrupt does not leave the UART");
}
