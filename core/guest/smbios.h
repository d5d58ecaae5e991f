/* SPDX-License-Identifier: BSD-2-Clause */
/* The SMBIOS tables a guest finds: who made the machine, and that it is virtual. */
#pragma once

#include <stdbool.h>

#include "core/guest/memory.h"

/* Writes the entry point and the tables to GUEST_SMBIOS_BASE (core/guest/layout.h). False when the
 * guest has no RAM there. Before the guest starts only.
 *
 * Linux takes the firmware's year from here: without one from 2001 or later it does not trust PCI
 * configuration ports on which it finds no host bridge, and logs a fatal PCI error. */
bool guest_smbios_build(const struct guest_memory *gm);
