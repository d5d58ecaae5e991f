/* SPDX-License-Identifier: BSD-2-Clause */
/* ACPI PM1 registers and the PM timer. */
#include "drivers/guest/acpi_pm.h"

enum {
    TMR_STS = 1 << 0,
    TMR_CARRY_BIT = 31, /* TMR_STS is set each time the highest bit of the timer changes */

    /* Enable bits that exist in PM1_EN; they read back as written, which ACPI drivers check. */
    PM1_ENABLE_BITS = 1 << 0 | 1 << 5 | 1 << 8 | 1 << 9 | 1 << 10 | 1 << 14,

    SCI_EN = 1 << 0,
    BM_RLD = 1 << 1,
    SLP_TYP_SHIFT = 10,
    SLP_TYP_MASK = 7 << SLP_TYP_SHIFT,
    SLP_EN = 1 << 13,
};

static uint64_t timer_ticks(const struct acpi_pm *pm)
{
    return device_ns_to_ticks(pm->host->now_ns(pm->host->ctx), ACPI_PM_TIMER_HZ);
}

static void update_status(struct acpi_pm *pm, uint64_t ticks)
{
    if (pm->config.timer && ticks >> TMR_CARRY_BIT != pm->timer_done >> TMR_CARRY_BIT)
        pm->status |= TMR_STS;
    pm->timer_done = ticks;
}

static void update_sci(struct acpi_pm *pm)
{
    pm->host->set_irq(pm->host->ctx, pm->config.sci, (pm->status & pm->enable) != 0);
}

/* The bus hands over both 16-bit registers of the block byte by byte. */
static uint32_t event_read(void *dev, uint16_t offset, unsigned)
{
    struct acpi_pm *pm = dev;

    update_status(pm, timer_ticks(pm));
    update_sci(pm);
    uint16_t value = offset & 2 ? pm->enable : pm->status;
    return value >> (offset & 1) * 8;
}

static void event_write(void *dev, uint16_t offset, unsigned, uint32_t value)
{
    struct acpi_pm *pm = dev;
    unsigned shift = (offset & 1) * 8;

    update_status(pm, timer_ticks(pm));
    if (offset & 2)
        pm->enable = ((pm->enable & ~(0xff << shift)) | value << shift) & PM1_ENABLE_BITS;
    else
        pm->status &= ~(value << shift);
    update_sci(pm);
}

static uint64_t event_advance(void *dev, uint64_t now_ns)
{
    struct acpi_pm *pm = dev;

    if (!pm->config.timer || !(pm->enable & TMR_STS))
        return DEVICE_NEVER; /* the status is brought up to date when somebody looks at it */
    update_status(pm, device_ns_to_ticks(now_ns, ACPI_PM_TIMER_HZ));
    update_sci(pm);
    if (pm->status & TMR_STS)
        return DEVICE_NEVER;
    return device_ticks_to_ns(((pm->timer_done >> TMR_CARRY_BIT) + 1) << TMR_CARRY_BIT,
                              ACPI_PM_TIMER_HZ);
}

static uint32_t control_read(void *dev, uint16_t offset, unsigned)
{
    const struct acpi_pm *pm = dev;

    return (pm->control | SCI_EN) >> offset * 8;
}

static void control_write(void *dev, uint16_t offset, unsigned, uint32_t value)
{
    struct acpi_pm *pm = dev;
    unsigned shift = offset * 8;
    uint32_t written = value << shift;

    pm->control = ((pm->control & ~(0xff << shift)) | written) & (BM_RLD | SLP_TYP_MASK);
    if (written & SLP_EN && pm->control >> SLP_TYP_SHIFT == pm->config.s5)
        pm->host->stop(pm->host->ctx, DEVICE_STOP_POWEROFF, 0);
}

static uint32_t timer_read(void *dev, uint16_t offset, unsigned)
{
    const struct acpi_pm *pm = dev;

    return (uint32_t)timer_ticks(pm) >> offset * 8;
}

static void timer_write(void *, uint16_t, unsigned, uint32_t)
{
}

bool acpi_pm_init(struct acpi_pm *pm, const struct device_host *host, struct pio_bus *bus,
                  const struct acpi_pm_config *config)
{
    struct pio_device event = {
        .base = config->base + ACPI_PM1_EVENT,
        .count = ACPI_PM1_EVENT_LENGTH,
        .width = 1,
        .dev = pm,
        .read = event_read,
        .write = event_write,
        .advance = event_advance,
    };
    struct pio_device control = {
        .base = config->base + ACPI_PM1_CONTROL,
        .count = ACPI_PM1_CONTROL_LENGTH,
        .width = 1,
        .dev = pm,
        .read = control_read,
        .write = control_write,
    };
    struct pio_device timer = {
        .base = config->base + ACPI_PM_TIMER,
        .count = ACPI_PM_TIMER_LENGTH,
        .width = 4,
        .dev = pm,
        .read = timer_read,
        .write = timer_write,
    };

    *pm = (struct acpi_pm){.host = host, .config = *config};
    return pio_bus_add(bus, &event) && pio_bus_add(bus, &control) &&
           (!config->timer || pio_bus_add(bus, &timer));
}
