/* SPDX-License-Identifier: BSD-2-Clause */
/* The formatter against the C library's. links: core/format.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "core/format.h"

#define SAME(...)                                                                                  \
    do {                                                                                           \
        char ours[128], theirs[128];                                                               \
        size_t n = format_string(ours, sizeof(ours), __VA_ARGS__);                                 \
        int m = snprintf(theirs, sizeof(theirs), __VA_ARGS__);                                     \
        assert_string_equal(ours, theirs);                                                         \
        assert_int_equal(n, m);                                                                    \
    } while (0)

static void integers_print_as_in_c(void **state)
{
    (void)state;
    SAME("%d %u", -1, 42u);
    SAME("%d %d", INT_MIN, INT_MAX);
    SAME("%ld %ld", LONG_MIN, LONG_MAX);
    SAME("%lu %llu %zu", ULONG_MAX, ULLONG_MAX, (size_t)7);
    SAME("%x %lx %#x %#x %#lx", 0xabcdu, ULONG_MAX, 0xabu, 0u, ULONG_MAX);
    SAME("[%5d][%-5d][%05d][%1d]", 42, 42, 42, 42);
    SAME("[%5d][%-5d][%05d][%1d]", -42, -42, -42, -42);
    SAME("[%016lx][%#06x][%-#6x][%6u][%06lu]", 0x1234ul, 0xabu, 0xabu, 7u, 0ul);
}

static void text_prints_as_in_c(void **state)
{
    (void)state;
    SAME("%s|%10s|%-10s|%.*s|%.*s|%5.*s|", "abc", "abc", "abc", 1, "abc", -1, "abc", 1, "abc");
    SAME("%c%c%5c%-3c|%%", 'a', 'b', 'c', 'd');
    SAME("%p", (void *)(uintptr_t)0xdeadbeefu);
}

static void null_pointers_print(void **state)
{
    char buffer[32];
    const char *volatile nothing = NULL;
    (void)state;
    format_string(buffer, sizeof(buffer), "%s %p", nothing, (const void *)nothing);
    assert_string_equal(buffer, "(null) 0x0");
}

static void unterminated_text_is_read_only_up_to_the_precision(void **state)
{
    char buffer[32];
    char text[3] = {'x', 'y', 'z'};
    (void)state;
    format_string(buffer, sizeof(buffer), "%.*s", 3, text);
    assert_string_equal(buffer, "xyz");
}

static void a_short_buffer_gets_what_fits(void **state)
{
    char buffer[8] = "#######";
    (void)state;
    assert_int_equal(format_string(buffer, 4, "%d", 123456), 6);
    assert_string_equal(buffer, "123");
    assert_int_equal(buffer[4], '#');
    assert_int_equal(format_string(buffer, 1, "abc"), 3);
    assert_string_equal(buffer, "");
    buffer[0] = '#';
    assert_int_equal(format_string(buffer, 0, "abc"), 3);
    assert_int_equal(buffer[0], '#');
}

static void unknown_conversions_stand_as_they_are(void **state)
{
    char buffer[32];
    static const char *const volatile format = "%q %-5k %hx %+d %5.1s %";
    (void)state;
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#pragma GCC diagnostic ignored "-Wformat-security"
    format_string(buffer, sizeof(buffer), format);
    assert_string_equal(buffer, "%q %-5k %hx %+d %5.1s %");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers_print_as_in_c),
        cmocka_unit_test(text_prints_as_in_c),
        cmocka_unit_test(null_pointers_print),
        cmocka_unit_test(unterminated_text_is_read_only_up_to_the_precision),
        cmocka_unit_test(a_short_buffer_gets_what_fits),
        cmocka_unit_test(unknown_conversions_stand_as_they_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
