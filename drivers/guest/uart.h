/* SPDX-License-Identifier: BSD-2-Clause */
/* A 16550A UART as wired on a PC. Source: National Semiconductor PC16550D data sheet. */
#pragma once

#include "drivers/guest/device.h"
#include "drivers/guest/pio.h"

enum {
    UART_FIFO_SIZE = 16,
};

/* All fields are private to uart.c. */
struct uart {
    const struct device_host *host;
    unsigned irq;

    uint8_t ier, lcr, mcr, scratch;
    uint8_t fcr; /* the bits that stay: FIFO enable, DMA mode, trigger level */
    uint16_t divisor;
    bool overrun;
    bool thre_pending; /* transmitter-empty interrupt not yet acknowledged */
    bool line;         /* level last given to set_irq */
    uint8_t modem_delta;

    uint8_t fifo[UART_FIFO_SIZE];
    unsigned head, count;
    uint64_t timeout_at; /* guest time of the character-timeout interrupt, or DEVICE_NEVER */
    bool timeout_pending;
};

/*
 * Resets the UART and adds it to the bus at eight ports from base. False if the bus refuses.
 *
 * Transmission takes no time. The other end is a terminal that is always there: CTS, DSR and DCD
 * are asserted. As on a PC, OUT2 connects the interrupt output to the line, and loopback
 * disconnects it.
 */
bool uart_init(struct uart *uart, const struct device_host *host, struct pio_bus *bus,
               uint16_t base, unsigned irq);

/*
 * Bytes uart_receive takes now. 0 while the receiver is full or in loopback: the caller keeps its
 * bytes and asks again after the guest's next access. Caller holds the device lock.
 */
unsigned uart_room(const struct uart *uart);

/* A byte arrives from outside. False, and nothing changes, if there is no room for it. */
bool uart_receive(struct uart *uart, uint8_t byte);
