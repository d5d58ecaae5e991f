/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Extended page tables: guest-physical to host-physical. Pure but for the pages of the tables.
 * Source: SDM Vol 3C, "The Extended Page Table Mechanism (EPT)".
 *
 * The owner serializes changes. A processor may walk the tree meanwhile: entries are written
 * whole, and a table is linked when it is complete.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "vmx/caps.h"

/* Rights, as in the entries. */
enum {
    EPT_R = 1 << 0,
    EPT_W = 1 << 1,
    EPT_X = 1 << 2,   /* supervisor only, under mode-based execute control */
    EPT_UX = 1 << 10, /* user execute; ignored without mode-based execute control */
    EPT_RWX = EPT_R | EPT_W | EPT_X | EPT_UX,
};

enum ept_memory_type {
    EPT_UNCACHED = 0,
    EPT_WRITE_BACK = 6,
};

#define EPT_PAGE_4K   0x1000ull
#define EPT_PAGE_2M   0x200000ull
#define EPT_PAGE_1G   0x40000000ull
#define EPT_PAGE_512G 0x8000000000ull
#define EPT_GPA_LIMIT (1ull << 48)

enum { EPT_LEVELS = 4 };

/* A second root: the same mappings but for one 4 KiB page. */
struct ept_view {
    uint64_t pointer;            /* the EPTP of the VMCSs that use it; 0: there is no view */
    uint64_t gpa;                /* of the page */
    uint64_t *table[EPT_LEVELS]; /* on the way to it, by level, 0 with the page's entry */
    uint64_t *twin[EPT_LEVELS];  /* the tree's own tables there */
};

struct ept {
    uint64_t *root;
    uint64_t pointer;    /* the EPTP of the VMCSs that use this tree */
    uint64_t generation; /* counts the changes that made cached translations wrong */
    uint64_t tables;     /* pages in use, root included, retired ones not */
    uint64_t *retired;   /* tables taken out of the tree, which a processor may still walk */
    struct ept_view view;
    bool has_2m, has_1g;
};

struct ept_mapping {
    uint64_t hpa;  /* of the address asked for, not of its page's start */
    uint64_t size; /* EPT_PAGE_* of the mapping, or of the hole at whose entry the walk ended */
    unsigned rights;
    unsigned denied; /* of them, as ept_restrict() said */
    enum ept_memory_type type;
};

/* An empty tree; false if there is no memory for its root. */
bool ept_init(struct ept *ept, const struct vmx_caps *caps);

/*
 * Adds the view, in which the page at gpa is hpa with all rights, write-back. Later changes show in
 * it, too, but to that page. The tree has no mapping of 2 MiB or more around it, now or later.
 * Once; false if there is no memory, and then there is no view.
 */
bool ept_add_view(struct ept *ept, uint64_t gpa, uint64_t hpa);

/* Frees every table. No VMCS may use it any more. */
void ept_destroy(struct ept *ept);

/*
 * Frees the tables that changes took out of the tree. Once every processor that may have cached
 * translations of the tree has forgotten them (vmx_run() does when generation has changed).
 */
void ept_reclaim(struct ept *ept);

/*
 * Maps [gpa, gpa + size) to [hpa, hpa + size), replacing what was there, with the largest pages
 * that alignment and processor allow. All three are multiples of 4096; the range ends at or below
 * EPT_GPA_LIMIT; size is not 0. rights are such as the processor takes: no W without R,
 * X without R only where there is VMX_EPT_EXECUTE_ONLY. False if memory ran out: part of the
 * range may then be mapped.
 */
bool ept_map(struct ept *ept, uint64_t gpa, uint64_t hpa, uint64_t size, unsigned rights,
             enum ept_memory_type type);

/* Removes all mappings in the range. False if memory to split a large page was lacking. */
bool ept_unmap(struct ept *ept, uint64_t gpa, uint64_t size);

/*
 * Changes the rights of what is mapped in the range and leaves holes alone. rights may be 0: the
 * address is then kept, so that rights can be given back. Notes beside the rights which ones the
 * owner denies there, for the owner to read again: that stays until changed, even when something
 * else is mapped at the address. False if memory to split a large page was lacking: part of the
 * range may then be changed.
 */
bool ept_restrict(struct ept *ept, uint64_t gpa, uint64_t size, unsigned rights, unsigned denied);

/* True if gpa is mapped, even with no rights. *mapping is filled in either case. */
bool ept_lookup(const struct ept *ept, uint64_t gpa, struct ept_mapping *mapping);

/* Where the last walk of a tree ended: the next one begins there if it leads to the same table. All
 * zeros at first; good as long as rights are all that changes in the tree. */
struct ept_near {
    uint64_t gpa;
    uint64_t *table;
    unsigned level;
};

/* The two above, for many pages that may be near each other; ept_restrict_page() does one page. */
bool ept_lookup_near(const struct ept *ept, struct ept_near *near, uint64_t gpa,
                     struct ept_mapping *mapping);
bool ept_restrict_page(struct ept *ept, struct ept_near *near, uint64_t gpa, unsigned rights,
                       unsigned denied);

/* The entries from the root to where the walk for gpa ends, root's first; returns their number. */
unsigned ept_walk(const struct ept *ept, uint64_t gpa, uint64_t entries[EPT_LEVELS]);
