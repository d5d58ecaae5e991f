/* SPDX-License-Identifier: BSD-2-Clause */
/* What the guests of the group "isolation" agree on: VMs side by side with the same APIC IDs. */
#pragma once

#include "tests/guest/lib/smp.h"

enum {
    CRASH_MS = 300,  /* when one of them crashes */
    ATTACK_MS = 800, /* how long others send, from their start on */
    WATCH_MS = 1500, /* how long nobody else may notice */
    MARKS = 1 << 17,
};

/* Each marks the same guest-physical memory in its own way. */
#define MARKED ((volatile uint64_t *)0x2000000ul)

static inline void mark_memory(uint64_t mark)
{
    for (unsigned i = 0; i < MARKS; i++)
        MARKED[i] = mark * i;
}

static inline void check_memory(uint64_t mark)
{
    unsigned right = 0;
    for (unsigned i = 0; i < MARKS; i++)
        right += MARKED[i] == mark * i;
    is_u64(right, MARKS, "words of memory that hold what was written");
}
