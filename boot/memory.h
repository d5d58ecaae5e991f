/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory taken from the firmware for the hypervisor: all of it is either given back together (a
 * refused start) or handed over as HANDOVER_HYPERVISOR. */
#ifndef LAPWING_BOOT_MEMORY_H
#define LAPWING_BOOT_MEMORY_H

#include "boot/efi.h"
#include "boot/memory_map.h"
#include "core/x86.h"

/* Highest addresses for memory_take(). */
#define MEMORY_BELOW_1M 0xfffffull
#define MEMORY_BELOW_4G 0xffffffffull
#define MEMORY_ANYWHERE (~0ull)

/* Takes size bytes (rounded up to pages), as high up as there is room, aligned to align (a power of
 * two of at least PAGE_SIZE), the last byte at or below highest; not zeroed. code: the firmware
 * must allow to execute it. Returns the physical address, which is also the pointer, or 0. */
uint64_t memory_take(uint64_t size, uint64_t align, uint64_t highest, bool code);

void memory_free_all(void);

/* All that is taken now. */
const struct memory_claim *memory_claims(uint32_t *count);

#endif
