/* SPDX-License-Identifier: BSD-2-Clause */
/* Reset through the keyboard controller's command port and through system control port A. */
#include "drivers/guest/reset.h"

enum {
    KBC_STATUS_SYSTEM = 1 << 2,     /* the controller has passed its self-test */
    KBC_STATUS_NOT_LOCKED = 1 << 4, /* the keyboard is not inhibited */

    KBC_PULSE = 0xf0, /* commands 0xf0..0xff: pulse the outputs whose bit is 0 */
    KBC_PULSE_NOT_RESET = 1 << 0,

    PORT_A_FAST_RESET = 1 << 0,
    PORT_A_A20 = 1 << 1,
};

static uint32_t kbc_read(void *, uint16_t, unsigned)
{
    return KBC_STATUS_SYSTEM | KBC_STATUS_NOT_LOCKED;
}

static void kbc_write(void *dev, uint16_t, unsigned, uint32_t value)
{
    struct reset *reset = dev;

    if (value >= KBC_PULSE && !(value & KBC_PULSE_NOT_RESET))
        reset->host->stop(reset->host->ctx, DEVICE_STOP_RESET, 0);
}

static uint32_t port_a_read(void *dev, uint16_t, unsigned)
{
    const struct reset *reset = dev;

    return reset->port_a;
}

static void port_a_write(void *dev, uint16_t, unsigned, uint32_t value)
{
    struct reset *reset = dev;
    uint8_t rising = (uint8_t)(value & ~(uint32_t)reset->port_a);

    reset->port_a = value & (PORT_A_FAST_RESET | PORT_A_A20);
    if (rising & PORT_A_FAST_RESET)
        reset->host->stop(reset->host->ctx, DEVICE_STOP_RESET, 0);
}

bool reset_init(struct reset *reset, const struct device_host *host, struct pio_bus *bus,
                bool port_92)
{
    const struct pio_device kbc = {RESET_KBC_PORT, 1, 1, reset, kbc_read, kbc_write, NULL};
    const struct pio_device port_a = {RESET_PORT_A, 1, 1, reset, port_a_read, port_a_write, NULL};

    reset->host = host;
    reset->port_a = PORT_A_A20;
    return pio_bus_add(bus, &kbc) && (!port_92 || pio_bus_add(bus, &port_a));
}
