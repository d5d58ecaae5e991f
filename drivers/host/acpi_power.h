/* SPDX-License-Identifier: BSD-2-Clause */
/* How ACPI resets a machine and switches it off: what the FADT and the DSDT say of it. */
#pragma once

#include "drivers/host/acpi.h"

struct acpi_power {
    bool can_reset; /* writing `reset_value`, a byte, to `reset` resets the machine */
    bool reset_is_port;
    uint64_t reset; /* port or physical address */
    uint8_t reset_value;

    const char *no_off;     /* why what follows means nothing; NULL: it does */
    uint16_t pm1a, pm1b;    /* ports of the PM1 control registers, 16 bits; pm1b may be 0 */
    uint8_t type_a, type_b; /* SLP_TYPa and SLP_TYPb of \_S5 */
    uint16_t smi_command;   /* port; 0: the machine is always in ACPI mode */
    uint8_t enable;         /* what to write there to enter it */
};

/* Fills *power; tables are checked, rsdp may be 0. */
void acpi_read_power(paddr_t rsdp, acpi_map map, struct acpi_power *power);

/* Switches the machine off; returns only when it does not go. `power` has no_off NULL. */
void acpi_power_off(const struct acpi_power *power);
