/* SPDX-License-Identifier: BSD-2-Clause */
/* The keyboard controller's and system control port A's ways to reset a PC. */
#pragma once

#include "drivers/guest/device.h"
#include "drivers/guest/pio.h"

enum {
    RESET_KBC_PORT = 0x64,
    RESET_PORT_A = 0x92,
};

/* All fields are private to reset.c. */
struct reset {
    const struct device_host *host;
    uint8_t port_a;
};

/*
 * Adds port 0x64 and, with port_92, port 0x92 to the bus. False if the bus refuses.
 *
 * Port 0x64: commands 0xf0 to 0xff pulse the controller's output port, and those with bit 0 clear
 * pulse the reset line; other commands are swallowed. It reads as an idle controller and never as
 * all-ones, because code that resets a PC waits, often without end, for "input buffer full" to
 * clear. There is no keyboard: port 0x60 is absent and the FADT must not announce a controller.
 *
 * Port 0x92: bit 0 resets when it goes from 0 to 1; bit 1 (A20) is remembered and has no effect.
 */
bool reset_init(struct reset *reset, const struct device_host *host, struct pio_bus *bus,
                bool port_92);
