/* SPDX-License-Identifier: BSD-2-Clause */
/* ACPI fixed hardware: PM1 event and control blocks and the PM timer. Source: ACPI 6.5, "ACPI
 * Hardware Specification". */
#pragma once

#include "drivers/guest/device.h"
#include "drivers/guest/pio.h"

enum {
    ACPI_PM_TIMER_HZ = 3579545,

    /* Offsets from the base of the block, and lengths, as the FADT must give them. */
    ACPI_PM1_EVENT = 0,
    ACPI_PM1_EVENT_LENGTH = 4,
    ACPI_PM1_CONTROL = 4,
    ACPI_PM1_CONTROL_LENGTH = 2,
    ACPI_PM_TIMER = 8,
    ACPI_PM_TIMER_LENGTH = 4,
    ACPI_PM_LENGTH = 12,
};

struct acpi_pm_config {
    uint16_t base; /* ACPI_PM_LENGTH ports */
    unsigned sci;  /* line of the system control interrupt; level, active high */
    uint8_t s5;    /* SLP_TYP that powers the machine off: the value of \_S5 */
    bool timer;    /* the PM timer is there; it counts 32 bits (FADT flag TMR_VAL_EXT) */
};

/* All fields are private to acpi_pm.c. */
struct acpi_pm {
    const struct device_host *host;
    struct acpi_pm_config config;
    uint16_t status, enable, control;
    uint64_t timer_done; /* timer ticks up to which TMR_STS is up to date */
};

/*
 * Resets the block and adds it to the bus. False if the bus refuses.
 *
 * The machine is always in ACPI mode (the FADT's SMI_CMD is 0): SCI_EN reads 1 and cannot be
 * cleared. Power and sleep buttons and the RTC wake event are not there.
 */
bool acpi_pm_init(struct acpi_pm *pm, const struct device_host *host, struct pio_bus *bus,
                  const struct acpi_pm_config *config);
