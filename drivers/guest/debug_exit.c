/* SPDX-License-Identifier: BSD-2-Clause */
/* isa-debug-exit. */
#include "drivers/guest/debug_exit.h"

static uint32_t debug_exit_read(void *, uint16_t, unsigned)
{
    return 0;
}

static void debug_exit_write(void *dev, uint16_t, unsigned, uint32_t value)
{
    const struct device_host *host = dev;

    host->stop(host->ctx, DEVICE_STOP_DEBUG_EXIT, value << 1 | 1);
}

bool debug_exit_init(const struct device_host *host, struct pio_bus *bus, uint16_t base)
{
    const struct pio_device ports = {
        base, DEBUG_EXIT_LENGTH, 4, (void *)host, debug_exit_read, debug_exit_write, NULL};
    return pio_bus_add(bus, &ports);
}
