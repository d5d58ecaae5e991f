/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Partition reference time: 100 ns since the partition was made, as a product of the TSC, so that
 * the reference TSC page gives guests the same. TLFS, "Timers", "Reference TSC". Pure.
 */
#pragma once

#include "core/hyperv/tlfs.h"
#include "core/time.h"

/* HV_REFERENCE_TSC_PAGE, of which the rest is 0. The time is TSC * scale / 2^64 + offset. */
struct hv_reference_tsc {
    uint32_t sequence; /* 0: not valid */
    uint32_t reserved;
    uint64_t scale;
    int64_t offset;
};

/* For a TSC of more than HV_TIME_HZ. */
static inline uint64_t hv_time_scale(uint64_t tsc_hz)
{
    return muldiv(HV_TIME_HZ, UINT64_MAX, tsc_hz);
}

static inline uint64_t hv_time_at(uint64_t scale, uint64_t tsc)
{
    return (uint64_t)((unsigned __int128)tsc * scale >> 64);
}

/* The first TSC value at which it is @time or later; UINT64_MAX if there is none. */
static inline uint64_t hv_tsc_at(uint64_t scale, uint64_t time)
{
    uint64_t tsc = muldiv(time, UINT64_MAX, scale);

    while (hv_time_at(scale, tsc) < time && tsc != UINT64_MAX)
        tsc++;
    return tsc;
}
