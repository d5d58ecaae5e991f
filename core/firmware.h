/* SPDX-License-Identifier: BSD-2-Clause */
/* The firmware's tables, which stay in RAM. */
#pragma once

#include "core/types.h"

struct handover;

/* Once, on the boot processor; *handover stays for good. */
void firmware_init(const struct handover *handover);

/* `size` bytes of RAM at a physical address that a table named; NULL where there are not so many:
 * an acpi_map. Any CPU. */
const void *firmware_map(paddr_t address, uint64_t size);
