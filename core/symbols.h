/* SPDX-License-Identifier: BSD-2-Clause */
/* Names for the hypervisor's own code addresses, from the symbol table of its ELF file. */
#ifndef LAPWING_CORE_SYMBOLS_H
#define LAPWING_CORE_SYMBOLS_H

#include "core/types.h"

/* Takes the ELF file; without a usable symbol table nothing is ever found. Once, on the BSP. */
void symbols_init(const void *elf, uint64_t size);

/*
 * The function that contains `address`, and how far into it the address is; NULL when there is
 * none. Takes no lock and touches only the file.
 */
const char *symbols_lookup(vaddr_t address, uint64_t *offset);

#endif
