/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The guest's memory-type range registers: they hold what is written and check it, and have no
 * effect. In VMX non-root operation the EPT gives the memory type instead (SDM Vol 3C, "EPT and
 * Memory Typing"), and guest RAM is write-back.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum { MTRR_VARIABLE = 8, MTRR_FIXED = 11 };

struct mtrr {
    uint64_t reg[1 + MTRR_FIXED + 2 * MTRR_VARIABLE];
};

/* As firmware leaves them: on, everything write-back, no ranges. */
void mtrr_reset(struct mtrr *mtrr);

/* Does @msr belong to the MTRRs? */
bool mtrr_has(uint32_t msr);

/* Only with mtrr_has(). False: #GP. @maxphyaddr: the guest's, in bits. */
uint64_t mtrr_read(const struct mtrr *mtrr, uint32_t msr);
bool mtrr_write(struct mtrr *mtrr, uint32_t msr, uint64_t value, unsigned maxphyaddr);
