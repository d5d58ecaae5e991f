/* SPDX-License-Identifier: BSD-2-Clause */
/* Guest-physical ranges of a VM that devices answer. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum {
    MMIO_BUS_DEVICES = 8,
};

struct mmio_device {
    uint64_t base;
    uint64_t size; /* bytes; base + size does not wrap */
    void *dev;

    /* cpu is what the caller gave the bus: the accessing processor, for devices of which every
     * processor sees its own. offset is relative to base; size is 1, 2, 4 or 8 and inside the
     * range. The value of a read is cut to size by the bus. */
    uint64_t (*read)(void *dev, void *cpu, uint64_t offset, unsigned size);
    void (*write)(void *dev, void *cpu, uint64_t offset, unsigned size, uint64_t value);
};

struct mmio_bus {
    unsigned count;
    struct mmio_device devices[MMIO_BUS_DEVICES];
};

/* Empties the bus. */
void mmio_bus_init(struct mmio_bus *bus);

/*
 * Adds a copy of *device. False if the bus is full, the range is empty or wraps, or a byte of it is
 * taken. Before the VM runs.
 */
bool mmio_bus_add(struct mmio_bus *bus, const struct mmio_device *device);

/*
 * One guest access that touches no more than one page; size is 1, 2, 4 or 8. Caller holds the lock
 * that guards the devices.
 *
 * True if one device covers the access and has done it. False if none does: a read gives all-ones,
 * a write is swallowed, and it is for the caller to say whether that is an error.
 */
bool mmio_bus_read(const struct mmio_bus *bus, void *cpu, uint64_t gpa, unsigned size,
                   uint64_t *value);
bool mmio_bus_write(const struct mmio_bus *bus, void *cpu, uint64_t gpa, unsigned size,
                    uint64_t value);
