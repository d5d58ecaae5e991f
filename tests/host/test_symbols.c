/* SPDX-License-Identifier: BSD-2-Clause */
/* Look-up of function names. links: core/symbols.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/symbols.h"

static const char table[] = "ffffffff80000040 first\0"
                            "ffffffff800000a0 second\0"
                            "ffffffff8000abcd last";

static void expect(vaddr_t address, const char *name, uint64_t offset)
{
    uint64_t at = 0;

    assert_string_equal(symbols_lookup(address, &at), name);
    assert_int_equal(at, offset);
}

static void nearest_function_below(void **state)
{
    uint64_t offset;

    (void)state;
    symbols_init(table, sizeof(table));
    assert_null(symbols_lookup(0xffffffff8000003f, &offset));
    expect(0xffffffff80000040, "first", 0);
    expect(0xffffffff8000009f, "first", 0x5f);
    expect(0xffffffff800000a0, "second", 0);
    expect(0xffffffff8000abcc, "second", 0xab2c);
    expect(0xffffffff8000abcd, "last", 0);
    expect(0xffffffffffffffff, "last", 0x7fff5432);
}

static void nothing_is_found_without_a_table(void **state)
{
    uint64_t offset;

    (void)state;
    symbols_init(table, 0);
    assert_null(symbols_lookup(0xffffffff80000040, &offset));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nearest_function_below),
        cmocka_unit_test(nothing_is_found_without_a_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
