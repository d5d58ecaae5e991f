/* SPDX-License-Identifier: BSD-2-Clause */
/* Dates. */
#include "boot/calendar.h"

enum { DAYS_TO_1970 = 719468, SECONDS_PER_DAY = 86400 }; /* from 1 March of year 0 */

int64_t calendar_to_seconds(int64_t year, int64_t month, int64_t day)
{
    /* With March as the first month the leap day comes last, and the lengths of the months repeat
     * every five: 153 days. */
    int64_t y = month > 2 ? year : year - 1;
    int64_t m = month > 2 ? month - 3 : month + 9;
    int64_t days = y * 365 + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1;

    return (days - DAYS_TO_1970) * SECONDS_PER_DAY;
}
