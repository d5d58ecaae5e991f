/* SPDX-License-Identifier: BSD-2-Clause */
/* PCI configuration mechanism 1 of a machine without PCI devices, and the reset control register
 * that lies in the middle of it. */
#pragma once

#include "drivers/guest/device.h"
#include "drivers/guest/pio.h"

enum {
    PCI_CONFIG_ADDRESS = 0xcf8,
    PCI_CONFIG_DATA = 0xcfc,
    PCI_CONFIG_LENGTH = 8,
    RESET_CONTROL_PORT = 0xcf9,
};

/* All fields are private to pci_config.c. */
struct pci_config {
    const struct device_host *host;
    uint32_t address;
    uint8_t reset_control;
};

/*
 * Adds ports 0xcf8 to 0xcff to the bus. False if the bus refuses.
 *
 * A 4-byte access at 0xcf8 is the address register; the data port reads as all-ones, "no device",
 * for every function. A 1-byte access at 0xcf9 is the reset control register: RST_CPU (bit 2)
 * going from 0 to 1 resets the machine, be it a soft or a hard (SYS_RST, bit 1) or a full
 * (bit 3) reset.
 */
bool pci_config_init(struct pci_config *pci, const struct device_host *host, struct pio_bus *bus);
