/* SPDX-License-Identifier: BSD-2-Clause */
/* The test device: what QEMU's pc-testdev, and testdev's serial port, offer to test kernels. */
#pragma once

#include "drivers/guest/device.h"
#include "drivers/guest/pio.h"

enum {
    TESTDEV_LOOPBACK = 0xe0, /* 4 ports */
    TESTDEV_FLUSH = 0xe4,    /* 4 ports */
    TESTDEV_BYTES = 0xe8,    /* 4 ports */
    TESTDEV_SERIAL = 0xf1,
    TESTDEV_LINES = 0x2000, /* a port for each interrupt line */
    TESTDEV_LINE_COUNT = 24,

    TESTDEV_MEMORY_SIZE = 0x10000,
};

#define TESTDEV_MEMORY 0xff000000ULL

/* All fields are private to testdev.c. */
struct testdev {
    const struct device_host *host;
    uint32_t loopback;
};

/*
 * Adds the ports above to the bus; false if the bus refuses. host must outlive the bus.
 *
 * TESTDEV_LOOPBACK, 1, 2 or 4 bytes: reads give what was written; TESTDEV_BYTES shows the same
 * register, byte by byte. TESTDEV_FLUSH takes the address of a page whose mapping a hypervisor
 * should forget; this one has nothing to forget. A byte written to TESTDEV_SERIAL goes to the
 * console, one written to TESTDEV_LINES + n lowers line n if it is 0 and else raises it. All but
 * the register read as absent ports do. The memory at TESTDEV_MEMORY, which keeps what is written
 * like any other, is for the VM to provide.
 */
bool testdev_init(struct testdev *testdev, const struct device_host *host, struct pio_bus *bus);
