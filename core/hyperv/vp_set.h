/* SPDX-License-Identifier: BSD-2-Clause */
/* Sets of virtual processors, by VP index. Pure. TLFS, "Virtual Processors", "VP Sets". */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { HV_VPS_PER_BANK = 64 };

/* Refers to the banks that it was made from. */
struct hv_vp_set {
    bool all;
    uint64_t valid; /* bit n: VPs 64n to 64n + 63 have a bank; the others are not in the set */
    const uint64_t *bank; /* those banks, in order */
};

/* The first 64 processors by bits of *mask. */
static inline struct hv_vp_set hv_vp_set_from_mask(const uint64_t *mask)
{
    return (struct hv_vp_set){.valid = 1, .bank = mask};
}

/*
 * From an HV_VP_SET: its @format, its mask of valid banks, and @size bytes of banks. False when
 * there is no such format, or as many banks as the mask says are not there.
 */
bool hv_vp_set_from_sparse(struct hv_vp_set *set, uint64_t format, uint64_t valid,
                           const uint64_t *banks, size_t size);

/* @index is below 4096. */
bool hv_vp_set_has(const struct hv_vp_set *set, uint32_t index);
bool hv_vp_set_is_empty(const struct hv_vp_set *set);
