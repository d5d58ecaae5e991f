/* SPDX-License-Identifier: BSD-2-Clause */
/* Dates. Pure: no firmware calls. */
#ifndef LAPWING_BOOT_CALENDAR_H
#define LAPWING_BOOT_CALENDAR_H

#include <stdint.h>

/* Seconds from 1970-01-01 to the start of that day; Gregorian, month and day from 1. Year from 1.
 */
int64_t calendar_to_seconds(int64_t year, int64_t month, int64_t day);

#endif
