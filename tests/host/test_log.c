/* SPDX-License-Identifier: BSD-2-Clause */
/* Lines of the log as the console gets them. links: core/log.c core/format.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "core/console.h"
#include "core/log.h"
#include "core/time.h"

static char last[LOG_LINE_MAX + 1];
static int lines;
static uint64_t now_ns;

void console_write_line(const char *text, size_t n)
{
    assert_true(n < sizeof(last));
    memcpy(last, text, n);
    last[n] = '\0';
    lines++;
}

uint64_t time_now_ns(void)
{
    return now_ns;
}

static int reset(void **state)
{
    (void)state;
    lines = 0;
    now_ns = 0;
    log_set_level(LOG_INFO);
    return 0;
}

static void a_line_has_time_and_level(void **state)
{
    (void)state;
    now_ns = 123456789;
    log_info("vm %d starts", 3);
    assert_string_equal(last, "[    0.123456] info  vm 3 starts");
    now_ns = 98765 * NS_PER_SECOND + 1000;
    log_error("no");
    assert_string_equal(last, "[98765.000001] error no");
    log_warn("no");
    assert_string_equal(last, "[98765.000001] warn  no");
}

static void lines_above_the_level_are_dropped(void **state)
{
    (void)state;
    log_debug("hidden");
    assert_int_equal(lines, 0);
    log_set_level(LOG_DEBUG);
    log_debug("seen");
    assert_int_equal(lines, 1);
    log_set_level(LOG_ERROR);
    log_warn("hidden");
    assert_int_equal(lines, 1);
}

static void a_long_line_is_cut_visibly(void **state)
{
    char text[2 * LOG_LINE_MAX];
    (void)state;
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    log_info("%s", text);
    assert_int_equal(strlen(last), LOG_LINE_MAX - 1);
    assert_string_equal(last + LOG_LINE_MAX - 5, "x...");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_line_has_time_and_level, reset),
        cmocka_unit_test_setup(lines_above_the_level_are_dropped, reset),
        cmocka_unit_test_setup(a_long_line_is_cut_visibly, reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
