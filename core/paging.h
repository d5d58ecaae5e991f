/* SPDX-License-Identifier: BSD-2-Clause */
/* The hypervisor's own page tables, which all CPUs share: stacks, checks, and the identity page. */
#pragma once

#include "core/types.h"

/* Takes over the tables boot/ built. Once, on the BSP, after memory_add(). */
void paging_init(paddr_t page_table);

/*
 * Panics when a page is writable and executable, or accessible to user mode, or when page 0 is
 * mapped.
 */
void paging_check(void);

/* A new stack of `size` bytes (whole pages) above an unmapped page. Its top, or 0: no memory. */
vaddr_t paging_map_stack(uint64_t size);

/*
 * Unmaps the trampoline's identity page and with it the lower half. After all CPUs run. Other
 * CPUs may keep a stale translation of that one page, which nothing uses any more.
 */
void paging_unmap_trampoline(void);
