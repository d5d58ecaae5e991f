/* SPDX-License-Identifier: BSD-2-Clause */
/* The test device. */
#include "drivers/guest/testdev.h"

static uint32_t loopback_read(void *dev, uint16_t offset, unsigned)
{
    const struct testdev *testdev = dev;

    return testdev->loopback >> (offset * 8);
}

static void loopback_write(void *dev, uint16_t offset, unsigned size, uint32_t value)
{
    struct testdev *testdev = dev;
    uint32_t mask = UINT32_MAX >> (32 - size * 8) << (offset * 8);

    testdev->loopback = (testdev->loopback & ~mask) | value << (offset * 8);
}

static uint32_t read_absent(void *, uint16_t, unsigned)
{
    return UINT32_MAX;
}

static void flush_write(void *, uint16_t, unsigned, uint32_t)
{
}

static void serial_write(void *dev, uint16_t, unsigned, uint32_t value)
{
    const struct testdev *testdev = dev;
    uint8_t byte = (uint8_t)value;

    testdev->host->console_write(testdev->host->ctx, &byte, 1);
}

static void line_write(void *dev, uint16_t offset, unsigned, uint32_t value)
{
    const struct testdev *testdev = dev;

    testdev->host->set_irq(testdev->host->ctx, offset, value != 0);
}

bool testdev_init(struct testdev *testdev, const struct device_host *host, struct pio_bus *bus)
{
    const struct pio_device ports[] = {
        {TESTDEV_LOOPBACK, 4, 4, testdev, loopback_read, loopback_write, NULL},
        {TESTDEV_FLUSH, 4, 4, testdev, read_absent, flush_write, NULL},
        {TESTDEV_BYTES, 4, 1, testdev, loopback_read, loopback_write, NULL},
        {TESTDEV_SERIAL, 1, 1, testdev, read_absent, serial_write, NULL},
        {TESTDEV_LINES, TESTDEV_LINE_COUNT, 1, testdev, read_absent, line_write, NULL},
    };
    bool ok = true;

    *testdev = (struct testdev){.host = host};
    for (size_t i = 0; i < sizeof(ports) / sizeof(ports[0]); i++)
        ok = ok && pio_bus_add(bus, &ports[i]);
    return ok;
}
