/* SPDX-License-Identifier: BSD-2-Clause */
/* An empty PCI configuration space and the reset control register. */
#include "drivers/guest/pci_config.h"

enum {
    ADDRESS_OFFSET = 0,
    RESET_OFFSET = RESET_CONTROL_PORT - PCI_CONFIG_ADDRESS,

    SYS_RST = 1 << 1,
    RST_CPU = 1 << 2,
    FULL_RST = 1 << 3,
};

/* Enable, bus, device, function and register; the rest is reserved and reads 0. */
static const uint32_t address_bits = 0x80fffffc;

static uint32_t pci_config_read(void *dev, uint16_t offset, unsigned size)
{
    const struct pci_config *pci = dev;

    if (offset == ADDRESS_OFFSET && size == 4)
        return pci->address;
    if (offset == RESET_OFFSET && size == 1)
        return pci->reset_control;
    return UINT32_MAX;
}

static void write_reset_control(struct pci_config *pci, uint8_t value)
{
    uint8_t rising = value & ~pci->reset_control;

    pci->reset_control = value & (SYS_RST | RST_CPU | FULL_RST);
    if (rising & RST_CPU)
        pci->host->stop(pci->host->ctx, DEVICE_STOP_RESET, 0);
}

static void pci_config_write(void *dev, uint16_t offset, unsigned size, uint32_t value)
{
    struct pci_config *pci = dev;

    if (offset == ADDRESS_OFFSET && size == 4)
        pci->address = value & address_bits;
    else if (offset == RESET_OFFSET && size == 1)
        write_reset_control(pci, (uint8_t)value);
}

bool pci_config_init(struct pci_config *pci, const struct device_host *host, struct pio_bus *bus)
{
    struct pio_device ports = {
        .base = PCI_CONFIG_ADDRESS,
        .count = PCI_CONFIG_LENGTH,
        .width = 4,
        .dev = pci,
        .read = pci_config_read,
        .write = pci_config_write,
    };

    *pci = (struct pci_config){.host = host};
    return pio_bus_add(bus, &ports);
}
