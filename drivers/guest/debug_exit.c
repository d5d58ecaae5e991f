/* SPDX-License-Identifier: BSD-2-Clause */
/* isa-debug-exit. */
#include "drivers/guest/debug_exit.h"

static uint32_t debug_exit_read(void *dev, uint16_t offset, unsigned size)
{
    (void)dev, (void)offset, (void)size;
    return 0;
}

static void debug_exit_write(void *dev, uint16_t offset, unsigned size, uint32_t value)
{
    const struct device_host *host = dev;

    (void)offset, (void)size;
    host->stop(host->ctx, DEVICE_STOP_DEBUG_EXIT, value << 1 | 1);
}

bool debug_exit_init(const struct device_host *host, struct pio_bus *bus, uint16_t base)
{
    struct pio_device ports = {
        .base = base,
        .count = DEBUG_EXIT_LENGTH,
        .width = 4,
        .dev = (void *)host,
        .read = debug_exit_read,
        .write = debug_exit_write,
    };
    return pio_bus_add(bus, &ports);
}
