/* SPDX-License-Identifier: BSD-2-Clause */
/* Sets of virtual processors. */
#include "core/hyperv/vp_set.h"

#include "core/bits.h"
#include "core/string.h"

enum { FORMAT_SPARSE_4K = 0, FORMAT_ALL = 1 };

void hv_vp_set_all(struct hv_vp_set *set)
{
    memset(set, 0xff, sizeof(*set));
}

bool hv_vp_set_is_empty(const struct hv_vp_set *set)
{
    uint64_t any = 0;

    for (unsigned i = 0; i < HV_VP_BANKS; i++)
        any |= set->bank[i];
    return any == 0;
}

void hv_vp_set_from_mask(struct hv_vp_set *set, uint64_t mask)
{
    *set = (struct hv_vp_set){.bank[0] = mask};
}

bool hv_vp_set_from_sparse(struct hv_vp_set *set, uint64_t format, uint64_t valid,
                           const uint8_t *banks, size_t size)
{
    if (format == FORMAT_ALL) {
        hv_vp_set_all(set);
        return size == 0;
    }
    if (format != FORMAT_SPARSE_4K)
        return false;
    size_t used = 0;
    for (unsigned i = 0; i < HV_VP_BANKS; i++) {
        bool here = valid & BIT(i);

        if (here && used == size)
            return false;
        set->bank[i] = here ? load64(banks + used) : 0;
        used += here ? 8 : 0;
    }
    return used == size;
}
