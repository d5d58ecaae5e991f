/* SPDX-License-Identifier: BSD-2-Clause */
/* The guest's MTRRs. links: core/guest/mtrr.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/guest/mtrr.h"
#include "core/x86.h"

enum { MAXPHYADDR = 39 };

static void test_which_msrs(void **state)
{
    unsigned count = 0;

    (void)state;
    for (uint32_t msr = 0; msr < 0x400; msr++)
        count += mtrr_has(msr);
    assert_int_equal(count, 1 + 1 + MTRR_FIXED + 2 * MTRR_VARIABLE);
    assert_true(mtrr_has(MSR_IA32_MTRR_PHYSMASK0 + 2 * (MTRR_VARIABLE - 1)));
    assert_false(mtrr_has(MSR_IA32_MTRR_PHYSBASE0 + 2 * MTRR_VARIABLE));
    assert_false(mtrr_has(MSR_IA32_PAT));
}

static void test_every_register_keeps_its_own_value(void **state)
{
    struct mtrr mtrr;
    uint64_t written[0x400] = {0};

    (void)state;
    mtrr_reset(&mtrr);
    for (uint32_t msr = 0; msr < 0x400; msr++) {
        if (!mtrr_has(msr) || msr == MSR_IA32_MTRRCAP || msr == MSR_IA32_MTRR_DEF_TYPE)
            continue;
        /* Fixed ranges take eight types; the variable ones an address and, in a base, a type. */
        written[msr] = msr >= MSR_IA32_MTRR_FIX64K_00000
                           ? 0x0606060606060600u | (msr & 1 ? MEMORY_TYPE_WT : MEMORY_TYPE_WC)
                           : (uint64_t)msr << 12;
        assert_true(mtrr_write(&mtrr, msr, written[msr], MAXPHYADDR));
    }
    for (uint32_t msr = 0; msr < 0x400; msr++)
        if (written[msr] != 0)
            assert_int_equal(mtrr_read(&mtrr, msr), written[msr]);
}

static void refused(struct mtrr *mtrr, uint32_t msr, uint64_t value)
{
    uint64_t before = mtrr_read(mtrr, msr);

    assert_false(mtrr_write(mtrr, msr, value, MAXPHYADDR));
    assert_int_equal(mtrr_read(mtrr, msr), before);
}

static void test_wrong_values_are_refused(void **state)
{
    struct mtrr mtrr;

    (void)state;
    mtrr_reset(&mtrr);
    refused(&mtrr, MSR_IA32_MTRRCAP, 0);
    refused(&mtrr, MSR_IA32_MTRR_DEF_TYPE, 2);       /* no such type */
    refused(&mtrr, MSR_IA32_MTRR_DEF_TYPE, BIT(12)); /* reserved */
    refused(&mtrr, MSR_IA32_MTRR_PHYSBASE0, 3);
    refused(&mtrr, MSR_IA32_MTRR_PHYSBASE0, BIT(8));
    refused(&mtrr, MSR_IA32_MTRR_PHYSBASE0, BIT(MAXPHYADDR));
    refused(&mtrr, MSR_IA32_MTRR_PHYSMASK0, BIT(10));
    refused(&mtrr, MSR_IA32_MTRR_PHYSMASK0, BIT(MAXPHYADDR));
    for (unsigned i = 0; i < 8; i++)
        refused(&mtrr, MSR_IA32_MTRR_FIX4K_F8000, 7ull << (8 * i));
    assert_true(
        mtrr_write(&mtrr, MSR_IA32_MTRR_PHYSMASK0, BIT(MAXPHYADDR - 1) | BIT(11), MAXPHYADDR));
}

static void test_reset_is_write_back(void **state)
{
    struct mtrr mtrr;

    (void)state;
    mtrr_reset(&mtrr);
    assert_int_equal(mtrr_read(&mtrr, MSR_IA32_MTRR_DEF_TYPE), BIT(11) | MEMORY_TYPE_WB);
    assert_int_equal(mtrr_read(&mtrr, MSR_IA32_MTRRCAP) & 0xff, MTRR_VARIABLE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_which_msrs),
        cmocka_unit_test(test_every_register_keeps_its_own_value),
        cmocka_unit_test(test_wrong_values_are_refused),
        cmocka_unit_test(test_reset_is_write_back),
    };

    return cmocka_run_group_tests_name("mtrr", tests, NULL, NULL);
}
