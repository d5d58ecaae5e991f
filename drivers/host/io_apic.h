/* SPDX-License-Identifier: BSD-2-Clause */
/* The host's I/O APICs: everything masked, but for the few inputs the hypervisor asks for. */
#pragma once

#include "core/types.h"

/* Maps one I/O APIC, whose inputs begin at `gsi_base`, and masks them. At start, on the BSP. */
void host_ioapic_add(paddr_t base, uint32_t gsi_base);

/* Sends an input to one CPU. False: no I/O APIC has it, or the ID exceeds 8 bits. On the BSP. */
bool host_ioapic_route(uint32_t gsi, uint32_t apic_id, uint8_t vector, bool active_low,
                       bool level_triggered);
