/* SPDX-License-Identifier: BSD-2-Clause */
/* The I/O port space of a VM: which device answers which ports. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum {
    PIO_BUS_DEVICES = 24,
    PIO_PORTS = 0x10000,
};

struct pio_device {
    uint16_t base;
    uint16_t count; /* ports; base + count <= PIO_PORTS */
    uint8_t width;  /* widest access in bytes that read and write take: 1, 2 or 4 */
    void *dev;

    /* offset is relative to base; size is 1, 2 or 4, at most width, and inside the range. The
     * value of a read is cut to size by the bus; unused bits of a written value are zero. */
    uint32_t (*read)(void *dev, uint16_t offset, unsigned size);
    void (*write)(void *dev, uint16_t offset, unsigned size, uint32_t value);

    /* Does what is due at guest time now_ns and returns the time at which the next thing is due,
     * DEVICE_NEVER if nothing is. Null for a device without timers. */
    uint64_t (*advance)(void *dev, uint64_t now_ns);
};

struct pio_bus {
    unsigned count;
    bool moved; /* a device with timers was accessed since pio_bus_advance() */
    struct pio_device devices[PIO_BUS_DEVICES];
};

/* Empties the bus. */
void pio_bus_init(struct pio_bus *bus);

/*
 * Adds a copy of *device. False if the bus is full, the range is empty or leaves the port space,
 * or a port of it is taken. Before the VM runs.
 */
bool pio_bus_add(struct pio_bus *bus, const struct pio_device *device);

/*
 * One guest access; size is 1, 2 or 4. Caller holds the VM's device lock.
 *
 * An access that one device covers and takes at that width goes to it whole. Any other is split
 * into bytes in ascending order, as a bridge to an 8-bit bus does. Ports nobody claims read as
 * all-ones and swallow writes; bytes beyond port 0xffff are ports nobody claims.
 */
uint32_t pio_bus_read(struct pio_bus *bus, uint16_t port, unsigned size);
void pio_bus_write(struct pio_bus *bus, uint16_t port, unsigned size, uint32_t value);

/*
 * Runs the timers of all devices up to guest time now_ns and returns the earliest time at which it
 * must be called again, DEVICE_NEVER if there is none. An access to a device with timers, and any
 * input given to a device, can bring that time forward: call it when `moved` is set, and after
 * those. Caller holds the device lock.
 */
uint64_t pio_bus_advance(struct pio_bus *bus, uint64_t now_ns);
