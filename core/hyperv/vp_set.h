/* SPDX-License-Identifier: BSD-2-Clause */
/* Sets of virtual processors, by VP index. Pure. TLFS, "Virtual Processors", "VP Sets". */
#ifndef LAPWING_CORE_HYPERV_VP_SET_H
#define LAPWING_CORE_HYPERV_VP_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { HV_VP_BANKS = 64, HV_VPS_PER_BANK = 64 };

struct hv_vp_set {
    uint64_t bank[HV_VP_BANKS];
};

static inline bool hv_vp_set_has(const struct hv_vp_set *set, uint32_t index)
{
    return set->bank[index / HV_VPS_PER_BANK] >> index % HV_VPS_PER_BANK & 1;
}

void hv_vp_set_all(struct hv_vp_set *set);
bool hv_vp_set_is_empty(const struct hv_vp_set *set);

/* The first 64 processors by bits of @mask. */
void hv_vp_set_from_mask(struct hv_vp_set *set, uint64_t mask);

/*
 * From an HV_VP_SET: its @format and its mask of valid banks, and @size bytes of banks. False when
 * there is no such format, or as many banks as the mask says are not there.
 */
bool hv_vp_set_from_sparse(struct hv_vp_set *set, uint64_t format, uint64_t valid,
                           const uint8_t *banks, size_t size);

#endif
