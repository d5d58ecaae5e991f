/* SPDX-License-Identifier: BSD-2-Clause */
/* Sparse sets of virtual processors. links: core/hyperv/vp_set.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "core/hyperv/vp_set.h"

enum { VPS = 4096 };

static struct hv_vp_set set;

static void masks(void **state)
{
    const uint64_t ends = 1ull << 63 | 1, none = 0;

    (void)state;
    set = hv_vp_set_from_mask(&ends);
    for (uint32_t i = 0; i < VPS; i++)
        assert_int_equal(hv_vp_set_has(&set, i), i == 0 || i == 63);
    assert_false(hv_vp_set_is_empty(&set));
    set = hv_vp_set_from_mask(&none);
    assert_true(hv_vp_set_is_empty(&set));
}

static void all(void **state)
{
    (void)state;
    assert_true(hv_vp_set_from_sparse(&set, 1, 0, NULL, 0));
    for (uint32_t i = 0; i < VPS; i++)
        assert_true(hv_vp_set_has(&set, i));
    assert_false(hv_vp_set_is_empty(&set));
    assert_false(hv_vp_set_from_sparse(&set, 1, 0, (const uint64_t *)&set, 8));
}

static void banks(void **state)
{
    uint64_t list[64];

    (void)state;
    srand(1);
    for (unsigned round = 0; round < 2000; round++) {
        uint64_t valid = ((uint64_t)rand() << 32 ^ (uint64_t)rand() << 11) >> round % 64;
        uint64_t expected[64] = {0};
        size_t count = 0;

        for (unsigned i = 0; i < 64; i++)
            if (valid >> i & 1)
                expected[i] = list[count++] = (uint64_t)rand() << 40 ^ (uint64_t)rand();
        assert_true(hv_vp_set_from_sparse(&set, 0, valid, list, count * sizeof(list[0])));
        for (uint32_t i = 0; i < VPS; i++)
            assert_int_equal(hv_vp_set_has(&set, i), expected[i / 64] >> i % 64 & 1);
    }
}

static void wrong_number_of_banks(void **state)
{
    uint64_t list[64] = {0};

    (void)state;
    assert_false(hv_vp_set_from_sparse(&set, 0, 7, list, 2 * sizeof(list[0])));
    assert_false(hv_vp_set_from_sparse(&set, 0, 7, list, 4 * sizeof(list[0])));
    assert_false(hv_vp_set_from_sparse(&set, 0, 1, list, 0));
    assert_false(hv_vp_set_from_sparse(&set, 0, 0, list, 8));
    assert_false(hv_vp_set_from_sparse(&set, 2, 0, list, 0));
    assert_true(hv_vp_set_from_sparse(&set, 0, ~0ull, list, sizeof(list)));
    assert_true(hv_vp_set_is_empty(&set));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(masks),
        cmocka_unit_test(all),
        cmocka_unit_test(banks),
        cmocka_unit_test(wrong_number_of_banks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
