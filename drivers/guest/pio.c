/* SPDX-License-Identifier: BSD-2-Clause */
/* The I/O port space: finds the device and splits what no device takes whole. */
#include "drivers/guest/pio.h"
#include "drivers/guest/device.h"

static uint32_t size_mask(unsigned size)
{
    return size >= 4 ? UINT32_MAX : (1u << (size * 8)) - 1;
}

static const struct pio_device *at(const struct pio_bus *bus, uint32_t port)
{
    for (unsigned i = 0; i < bus->count; i++) {
        const struct pio_device *device = &bus->devices[i];
        if (port - device->base < device->count)
            return device;
    }
    return NULL;
}

static bool takes_whole(const struct pio_device *device, uint32_t port, unsigned size)
{
    return size <= device->width && port - device->base + size <= device->count;
}

static uint32_t read_part(struct pio_bus *bus, const struct pio_device *device, uint32_t port,
                          unsigned size)
{
    if (!device)
        return size_mask(size);
    bus->moved |= device->advance != NULL;
    return device->read(device->dev, (uint16_t)(port - device->base), size) & size_mask(size);
}

static void write_part(struct pio_bus *bus, const struct pio_device *device, uint32_t port,
                       unsigned size, uint32_t value)
{
    if (!device)
        return;
    bus->moved |= device->advance != NULL;
    device->write(device->dev, (uint16_t)(port - device->base), size, value & size_mask(size));
}

void pio_bus_init(struct pio_bus *bus)
{
    bus->count = 0;
    bus->moved = false;
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

uint32_t pio_bus_read(struct pio_bus *bus, uint16_t port, unsigned size)
{
    const struct pio_device *device = at(bus, port);
    if (device && takes_whole(device, port, size))
        return read_part(bus, device, port, size);
    uint32_t value = read_part(bus, device, port, 1);
    for (unsigned i = 1; i < size && i < sizeof(value); i++)
        value |= read_part(bus, at(bus, port + i), port + i, 1) << (i * 8);
    return value;
}

void pio_bus_write(struct pio_bus *bus, uint16_t port, unsigned size, uint32_t value)
{
    const struct pio_device *device = at(bus, port);
    if (device && takes_whole(device, port, size)) {
        write_part(bus, device, port, size, value);
        return;
    }
    write_part(bus, device, port, 1, value);
    for (unsigned i = 1; i < size; i++)
        write_part(bus, at(bus, port + i), port + i, 1, value >> (i * 8));
}

uint64_t pio_bus_advance(struct pio_bus *bus, uint64_t now_ns)
{
    uint64_t earliest = DEVICE_NEVER;

    bus->moved = false;
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
