/* SPDX-License-Identifier: BSD-2-Clause */
// apic: yes
/* The I/O APIC: registers, edge and level, destinations. The UART's transmitter interrupt drives
   pin 4. Source: Intel 82093AA data sheet; EOI register: ICH data sheets. */
#include "tests/guest/guest.h"

enum {
    COM1 = 0x3f8,
    IER = COM1 + 1,
    IIR = COM1 + 2,
    MCR = COM1 + 4,
    LSR = COM1 + 5,
    IER_TRANSMITTER = 1 << 1,
    MCR_OUT2 = 1 << 3,
    LSR_IDLE = 0x60,
    UART_PIN = 4,
    VECTOR = 0x64,
    ENTRY = IOAPIC_ENTRY + 2 * UART_PIN,
    LOWEST = 1 << 8,
    NMI_MODE = 4 << 8,
    LOGICAL = 1 << 11,
    REMOTE_IRR = 1 << 14,
};

static volatile unsigned acknowledge_at;
static volatile uint32_t entry_within, level_within;
static volatile unsigned nmis;

static void on_interrupt(struct trap_frame *frame)
{
    count_trap(frame);
    entry_within = ioapic_read(ENTRY);
    level_within = lapic_bit(LAPIC_TMR, VECTOR);
    if (trap_count[VECTOR] >= acknowledge_at)
        inb(IIR);
    lapic_eoi();
}

static void on_nmi(struct trap_frame *frame)
{
    (void)frame;
    nmis++;
}

/* Raise the pin, let interrupts in for a while, lower the pin. */
static unsigned pulse(unsigned acknowledge)
{
    trap_count[VECTOR] = 0;
    acknowledge_at = acknowledge;
    while ((inb(LSR) & LSR_IDLE) != LSR_IDLE)
        pause();
    outb(IER, IER_TRANSMITTER);
    sti();
    delay_us(300);
    cli();
    outb(IER, 0);
    inb(IIR);
    return trap_count[VECTOR];
}

static void registers(void)
{
    is_u64(ioapic_read(IOAPIC_VERSION) & 0xff, 0x20, "version 0x20");
    unsigned pins = (ioapic_read(IOAPIC_VERSION) >> 16 & 0xff) + 1;
    is_u64(pins, 24, "24 pins");
    for (unsigned pin = 0; pin < pins; pin++)
        is_u64(ioapic_read(IOAPIC_ENTRY + 2 * pin) & IOAPIC_MASKED, IOAPIC_MASKED,
               "pin %u is masked at reset", pin);
    ioapic_write(IOAPIC_ENTRY + 2 * 20, IOAPIC_MASKED | 0xa9af);
    is_u64(ioapic_read(IOAPIC_ENTRY + 2 * 20), IOAPIC_MASKED | 0xa9af, "an entry keeps its bits");
    ioapic_write(IOAPIC_ENTRY + 2 * 20 + 1, 0x5aa5ffff);
    is_u64(ioapic_read(IOAPIC_ENTRY + 2 * 20 + 1), 0x5aa40000, "and its 15-bit destination");
    ioapic_write(IOAPIC_VERSION, 0);
    is_u64(ioapic_read(IOAPIC_VERSION) & 0xff, 0x20, "the version cannot be written");
    ioapic_write(IOAPIC_ENTRY + 2 * 20, IOAPIC_MASKED | REMOTE_IRR | 1 << 12);
    is_u64(ioapic_read(IOAPIC_ENTRY + 2 * 20) & (REMOTE_IRR | 1 << 12), 0,
           "status bits cannot be written");
}

static void edge(uint32_t self)
{
    ioapic_route(UART_PIN, VECTOR, self);
    is_u64(pulse(2), 1, "edge: one interrupt per rise, though the pin stays high");
    is_u64(level_within, 0, "edge: the TMR says so");
    is_u64(entry_within & REMOTE_IRR, 0, "edge: no remote IRR");
    is_u64(pulse(1), 1, "edge: the next rise interrupts again");
}

static void level(uint32_t self)
{
    ioapic_route(UART_PIN, VECTOR | IOAPIC_LEVEL, self);
    is_u64(pulse(3), 3, "level: an interrupt after every EOI while the pin is high");
    is_u64(level_within, 1, "level: the TMR says so");
    is_u64(entry_within & REMOTE_IRR, REMOTE_IRR, "level: remote IRR while in service");
    is_u64(ioapic_read(ENTRY) & REMOTE_IRR, 0, "level: and not after the EOI");
    is_u64(pulse(1), 1, "level: the next rise interrupts again");
}

/* A pin that rose while it was masked. */
static void masked(uint32_t self)
{
    ioapic_route(UART_PIN, VECTOR | IOAPIC_MASKED, self);
    is_u64(pulse(1), 0, "masked: nothing");
    ioapic_route(UART_PIN, VECTOR | IOAPIC_LEVEL | IOAPIC_MASKED, self);
    outb(IER, IER_TRANSMITTER);
    trap_count[VECTOR] = 0;
    acknowledge_at = 1;
    ioapic_write(ENTRY, VECTOR | IOAPIC_LEVEL);
    sti();
    delay_us(100);
    cli();
    outb(IER, 0);
    is_u64(trap_count[VECTOR], 1, "level: unmasking a high pin interrupts");
}

static void destinations(uint32_t self)
{
    ioapic_route(UART_PIN, VECTOR, self ^ 0x40);
    is_u64(pulse(1), 0, "physical, another ID");
    ioapic_route(UART_PIN, VECTOR, 0xff);
    is_u64(pulse(1), 1, "physical, broadcast");
    lapic_write(LAPIC_LDR, 0x02000000);
    ioapic_route(UART_PIN, VECTOR | LOGICAL, 0x03);
    is_u64(pulse(1), 1, "logical, own bit");
    ioapic_route(UART_PIN, VECTOR | LOGICAL, 0xfd);
    is_u64(pulse(1), 0, "logical, other bits");
    ioapic_route(UART_PIN, VECTOR | LOGICAL | LOWEST, 0xff);
    is_u64(pulse(1), 1, "logical, lowest priority");
    ioapic_route(UART_PIN, NMI_MODE, self);
    pulse(1);
    is_u64(nmis, 1, "delivery mode NMI");
    ioapic_route(UART_PIN, IOAPIC_MASKED, 0);
}

void test_main(void)
{
    uint32_t self = lapic_read(LAPIC_ID) >> 24;
    set_handler(VECTOR, on_interrupt);
    set_handler(NMI, on_nmi);
    lapic_enable();
    outb(IER, 0);
    outb(MCR, MCR_OUT2);
    registers();
    edge(self);
    level(self);
    masked(self);
    destinations(self);
}
