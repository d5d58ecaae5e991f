/* SPDX-License-Identifier: BSD-2-Clause */
/* links: core/calendar.c */
/* Every day of the calendar against the C library's. */
#include "core/calendar.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

static void test_every_day(void **state)
{
    const int64_t last = 4102444800 + 7999ll * 365 * 86400; /* well into the year 9999's century */

    (void)state;
    for (int64_t t = -2208988800; t < last; t += 86400) {
        struct tm tm;

        gmtime_r(&t, &tm);
        struct calendar day = calendar_from_seconds(t);
        assert_int_equal(day.year, tm.tm_year + 1900);
        assert_int_equal(day.month, tm.tm_mon + 1);
        assert_int_equal(day.day, tm.tm_mday);
        assert_int_equal(day.weekday, tm.tm_wday);
        assert_int_equal(calendar_to_seconds(&day), t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_day)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
