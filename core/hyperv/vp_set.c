/* SPDX-License-Identifier: BSD-2-Clause */
/* Sets of virtual processors. */
#include "core/hyperv/vp_set.h"

#include "core/bits.h"

enum { FORMAT_SPARSE_4K = 0, FORMAT_ALL = 1 };

static unsigned count_bits(uint64_t bits)
{
    unsigned count = 0;

    for (; bits != 0; bits &= bits - 1)
        count++;
    return count;
}

bool hv_vp_set_from_sparse(struct hv_vp_set *set, uint64_t format, uint64_t valid,
                           const uint64_t *banks, size_t size)
{
    *set = (struct hv_vp_set){.all = format == FORMAT_ALL, .valid = valid, .bank = banks};
    if (format == FORMAT_ALL)
        return size == 0;
    return format == FORMAT_SPARSE_4K && count_bits(valid) * sizeof(*banks) == size;
}

bool hv_vp_set_has(const struct hv_vp_set *set, uint32_t index)
{
    unsigned bank = index / HV_VPS_PER_BANK;

    if (set->all || !(set->valid & BIT(bank)))
        return set->all;
    return set->bank[count_bits(set->valid & (BIT(bank) - 1))] >> index % HV_VPS_PER_BANK & 1;
}

bool hv_vp_set_is_empty(const struct hv_vp_set *set)
{
    unsigned banks = set->all ? 0 : count_bits(set->valid);
    uint64_t any = set->all;

    for (unsigned i = 0; i < banks; i++)
        any |= set->bank[i];
    return any == 0;
}
