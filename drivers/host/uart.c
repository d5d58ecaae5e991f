/* SPDX-License-Identifier: BSD-2-Clause */
/* Polled transmitter and interrupt-driven receiver, as in National's PC16550D data sheet. */
#include "drivers/host/uart.h"

#include "core/bits.h"
#include "core/x86.h"

/* Offsets from the first port. */
enum {
    DATA = 0,
    DIVISOR_LOW = 0,
    IER = 1,
    DIVISOR_HIGH = 1,
    FCR = 2,
    LCR = 3,
    MCR = 4,
    LSR = 5,
    SCR = 7,
};

enum {
    IER_RECEIVE = 0x01,
    FCR_ENABLE_AND_CLEAR = 0x07, /* receive interrupt at one byte */
    LCR_8N1 = 0x03,
    LCR_DIVISOR = 0x80,
    MCR_DTR_RTS_OUT2 = 0x0b, /* OUT2 gates the interrupt line on a PC */
    LSR_DATA_READY = 0x01,
    LSR_TRANSMIT_EMPTY = 0x20,
    LSR_IDLE = 0x40,
    DIVISOR_115200 = 1,
    SEND_SPINS_MAX = 200000, /* a port read takes about 1 us; a byte takes 87 us */
};

static const uint16_t first_port[] = {[HOST_COM1] = 0x3f8, [HOST_COM2] = 0x2f8};

static bool stalled[ARRAY_SIZE(first_port)];

static uint8_t get(enum host_uart uart, unsigned reg)
{
    return in8((uint16_t)(first_port[uart] + reg));
}

static void put(enum host_uart uart, unsigned reg, uint8_t value)
{
    out8((uint16_t)(first_port[uart] + reg), value);
}

bool host_uart_is_present(enum host_uart uart)
{
    put(uart, SCR, 0x5a);
    if (get(uart, SCR) != 0x5a)
        return false;
    put(uart, SCR, 0xa5);
    return get(uart, SCR) == 0xa5;
}

bool host_uart_init(enum host_uart uart)
{
    if (!host_uart_is_present(uart))
        return false;
    put(uart, IER, 0);
    put(uart, LCR, LCR_DIVISOR | LCR_8N1);
    put(uart, DIVISOR_LOW, DIVISOR_115200);
    put(uart, DIVISOR_HIGH, 0);
    put(uart, LCR, LCR_8N1);
    put(uart, FCR, FCR_ENABLE_AND_CLEAR);
    put(uart, MCR, MCR_DTR_RTS_OUT2);
    return true;
}

static bool has_room(enum host_uart uart)
{
    return get(uart, LSR) & LSR_TRANSMIT_EMPTY;
}

void host_uart_send(enum host_uart uart, char byte)
{
    int spins = stalled[uart] ? SEND_SPINS_MAX : 0;
    while (!has_room(uart)) {
        if (spins++ >= SEND_SPINS_MAX) {
            stalled[uart] = true;
            return;
        }
        pause();
    }
    stalled[uart] = false;
    put(uart, DATA, (uint8_t)byte);
}

size_t host_uart_offer(enum host_uart uart, const uint8_t *bytes, size_t n)
{
    if (!has_room(uart))
        return 0;
    n = min(n, (size_t)HOST_UART_FIFO);
    for (size_t i = 0; i < n; i++)
        put(uart, DATA, bytes[i]);
    return n;
}

bool host_uart_is_idle(enum host_uart uart)
{
    return get(uart, LSR) & LSR_IDLE;
}

int host_uart_receive(enum host_uart uart)
{
    return get(uart, LSR) & LSR_DATA_READY ? get(uart, DATA) : -1;
}

void host_uart_enable_interrupt(enum host_uart uart, bool enable)
{
    put(uart, IER, enable ? IER_RECEIVE : 0);
}
