/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The trampoline page: one page below 1 MiB from which a processor enters the hypervisor's address
 * space. boot/ copies the code there and fills in `base` and `cr3`; the code is
 * boot/trampoline.asm.
 *
 * The page is mapped twice in the hypervisor's page tables: at its own physical address, read and
 * execute, and in the direct map, read and write. Only the direct map is for writing parameters.
 *
 * To start a processor, core writes `entry`, `stack` and `argument`, then sends INIT and a start-up
 * IPI with vector `page >> 12`. The processor reads the parameters once, before its first
 * instruction at `entry`, so they must not change until it has reported from there: start one
 * processor at a time.
 *
 * State at `entry`, the same for the first processor and all others: 64-bit mode, interrupts off,
 * CR3 = `cr3`, CR0 = PE MP ET NE WP PG (caches on), CR4 = PAE alone, EFER = LME LMA NXE, RSP =
 * `stack`, RDI = `argument`, RBP = 0, flat segments from a GDT inside the trampoline page. The
 * entry has to load its own GDT and IDT before anything can fault.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum {
    TRAMPOLINE_SIPI = 0x00,          /* real-mode start, where a start-up IPI begins */
    TRAMPOLINE_PARAMS = 0x10,        /* struct trampoline_params */
    TRAMPOLINE_FROM_FIRMWARE = 0x40, /* 64-bit start, used once by the boot processor */
};

struct trampoline_params {
    uint64_t entry;    /* virtual address */
    uint64_t stack;    /* RSP at the entry */
    uint64_t argument; /* RDI at the entry */
    uint32_t cr3;      /* loaded in 32-bit mode, so the top page table lies below 4 GiB */
    uint32_t base;     /* physical address of the page */
};

_Static_assert(offsetof(struct trampoline_params, entry) == 0, "boot/trampoline.asm");
_Static_assert(offsetof(struct trampoline_params, stack) == 8, "boot/trampoline.asm");
_Static_assert(offsetof(struct trampoline_params, argument) == 16, "boot/trampoline.asm");
_Static_assert(offsetof(struct trampoline_params, cr3) == 24, "boot/trampoline.asm");
_Static_assert(offsetof(struct trampoline_params, base) == 28, "boot/trampoline.asm");
_Static_assert(TRAMPOLINE_PARAMS + sizeof(struct trampoline_params) <= TRAMPOLINE_FROM_FIRMWARE,
               "the parameters end before the code");
