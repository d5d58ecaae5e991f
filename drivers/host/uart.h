/* SPDX-License-Identifier: BSD-2-Clause */
/* The host's 16550 at port 0x3f8, 115200 8N1. Callers serialize each direction themselves. */
#ifndef LAPWING_DRIVERS_HOST_UART_H
#define LAPWING_DRIVERS_HOST_UART_H

#include "core/types.h"

enum { HOST_UART_IRQ = 4 };

/* Sets the UART up; false when there is none, and then the others must not be called. */
bool host_uart_init(void);

/*
 * Waits for room in the transmitter, but not for ever: once a wait has run out, bytes are dropped
 * until there is room.
 */
void host_uart_send(char byte);

/* The next byte received, or -1. */
int host_uart_receive(void);

/* Interrupt on received bytes. */
void host_uart_enable_interrupt(bool enable);

#endif
