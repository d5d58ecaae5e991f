/* SPDX-License-Identifier: BSD-2-Clause */
/* UEFI load options, from UCS-2 to lines.
 * links: boot/load_options.c */
#include "boot/load_options.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <uchar.h>

#include <cmocka.h>

enum { SIZE = 64 };

static char lines[SIZE];

/* A copy at an odd address with nothing behind it, so that the sanitizer sees a read past its end.
 */
static enum load_options_result convert(const char16_t *text, size_t characters)
{
    size_t bytes = 2 * characters;
    uint8_t *copy = malloc(bytes + 1);

    memcpy(copy + 1, text, bytes);
    memset(lines, 'x', sizeof(lines));
    enum load_options_result result = load_options_convert(copy + 1, bytes, lines, sizeof(lines));
    free(copy);
    assert_true(memchr(lines, 0, sizeof(lines)) != NULL);
    return result;
}

static const struct {
    const char16_t *text;
    size_t length; /* characters; 0: up to the NUL */
    const char *lines;
} good[] = {
    {u"", 0, ""},
    {u"  \t ", 0, ""},
    {u"log=debug", 0, "log=debug\n"},
    {u"log=debug a.memory=64M", 0, "log=debug\na.memory=64M\n"},
    {u"fs0:\\EFI\\BOOT\\BOOTX64.EFI log=debug", 0, "log=debug\n"},
    {u"BOOTX64.EFI", 0, ""},
    {u"  BOOTX64 \t log=debug  ", 0, "log=debug\n"},
    {u"BOOTX64.EFI log=debug memroy", 0, "log=debug\nmemroy\n"},
    {u"BOOTX64.EFI again log=debug", 0, "again\nlog=debug\n"},
    {u"\"my files\\x.efi\" log=debug", 0, "log=debug\n"},
    {u"\"a.cmdline=console=ttyS0 quiet\" log=info", 0, "a.cmdline=console=ttyS0 quiet\nlog=info\n"},
    {u"a.cmdline=\"x  y\"z \"\" b=c", 0, "a.cmdline=x  yz\nb=c\n"},
    {u"a=b\0c=d", 7, "a=b\n"},
    {u"a=\u00e9\u20ac", 0, "a=\xc3\xa9\xe2\x82\xac\n"},
    {u"a=1234567890123456789012345678901234567890123456789012345678901", 0, NULL},
    {u"a=123456789012345678901234567890123456789012345678901234567890", 0,
     "a=123456789012345678901234567890123456789012345678901234567890\n"},
    {u"a=12345678901234567890123456789012345678901234567890123456789\u00e9", 0, NULL},
};

static size_t length_of(const char16_t *text)
{
    size_t n = 0;

    while (text[n] != 0)
        n++;
    return n;
}

static void words(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        size_t length = good[i].length ? good[i].length : length_of(good[i].text);
        enum load_options_result result = convert(good[i].text, length);

        assert_int_equal(result, good[i].lines ? LOAD_OPTIONS_GOOD : LOAD_OPTIONS_TOO_LONG);
        if (good[i].lines)
            assert_string_equal(lines, good[i].lines);
        /* With the final NUL it is the same. */
        assert_int_equal(convert(good[i].text, length + 1), result);
    }
}

static void no_text(void **state)
{
    static const char16_t bad[] = {1, 0x1f, '\n', 0x7f, 0xd800, 0xdfff};

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        char16_t text[] = {'a', '=', bad[i]};

        assert_int_equal(convert(text, 3), LOAD_OPTIONS_NO_TEXT);
        assert_string_equal(lines, "");
    }
    assert_int_equal(load_options_convert((const uint8_t *)"a\0=", 3, lines, SIZE),
                     LOAD_OPTIONS_NO_TEXT);
    assert_string_equal(lines, "");
}

static void open_quote(void **state)
{
    (void)state;
    assert_int_equal(convert(u"a=\"b c", 6), LOAD_OPTIONS_OPEN_QUOTE);
    assert_int_equal(convert(u"a=\"b\" c\"", 9), LOAD_OPTIONS_OPEN_QUOTE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words),
        cmocka_unit_test(no_text),
        cmocka_unit_test(open_quote),
    };
    return cmocka_run_group_tests_name("load options", tests, NULL, NULL);
}
