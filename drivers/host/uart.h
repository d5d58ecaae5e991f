/* SPDX-License-Identifier: BSD-2-Clause */
/* The host's first two 16550s, 115200 8N1. Callers serialize each direction of each themselves. */
#pragma once

#include "core/types.h"

enum host_uart { HOST_COM1, HOST_COM2 }; /* at ports 3f8h and 2f8h */

enum { HOST_COM1_IRQ = 4, HOST_COM2_IRQ = 3, HOST_UART_FIFO = 16 };

/* Disturbs nothing that is being sent. */
bool host_uart_is_present(enum host_uart uart);

/* Sets the UART up; false when there is none, and then those below must not be called with it. */
bool host_uart_init(enum host_uart uart);

/*
 * Waits for room in the transmitter, but not for ever: once a wait has run out, bytes are dropped
 * until there is room.
 */
void host_uart_send(enum host_uart uart, char byte);

/* Without waiting: takes up to HOST_UART_FIFO of the `n` bytes once all before them are sent, else
 * none. How many it took. */
size_t host_uart_offer(enum host_uart uart, const uint8_t *bytes, size_t n);

/* Whether all bytes are out on the line. */
bool host_uart_is_idle(enum host_uart uart);

/* The next byte received, or -1. */
int host_uart_receive(enum host_uart uart);

/* Interrupt on received bytes. */
void host_uart_enable_interrupt(enum host_uart uart, bool enable);
