/* SPDX-License-Identifier: BSD-2-Clause */
/* Polled transmitter and interrupt-driven receiver, as in National's PC16550D data sheet. */
#include "drivers/host/uart.h"

#include "core/x86.h"

enum {
    PORT = 0x3f8,
    DATA = PORT + 0,
    DIVISOR_LOW = PORT + 0,
    IER = PORT + 1,
    DIVISOR_HIGH = PORT + 1,
    FCR = PORT + 2,
    LCR = PORT + 3,
    MCR = PORT + 4,
    LSR = PORT + 5,
    SCR = PORT + 7,
};

enum {
    IER_RECEIVE = 0x01,
    FCR_ENABLE_AND_CLEAR = 0x07, /* receive interrupt at one byte */
    LCR_8N1 = 0x03,
    LCR_DIVISOR = 0x80,
    MCR_DTR_RTS_OUT2 = 0x0b, /* OUT2 gates the interrupt line on a PC */
    LSR_DATA_READY = 0x01,
    LSR_TRANSMIT_EMPTY = 0x20,
    DIVISOR_115200 = 1,
    SEND_SPINS_MAX = 200000, /* a port read takes about 1 us; a byte takes 87 us */
};

static bool stalled;

static bool is_present(void)
{
    out8(SCR, 0x5a);
    if (in8(SCR) != 0x5a)
        return false;
    out8(SCR, 0xa5);
    return in8(SCR) == 0xa5;
}

bool host_uart_init(void)
{
    if (!is_present())
        return false;
    out8(IER, 0);
    out8(LCR, LCR_DIVISOR | LCR_8N1);
    out8(DIVISOR_LOW, DIVISOR_115200);
    out8(DIVISOR_HIGH, 0);
    out8(LCR, LCR_8N1);
    out8(FCR, FCR_ENABLE_AND_CLEAR);
    out8(MCR, MCR_DTR_RTS_OUT2);
    return true;
}

static bool has_room(void)
{
    return in8(LSR) & LSR_TRANSMIT_EMPTY;
}

void host_uart_send(char byte)
{
    int spins = stalled ? SEND_SPINS_MAX : 0;
    while (!has_room()) {
        if (spins++ >= SEND_SPINS_MAX) {
            stalled = true;
            return;
        }
        pause();
    }
    stalled = false;
    out8(DATA, (uint8_t)byte);
}

int host_uart_receive(void)
{
    return in8(LSR) & LSR_DATA_READY ? in8(DATA) : -1;
}

void host_uart_enable_interrupt(bool enable)
{
    out8(IER, enable ? IER_RECEIVE : 0);
}
