/* SPDX-License-Identifier: BSD-2-Clause */
/* Where the parts of the hypervisor's own ELF file go. Pure: no firmware calls. */
#ifndef LAPWING_BOOT_ELF_H
#define LAPWING_BOOT_ELF_H

#include <stdint.h>

#include "boot/page_tables.h"

enum { ELF_SEGMENTS_MAX = 8 };

struct elf_segment {
    uint64_t file_offset;
    uint64_t file_size;
    uint64_t offset; /* from IMAGE_BASE; whole pages */
    uint64_t size;   /* bytes, whole pages; zero beyond file_size */
    enum page_access access;
};

struct elf_plan {
    uint64_t entry;      /* virtual address */
    uint64_t image_size; /* bytes from IMAGE_BASE to the end of the last segment */
    uint32_t n_segments;
    struct elf_segment segments[ELF_SEGMENTS_MAX]; /* ascending, no page in two of them */
};

/* Judges an ELF file of size bytes, linked at IMAGE_BASE by linker.ld. Returns NULL, or what is
 * wrong with it. */
const char *elf_plan(const void *file, uint64_t size, struct elf_plan *plan);

#endif
