/* SPDX-License-Identifier: BSD-2-Clause */
/* The ACPI tables a guest finds: RSDP, RSDT, XSDT, FADT, FACS, DSDT, MADT. */
#pragma once

#include <stdint.h>

#include "core/config/config.h"
#include "core/guest/memory.h"

/* One machine can have this many processors; the MADT then just fits its room. */
enum { GUEST_ACPI_CPUS_MAX = 4096 };

/* Writes the tables to GUEST_ACPI_BASE (core/guest/layout.h). apic_ids holds the 32-bit APIC ID of
 * each of the `count` processors, the boot processor first; of the configuration the devices count.
 * Returns the RSDP's guest-physical address, or 0 when there are none or too many processors or the
 * guest has no RAM there. Before the guest starts only. */
uint64_t guest_acpi_build(const struct guest_memory *gm, const uint32_t *apic_ids, uint32_t count,
                          const struct config_vm *config);
