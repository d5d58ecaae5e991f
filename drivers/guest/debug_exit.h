/* SPDX-License-Identifier: BSD-2-Clause */
/* isa-debug-exit: a port through which a guest ends its VM with a status. */
#pragma once

#include "drivers/guest/device.h"
#include "drivers/guest/pio.h"

enum {
    DEBUG_EXIT_LENGTH = 4,
};

/*
 * Adds four ports from base to the bus; false if the bus refuses. Writing v (1, 2 or 4 bytes)
 * anywhere in them stops the VM with code (v << 1) | 1; reads give 0. host must outlive the bus.
 */
bool debug_exit_init(const struct device_host *host, struct pio_bus *bus, uint16_t base);
