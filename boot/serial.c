/* SPDX-License-Identifier: BSD-2-Clause */
/* The first serial port (a 16550 at I/O port 0x3f8), by polling. */
#include "boot/serial.h"

#include <stdint.h>

#include "core/x86.h"

enum {
    UART_BASE = 0x3f8,
    UART_THR = 0, /* transmit holding; divisor latch, low byte, while DLAB is set */
    UART_IER = 1, /* interrupt enable; divisor latch, high byte, while DLAB is set */
    UART_FCR = 2,
    UART_LCR = 3,
    UART_MCR = 4,
    UART_LSR = 5,
    UART_SCR = 7,

    FCR_ENABLE_AND_CLEAR = 0x07,
    LCR_8N1 = 0x03,
    LCR_DLAB = 0x80,
    MCR_DTR_RTS = 0x03,
    LSR_THR_EMPTY = 0x20,

    DIVISOR_115200 = 1,
    POLL_MAX = 1000000, /* a port that never becomes ready must not hang the start */
};

static void uart_out(uint16_t reg, uint8_t value)
{
    out8((uint16_t)(UART_BASE + reg), value);
}

static uint8_t uart_in(uint16_t reg)
{
    return in8((uint16_t)(UART_BASE + reg));
}

static bool scratch_keeps(uint8_t value)
{
    uart_out(UART_SCR, value);
    return uart_in(UART_SCR) == value;
}

bool serial_start(void)
{
    if (!scratch_keeps(0x5a) || !scratch_keeps(0xa5))
        return false;
    uart_out(UART_IER, 0);
    uart_out(UART_LCR, LCR_DLAB);
    uart_out(UART_THR, DIVISOR_115200);
    uart_out(UART_IER, 0);
    uart_out(UART_LCR, LCR_8N1);
    uart_out(UART_FCR, FCR_ENABLE_AND_CLEAR);
    uart_out(UART_MCR, MCR_DTR_RTS);
    return true;
}

static void send(char c)
{
    for (uint32_t i = 0; i < POLL_MAX; i++) {
        if (uart_in(UART_LSR) & LSR_THR_EMPTY)
            break;
    }
    uart_out(UART_THR, (uint8_t)c);
}

void serial_write(const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '\n')
            send('\r');
        send(*text);
    }
}
