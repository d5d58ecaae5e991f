/* SPDX-License-Identifier: BSD-2-Clause */
/* A sorted list of typed, not overlapping address ranges. Pure: no firmware calls. */
#ifndef LAPWING_BOOT_RANGES_H
#define LAPWING_BOOT_RANGES_H

#include <stdbool.h>
#include <stdint.h>

#include "core/handover.h"

struct range_list {
    struct handover_range *ranges; /* sorted; neighbours of one type are merged */
    uint32_t count;
    uint32_t max;
};

/* Makes [base, base + size) be of that type, whatever was there. False: the list is full; its
 * contents are then not to be used. size 0 changes nothing. base + size must not wrap. */
bool ranges_set(struct range_list *list, uint64_t base, uint64_t size, uint64_t type);

/* Takes [base, base + size) out of the list. False as above. */
bool ranges_remove(struct range_list *list, uint64_t base, uint64_t size);

/* Bytes of that type. */
uint64_t ranges_total(const struct range_list *list, uint64_t type);

#endif
