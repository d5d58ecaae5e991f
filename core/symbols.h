/* SPDX-License-Identifier: BSD-2-Clause */
/* Names for the hypervisor's own code addresses. */
#pragma once

#include "core/types.h"

/* Takes the table that boot/boot.mk makes: for each function, in ascending order, its address as 16
 * hexadecimal digits, a space, and its name with a final NUL. Once, on the BSP. */
void symbols_init(const char *first, uint64_t size);

/* The function that a code address belongs to, and how far into it the address is; NULL when there
 * is none. Takes no lock and touches only the table. */
const char *symbols_lookup(vaddr_t address, uint64_t *offset);
