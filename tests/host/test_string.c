/* SPDX-License-Identifier: BSD-2-Clause */
/* core/string.c against the C library. The product's functions are compiled here under other names,
 * because a host program has the library's already. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { SIZE = 64 };

static int sign(int value)
{
    return (value > 0) - (value < 0);
}

static void move_by_library(void *dst, const void *src, size_t n)
{
    memmove(dst, src, n);
}

static int compare_by_library(const void *a, const void *b, size_t n)
{
    return sign(memcmp(a, b, n));
}

static int compare_text_by_library(const char *a, const char *b)
{
    return sign(strcmp(a, b));
}

static size_t length_by_library(const char *s)
{
    return strlen(s);
}

#undef HOST_TEST
#define memcpy  own_memcpy
#define memmove own_memmove
#define memset  own_memset
#define memcmp  own_memcmp
#define strlen  own_strlen
#define strcmp  own_strcmp
#include "core/string.c"

static void number(uint8_t *buf)
{
    for (int i = 0; i < SIZE; i++)
        buf[i] = (uint8_t)(i + 1);
}

static void copy_and_fill(void **state)
{
    (void)state;
    for (size_t n = 0; n <= SIZE; n++) {
        uint8_t from[SIZE], to[SIZE + 1] = {0};
        number(from);
        assert_ptr_equal(own_memcpy(to, from, n), to);
        for (size_t i = 0; i <= SIZE; i++)
            assert_int_equal(to[i], i < n ? from[i] : 0);
        assert_ptr_equal(own_memset(to, 0x1a5, n), to);
        for (size_t i = 0; i <= SIZE; i++)
            assert_int_equal(to[i], i < n ? 0xa5 : 0);
    }
}

/* Every overlap within a small buffer. */
static void move(void **state)
{
    (void)state;
    for (size_t n = 0; n <= SIZE; n += 3) {
        for (size_t from = 0; from + n <= SIZE; from++) {
            for (size_t to = 0; to + n <= SIZE; to++) {
                uint8_t ours[SIZE], theirs[SIZE];
                number(ours);
                number(theirs);
                assert_ptr_equal(own_memmove(ours + to, ours + from, n), ours + to);
                move_by_library(theirs + to, theirs + from, n);
                for (int i = 0; i < SIZE; i++)
                    assert_int_equal(ours[i], theirs[i]);
            }
        }
    }
}

static void compare(void **state)
{
    static const char *const texts[] = {"", "a", "ab", "abc", "abd", "b", "\xff", "a\xff"};

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        assert_int_equal(own_strlen(texts[i]), length_by_library(texts[i]));
        for (size_t j = 0; j < sizeof(texts) / sizeof(texts[0]); j++) {
            char a[8] = {0}, b[8] = {0};
            own_memcpy(a, texts[i], own_strlen(texts[i]));
            own_memcpy(b, texts[j], own_strlen(texts[j]));
            for (size_t n = 0; n <= sizeof(a); n++)
                assert_int_equal(sign(own_memcmp(a, b, n)), compare_by_library(a, b, n));
            assert_int_equal(sign(own_strcmp(a, b)), compare_text_by_library(a, b));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(copy_and_fill),
        cmocka_unit_test(move),
        cmocka_unit_test(compare),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
