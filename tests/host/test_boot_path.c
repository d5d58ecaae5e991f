/* SPDX-License-Identifier: BSD-2-Clause */
/* links: boot/path.c */
/* File names, from UTF-8 to what the firmware reads. */
#include "boot/path.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { MAX = 8 };

static void expect(const char *path, const uint16_t *want, size_t n)
{
    uint16_t wide[MAX];

    assert_true(path_to_utf16(path, wide, MAX));
    assert_memory_equal(wide, want, n * sizeof(wide[0]));
    assert_int_equal(wide[n], 0);
}

static void refused(const char *path)
{
    uint16_t wide[MAX];

    assert_false(path_to_utf16(path, wide, MAX));
}

static void test_well_formed(void **state)
{
    (void)state;
    expect("", NULL, 0);
    expect("\\a.b", (const uint16_t[]){'\\', 'a', '.', 'b'}, 4);
    expect("\xc3\xa9\xe2\x82\xac", (const uint16_t[]){0xe9, 0x20ac}, 2);
    expect("\xc2\x80\xdf\xbf", (const uint16_t[]){0x80, 0x7ff}, 2);
    expect("\xe0\xa0\x80\xef\xbf\xbf", (const uint16_t[]){0x800, 0xffff}, 2);
}

static void test_not_well_formed(void **state)
{
    (void)state;
    refused("\x80");             /* a continuation byte alone */
    refused("\xc3");             /* cut */
    refused("\xe2\x82");         /* cut */
    refused("\xe2z\xac");        /* interrupted */
    refused("\xc0\xaf");         /* longer than necessary */
    refused("\xe0\x9f\xbf");     /* longer than necessary */
    refused("\xed\xa0\x80");     /* a surrogate */
    refused("\xf0\x9f\x98\x80"); /* beyond 0xffff */
}

static void test_length(void **state)
{
    (void)state;
    expect("1234567", (const uint16_t[]){'1', '2', '3', '4', '5', '6', '7'}, 7);
    refused("12345678");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_well_formed),
        cmocka_unit_test(test_not_well_formed),
        cmocka_unit_test(test_length),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
