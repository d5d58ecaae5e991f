/* SPDX-License-Identifier: BSD-2-Clause */
/* Gregorian calendar arithmetic. */
#pragma once

#include <stdint.h>

struct calendar {
    int32_t year;
    uint8_t month;   /* 1..12 */
    uint8_t day;     /* 1..31 */
    uint8_t weekday; /* 0 is Sunday */
    uint8_t hour, minute, second;
};

/* The moment that lies `seconds` after 1970-01-01 00:00:00 UTC, for years -399 to 99999. */
struct calendar calendar_from_seconds(int64_t seconds);

/* The reverse, for years 0 to 99999; weekday is ignored. Fields out of range count on into the next
 * larger unit, except for the month, which is brought into 1..12 first. */
int64_t calendar_to_seconds(const struct calendar *calendar);
