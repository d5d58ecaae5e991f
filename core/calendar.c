/* SPDX-License-Identifier: BSD-2-Clause */
/* Gregorian calendar arithmetic. Years are counted from March, so that the leap day comes last. */
#include "core/calendar.h"

enum {
    SECONDS_PER_DAY = 86400,
    DAYS_PER_YEAR = 365,
    DAYS_PER_4_YEARS = 4 * DAYS_PER_YEAR + 1,
    DAYS_PER_CENTURY = 25 * DAYS_PER_4_YEARS - 1,
    DAYS_PER_400_YEARS = 4 * DAYS_PER_CENTURY + 1,
    DAYS_TO_1970 = 719468, /* from 0000-03-01 to 1970-01-01 */
    DAYS_FROM_SUNDAY = 3,  /* 0000-03-01 was a Wednesday */
    MARCH = 3,
};

/* Days from 1 March to the first of the month that many months later. */
static int32_t days_before_month(int32_t months_from_march)
{
    return (153 * months_from_march + 2) / 5;
}

static int32_t at_most(int32_t value, int32_t limit)
{
    return value < limit ? value : limit;
}

struct calendar calendar_from_seconds(int64_t seconds)
{
    /* One cycle of 400 years is added, and taken from the year again, so that nothing below is
     * negative. */
    int64_t total = seconds + (int64_t)(DAYS_TO_1970 + DAYS_PER_400_YEARS) * SECONDS_PER_DAY;
    int32_t days = (int32_t)(total / SECONDS_PER_DAY);
    int32_t second = (int32_t)(total % SECONDS_PER_DAY);
    struct calendar out = {
        .weekday = (uint8_t)((days + DAYS_FROM_SUNDAY) % 7),
        .hour = (uint8_t)(second / 3600),
        .minute = (uint8_t)(second / 60 % 60),
        .second = (uint8_t)(second % 60),
    };

    /* The last year of a century, and of four years, is a day longer or shorter than the others:
     * cap the quotients instead of starting a fifth. */
    int32_t year = days / DAYS_PER_400_YEARS * 400 - 400;
    days %= DAYS_PER_400_YEARS;
    int32_t centuries = at_most(days / DAYS_PER_CENTURY, 3);
    days -= centuries * DAYS_PER_CENTURY;
    int32_t fours = days / DAYS_PER_4_YEARS;
    days -= fours * DAYS_PER_4_YEARS;
    int32_t years = at_most(days / DAYS_PER_YEAR, 3);
    days -= years * DAYS_PER_YEAR;
    year += centuries * 100 + fours * 4 + years;

    int32_t month = (5 * days + 2) / 153;
    out.day = (uint8_t)(days - days_before_month(month) + 1);
    out.month = (uint8_t)(month < 10 ? month + MARCH : month + MARCH - 12);
    out.year = out.month < MARCH ? year + 1 : year;
    return out;
}

int64_t calendar_to_seconds(const struct calendar *calendar)
{
    int32_t month = calendar->month < 1 ? 1 : at_most(calendar->month, 12);
    int32_t year = month < MARCH ? calendar->year - 1 : calendar->year;
    int32_t from_march = month < MARCH ? month + 12 - MARCH : month - MARCH;
    /* The same trick, so that divisions round down. */
    int64_t cycle = (int64_t)year + 400;
    int64_t days = cycle * DAYS_PER_YEAR + cycle / 4 - cycle / 100 + cycle / 400 -
                   DAYS_PER_400_YEARS + days_before_month(from_march) + calendar->day - 1;

    return (days - DAYS_TO_1970) * SECONDS_PER_DAY + calendar->hour * 3600 + calendar->minute * 60 +
           calendar->second;
}
