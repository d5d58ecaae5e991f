/* SPDX-License-Identifier: BSD-2-Clause */
/* The UART's registers, and both directions through its loopback. Results are collected while the
   console is cut off. Source: National Semiconductor PC16550D data sheet. */
#include "tests/guest/guest.h"

enum {
    COM1 = 0x3f8,
    DATA = COM1,
    IER = COM1 + 1,
    IIR = COM1 + 2,
    FCR = COM1 + 2,
    LCR = COM1 + 3,
    MCR = COM1 + 4,
    LSR = COM1 + 5,
    MSR = COM1 + 6,
    SCRATCH = COM1 + 7,
    IER_RECEIVED = 1 << 0,
    IIR_NONE = 1,
    IIR_RECEIVED = 4,
    IIR_FIFOS = 3 << 6,
    FCR_ENABLE = 1,
    FCR_CLEAR = 6,
    FCR_TRIGGER_14 = 3 << 6,
    LCR_8N1 = 3,
    LCR_DLAB = 1 << 7,
    MCR_DTR = 1,
    MCR_RTS = 2,
    MCR_OUT1 = 4,
    MCR_OUT2 = 8,
    MCR_LOOP = 1 << 4,
    LSR_DATA = 1,
    LSR_OVERRUN = 2,
    LSR_IDLE = 0x60,
    MSR_CTS = 1 << 4,
    MSR_DSR = 1 << 5,
    MSR_RI = 1 << 6,
    MSR_DCD = 1 << 7,
    FIFO_SIZE = 16,
};

/* Wait until all bytes sent have arrived on the other side of the loop. Reading the status clears
   error bits, so all that was read is returned. */
static uint8_t let_drain(void)
{
    uint8_t status, seen = 0;
    do {
        status = inb(LSR);
        seen |= status;
    } while ((status & LSR_IDLE) != LSR_IDLE);
    return seen;
}

static void send(uint8_t byte)
{
    let_drain();
    outb(DATA, byte);
}

static void registers(void)
{
    is_u64(inb(LSR) & (LSR_DATA | LSR_OVERRUN), 0, "nothing is received at the start");
    outb(SCRATCH, 0x5a);
    is_u64(inb(SCRATCH), 0x5a, "the scratch register keeps a byte");
    let_drain();
    uint8_t lcr = inb(LCR);
    outb(LCR, LCR_DLAB | LCR_8N1);
    uint8_t low = inb(COM1), high = inb(COM1 + 1);
    outb(COM1, 0x34);
    outb(COM1 + 1, 0x12);
    uint8_t seen_low = inb(COM1), seen_high = inb(COM1 + 1);
    outb(COM1, low);
    outb(COM1 + 1, high);
    outb(LCR, lcr);
    is_u64(seen_high << 8 | seen_low, 0x1234, "the divisor latch keeps a divisor");
    outb(IER, 0);
    is_u64(inb(IIR) & 0xf, IIR_NONE, "no interrupt is pending");
    outb(FCR, FCR_ENABLE | FCR_CLEAR);
    is_u64(inb(IIR) & IIR_FIFOS, IIR_FIFOS, "it has FIFOs");
    outb(FCR, 0);
    is_u64(inb(IIR) & IIR_FIFOS, 0, "which can be switched off");
}

static void one_byte(void)
{
    outb(MCR, MCR_LOOP);
    let_drain();
    uint8_t before = inb(LSR);
    send(0xc3);
    let_drain();
    uint8_t arrived = inb(LSR), byte = inb(DATA), after = inb(LSR);
    outb(MCR, 0);
    is_u64(before & LSR_DATA, 0, "loopback: nothing is there before");
    is_u64(arrived & LSR_DATA, LSR_DATA, "loopback: a byte arrives");
    is_u64(byte, 0xc3, "loopback: it is the one that was sent");
    is_u64(after & LSR_DATA, 0, "loopback: reading takes it");
}

static void modem_lines(void)
{
    static const struct {
        uint8_t control, status;
        const char *name;
    } lines[] = {
        {MCR_DTR, MSR_DSR, "DTR is DSR"},
        {MCR_RTS, MSR_CTS, "RTS is CTS"},
        {MCR_OUT1, MSR_RI, "OUT1 is RI"},
        {MCR_OUT2, MSR_DCD, "OUT2 is DCD"},
    };
    for (unsigned i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
        outb(MCR, MCR_LOOP | lines[i].control);
        uint8_t status = inb(MSR);
        outb(MCR, 0);
        is_u64(status & 0xf0, lines[i].status, "loopback: %s", lines[i].name);
    }
}

static void fifo(void)
{
    uint8_t seen[FIFO_SIZE + 1];
    outb(MCR, MCR_LOOP);
    outb(FCR, FCR_ENABLE | FCR_CLEAR | FCR_TRIGGER_14);
    outb(IER, IER_RECEIVED);
    for (unsigned i = 0; i < 14; i++)
        send((uint8_t)(0x40 + i));
    let_drain();
    uint8_t cause = inb(IIR);
    for (unsigned i = 14; i < FIFO_SIZE; i++)
        send((uint8_t)(0x40 + i));
    uint8_t full = let_drain();
    send(0x99);
    uint8_t overrun = let_drain(), again = inb(LSR);
    for (unsigned i = 0; i < FIFO_SIZE; i++)
        seen[i] = inb(DATA);
    uint8_t empty = inb(LSR);
    send(1);
    let_drain();
    outb(FCR, FCR_ENABLE | FCR_CLEAR);
    uint8_t cleared = inb(LSR);
    outb(IER, 0);
    outb(MCR, 0);
    is_u64(cause & 0xf, IIR_RECEIVED, "FIFO: at the trigger level the cause is received data");
    is_u64(full & (LSR_DATA | LSR_OVERRUN), LSR_DATA, "FIFO: 16 bytes fit");
    is_u64(overrun & LSR_OVERRUN, LSR_OVERRUN, "FIFO: the 17th is an overrun");
    is_u64(again & LSR_OVERRUN, 0, "FIFO: which is reported once");
    for (unsigned i = 0; i < FIFO_SIZE; i++)
        is_u64(seen[i], 0x40 + i, "FIFO: byte %u", i);
    is_u64(empty & LSR_DATA, 0, "FIFO: then it is empty");
    is_u64(cleared & LSR_DATA, 0, "FIFO: clearing drops what is in it");
}

void test_main(void)
{
    registers();
    one_byte();
    modem_lines();
    fifo();
    outb(FCR, FCR_ENABLE | FCR_CLEAR);
    ok(true, "the console works again");
}
