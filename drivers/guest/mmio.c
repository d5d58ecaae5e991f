/* SPDX-License-Identifier: BSD-2-Clause */
/* Guest-physical device ranges: finds the device that covers an access. */
#include "drivers/guest/mmio.h"

#include <stddef.h>

static uint64_t size_mask(unsigned size)
{
    return size >= 8 ? UINT64_MAX : (1ull << (size * 8)) - 1;
}

/* Written so that neither a range that ends at the top of the space nor an access there wraps. */
static bool covers(const struct mmio_device *device, uint64_t gpa, unsigned size)
{
    return gpa >= device->base && size <= device->size && gpa - device->base <= device->size - size;
}

static const struct mmio_device *find(const struct mmio_bus *bus, uint64_t gpa, unsigned size)
{
    for (unsigned i = 0; i < bus->count; i++) {
        if (covers(&bus->devices[i], gpa, size))
            return &bus->devices[i];
    }
    return NULL;
}

void mmio_bus_init(struct mmio_bus *bus)
{
    bus->count = 0;
}

bool mmio_bus_add(struct mmio_bus *bus, const struct mmio_device *device)
{
    uint64_t last = device->base + device->size - 1;

    if (bus->count == MMIO_BUS_DEVICES || device->size == 0 || last < device->base)
        return false;
    for (unsigned i = 0; i < bus->count; i++) {
        const struct mmio_device *other = &bus->devices[i];
        if (device->base <= other->base + (other->size - 1) && other->base <= last)
            return false;
    }
    bus->devices[bus->count++] = *device;
    return true;
}

bool mmio_bus_read(const struct mmio_bus *bus, void *cpu, uint64_t gpa, unsigned size,
                   uint64_t *value)
{
    const struct mmio_device *device = find(bus, gpa, size);
    if (!device) {
        *value = size_mask(size);
        return false;
    }
    *value = device->read(device->dev, cpu, gpa - device->base, size) & size_mask(size);
    return true;
}

bool mmio_bus_write(const struct mmio_bus *bus, void *cpu, uint64_t gpa, unsigned size,
                    uint64_t value)
{
    const struct mmio_device *device = find(bus, gpa, size);
    if (!device)
        return false;
    device->write(device->dev, cpu, gpa - device->base, size, value & size_mask(size));
    return true;
}
