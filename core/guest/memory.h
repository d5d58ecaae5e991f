/* SPDX-License-Identifier: BSD-2-Clause */
/* A guest's RAM as the hypervisor reaches it: a few slots, and accessors that check every bound. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "core/types.h"

enum { GUEST_MEMORY_SLOTS_MAX = 16 };

/* gpa and size in bytes; hva is where the hypervisor has the same bytes mapped. */
struct guest_slot {
    gpa_t gpa;
    uint64_t size;
    void *hva;
};

/* Filled before the guest starts, constant while it runs; so the accessors need no lock and any CPU
 * may call them. The bytes themselves may change under the reader: copy once, judge the copy. */
struct guest_memory {
    uint32_t count;
    struct guest_slot slots[GUEST_MEMORY_SLOTS_MAX];
};

/* Adds [gpa, gpa + size). False when the slots are used up, the range is empty or wraps, or it
 * overlaps a slot that is there. Before the guest starts only. */
bool gm_add(struct guest_memory *gm, gpa_t gpa, uint64_t size, void *hva);

/* Copy len bytes out of or into guest RAM; a range may span adjoining slots. False when any byte of
 * the range is not RAM; then nothing was copied. len 0 always succeeds. */
bool gm_read(const struct guest_memory *gm, gpa_t gpa, void *buf, uint64_t len);
bool gm_write(const struct guest_memory *gm, gpa_t gpa, const void *buf, uint64_t len);

/* The address of len bytes (at least one) of guest RAM, or NULL when they are not all in one slot.
 * For memory that several parties use at once (rings, pages with atomics). */
void *gm_ptr(const struct guest_memory *gm, gpa_t gpa, uint64_t len);
