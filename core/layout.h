/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The hypervisor's address space, built by boot/ and kept by core/. Nothing else is mapped,
 * apart from one identity-mapped page (the trampoline) that core unmaps after all CPUs run.
 *
 * DIRECT_MAP_BASE + p maps physical address p, read-write, no-execute, write-back, for every RAM
 * range of the memory map except the hypervisor's image. IMAGE_BASE is where linker.ld puts the
 * image, mapped section by section (text r-x, rodata r--, data rw-). MMIO_BASE starts the window
 * from which core maps device registers uncached. STACK_BASE starts the window for stacks, each
 * with an unmapped page below it.
 */
#pragma once

#include <stdint.h>

#define DIRECT_MAP_BASE 0xffff800000000000ull
#define DIRECT_MAP_SIZE 0x0000400000000000ull
#define MMIO_BASE       0xffffc00000000000ull
#define STACK_BASE      0xffffd00000000000ull
#define IMAGE_BASE      0xffffffff80000000ull

/* The image begins with this (linker.ld); text goes up to rodata. All but `entry` are bytes from
 * IMAGE_BASE and whole pages. */
struct image_header {
    uint64_t entry; /* virtual address */
    uint64_t rodata;
    uint64_t data;
    uint64_t stack; /* behind an unmapped page, where data ends */
    uint64_t end;
};
