/* SPDX-License-Identifier: BSD-2-Clause */
/* The I/O port space: finds the device and splits what no device takes whole. */
#include "drivers/guest/pio.h"
#include "drivers/guest/device.h"

static uint32_t size_mask(unsigned size)
{
    return size >= 4 ? UINT32_MAX : (1u << (size * 8)) - 1;
}

static bool covers(const struct pio_device *device, uint32_t port, unsigned size)
{
    return port >= device->base && port + size <= (uint32_t)device->base + device->count;
}

static const struct pio_device *find(const struct pio_bus *bus, uint32_t port, unsigned size)
{
    for (unsigned i = 0; i < bus->count; i++) {
        const struct pio_device *device = &bus->devices[i];
        if (covers(device, port, size) && size <= device->width)
            return device;
    }
    return NULL;
}

void pio_bus_init(struct pio_bus *bus)
{
    bus->count = 0;
}

bool pio_bus_add(struct pio_bus *bus, const struct pio_device *device)
{
    uint32_t end = (uint32_t)device->base + device->count;

    if (bus->count == PIO_BUS_DEVICES || device->count == 0 || end > PIO_PORTS)
        return false;
    for (unsigned i = 0; i < bus->count; i++) {
        const struct pio_device *other = &bus->devices[i];
        if (device->base < (uint32_t)other->base + other->count && other->base < end)
            return false;
    }
    bus->devices[bus->count++] = *device;
    return true;
}

uint32_t pio_bus_read(const struct pio_bus *bus, uint16_t port, unsigned size)
{
    const struct pio_device *device = find(bus, port, size);
    if (device)
        return device->read(device->dev, port - device->base, size) & size_mask(size);

    uint32_t value = 0;
    for (unsigned i = 0; i < size; i++) {
        const struct pio_device *part = find(bus, (uint32_t)port + i, 1);
        uint32_t byte = part ? part->read(part->dev, port + i - part->base, 1) & 0xff : 0xff;
        value |= byte << (i * 8);
    }
    return value;
}

void pio_bus_write(const struct pio_bus *bus, uint16_t port, unsigned size, uint32_t value)
{
    const struct pio_device *device = find(bus, port, size);
    if (device) {
        device->write(device->dev, port - device->base, size, value & size_mask(size));
        return;
    }
    for (unsigned i = 0; i < size; i++) {
        const struct pio_device *part = find(bus, (uint32_t)port + i, 1);
        if (part)
            part->write(part->dev, port + i - part->base, 1, value >> (i * 8) & 0xff);
    }
}

uint64_t pio_bus_advance(const struct pio_bus *bus, uint64_t now_ns)
{
    uint64_t earliest = DEVICE_NEVER;

    for (unsigned i = 0; i < bus->count; i++) {
        const struct pio_device *device = &bus->devices[i];
        if (!device->advance)
            continue;
        uint64_t due = device->advance(device->dev, now_ns);
        if (due < earliest)
            earliest = due;
    }
    return earliest;
}
