/* SPDX-License-Identifier: BSD-2-Clause */
/* links: vmx/control_rules.c vmx/msr_rules.c vmx/segment_rules.c */
/* Register writes that raise #GP, and memory operands that leave their segments. */
#include "vmx/control_rules.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "vmx/msr_rules.h"
#include "vmx/segment_rules.h"

static struct control_state protected_mode(void)
{
    return (struct control_state){
        .cr0 = CR0_PE | CR0_ET,
        .cr4_allowed = CR4_PAE | CR4_PGE | CR4_PSE | CR4_PCIDE | CR4_OSFXSR,
        .efer_allowed = EFER_SCE | EFER_LME | EFER_NXE,
    };
}

static struct control_state long_mode(void)
{
    struct control_state s = protected_mode();
    s.cr0 |= CR0_PG;
    s.cr4 = CR4_PAE;
    s.efer = EFER_LME | EFER_LMA;
    s.cs_long = true;
    return s;
}

static void test_cr0_combinations(void **state)
{
    (void)state;
    struct control_state s = protected_mode();
    assert_true(cr0_write_allowed(&s, CR0_PE));
    assert_true(cr0_write_allowed(&s, 0));
    assert_true(cr0_write_allowed(&s, CR0_PE | CR0_PG));
    assert_false(cr0_write_allowed(&s, CR0_PG));
    assert_true(cr0_write_allowed(&s, CR0_CD));
    assert_true(cr0_write_allowed(&s, CR0_CD | CR0_NW));
    assert_false(cr0_write_allowed(&s, CR0_NW));
    assert_false(cr0_write_allowed(&s, CR0_PE | BIT(32)));
    assert_true(cr0_write_allowed(&s, CR0_PE | BIT(6)));
}

static void test_long_mode_activation(void **state)
{
    (void)state;
    struct control_state s = protected_mode();
    s.efer = EFER_LME;
    assert_false(cr0_write_allowed(&s, CR0_PE | CR0_PG));
    s.cr4 = CR4_PAE;
    assert_true(cr0_write_allowed(&s, CR0_PE | CR0_PG));
    s.cs_long = true;
    assert_false(cr0_write_allowed(&s, CR0_PE | CR0_PG));
    s.cs_long = false;
    s.tss_16bit = true;
    assert_false(cr0_write_allowed(&s, CR0_PE | CR0_PG));
}

static void test_paging_off(void **state)
{
    (void)state;
    struct control_state s = long_mode();
    assert_false(cr0_write_allowed(&s, CR0_PE));
    s.cs_long = false;
    assert_true(cr0_write_allowed(&s, CR0_PE));
    s.cr4 |= CR4_PCIDE;
    assert_false(cr0_write_allowed(&s, CR0_PE));
}

static void test_efer_follows_paging(void **state)
{
    (void)state;
    assert_int_equal(efer_after_cr0(EFER_LME, CR0_PE | CR0_PG), EFER_LME | EFER_LMA);
    assert_int_equal(efer_after_cr0(EFER_LME | EFER_LMA, CR0_PE), EFER_LME);
    assert_int_equal(efer_after_cr0(EFER_NXE, CR0_PE | CR0_PG), EFER_NXE);
}

static void test_cr4(void **state)
{
    (void)state;
    struct control_state s = protected_mode();
    assert_true(cr4_write_allowed(&s, CR4_PAE | CR4_PGE));
    assert_false(cr4_write_allowed(&s, CR4_VMXE));
    assert_false(cr4_write_allowed(&s, CR4_PCIDE));

    s = long_mode();
    assert_false(cr4_write_allowed(&s, CR4_PGE));
    assert_true(cr4_write_allowed(&s, CR4_PAE | CR4_PCIDE));
    s.cr3 = 0x1001;
    assert_false(cr4_write_allowed(&s, CR4_PAE | CR4_PCIDE));
    s.cr4 |= CR4_PCIDE;
    assert_true(cr4_write_allowed(&s, CR4_PAE | CR4_PCIDE));

    s = long_mode();
    s.cr4_allowed |= CR4_LA57;
    assert_false(cr4_write_allowed(&s, CR4_PAE | CR4_LA57));
    s.cr4 |= CR4_LA57;
    assert_true(cr4_write_allowed(&s, CR4_PAE | CR4_LA57));
    assert_false(cr4_write_allowed(&s, CR4_PAE));
    s = protected_mode();
    assert_false(cr4_write_allowed(&s, CR4_PAE | CR4_LA57));
    s.cr4_allowed |= CR4_LA57;
    assert_true(cr4_write_allowed(&s, CR4_PAE | CR4_LA57));
}

static void test_efer(void **state)
{
    (void)state;
    struct control_state s = protected_mode();
    assert_true(efer_write_allowed(&s, EFER_LME | EFER_SCE | EFER_NXE));
    assert_true(efer_write_allowed(&s, EFER_LMA));
    assert_false(efer_write_allowed(&s, BIT(12)));
    s = long_mode();
    assert_true(efer_write_allowed(&s, EFER_LME | EFER_NXE));
    assert_false(efer_write_allowed(&s, EFER_NXE));
}

static void test_pdpte_reserved(void **state)
{
    (void)state;
    assert_int_equal(pdpte_reserved(36), 0xfffffff0000001e6);
    assert_int_equal(pdpte_reserved(52), 0xfff00000000001e6);
}

static void test_msr_values(void **state)
{
    (void)state;
    assert_true(msr_value_allowed(MSR_IA32_PAT, 0x0007040600070406, 48));
    assert_true(msr_value_allowed(MSR_IA32_PAT, 0x0105040600070406, 48));
    assert_false(msr_value_allowed(MSR_IA32_PAT, 0x0007040600070402, 48));
    assert_false(msr_value_allowed(MSR_IA32_PAT, 0x0307040600070406, 48));
    assert_false(msr_value_allowed(MSR_IA32_PAT, 0x8007040600070406, 48));
    assert_true(msr_value_allowed(MSR_IA32_LSTAR, 0xffff800000000000, 48));
    assert_false(msr_value_allowed(MSR_IA32_LSTAR, 0x0000800000000000, 48));
    assert_false(msr_value_allowed(MSR_IA32_KERNEL_GS_BASE, 0xffff7fffffffffff, 48));
    assert_true(msr_value_allowed(MSR_IA32_SYSENTER_EIP, 0x00007fffffffffff, 48));
    assert_true(msr_value_allowed(MSR_IA32_LSTAR, 0x00ffffffffffffff, 57));
    assert_false(msr_value_allowed(MSR_IA32_LSTAR, 0x0100000000000000, 57));
    assert_false(msr_value_allowed(MSR_IA32_TSC_AUX, BIT(32), 48));
    assert_true(msr_value_allowed(MSR_IA32_STAR, UINT64_MAX, 48));
}

static const struct vmx_segment flat = {
    .limit = 0xffffffff,
    .access = SEGMENT_P | SEGMENT_S | SEGMENT_WRITABLE | SEGMENT_DB | SEGMENT_G,
};

static bool fits(struct vmx_segment segment, struct segment_use use)
{
    uint64_t linear;
    return segment_linear(&segment, &use, &linear);
}

static void test_limits(void **state)
{
    (void)state;
    struct vmx_segment s = flat;
    s.limit = 0xfff;
    assert_true(fits(s, (struct segment_use){.offset = 0xffc, .size = 4}));
    assert_false(fits(s, (struct segment_use){.offset = 0xffd, .size = 4}));
    assert_false(fits(s, (struct segment_use){.offset = 0x1000, .size = 1}));

    s.access |= SEGMENT_DOWN;
    assert_false(fits(s, (struct segment_use){.offset = 0xfff, .size = 1}));
    assert_true(fits(s, (struct segment_use){.offset = 0x1000, .size = 1}));
    assert_true(fits(s, (struct segment_use){.offset = 0xfffffffc, .size = 4}));
    assert_false(fits(s, (struct segment_use){.offset = 0xfffffffd, .size = 4}));
    s.access &= ~(uint32_t)SEGMENT_DB;
    assert_true(fits(s, (struct segment_use){.offset = 0xfffe, .size = 2}));
    assert_false(fits(s, (struct segment_use){.offset = 0xffff, .size = 2}));
}

static void test_types(void **state)
{
    (void)state;
    struct segment_use read = {.offset = 0, .size = 1};
    struct segment_use write = {.offset = 0, .size = 1, .write = true};
    struct segment_use real_write = {.offset = 0, .size = 1, .write = true, .real_mode = true};
    struct vmx_segment s = flat;
    assert_true(fits(s, write));
    s.access &= ~(uint32_t)SEGMENT_WRITABLE;
    assert_true(fits(s, read));
    assert_false(fits(s, write));
    assert_true(fits(s, real_write));

    s.access |= SEGMENT_CODE;
    assert_false(fits(s, read));
    s.access |= SEGMENT_WRITABLE;
    assert_true(fits(s, read));
    assert_false(fits(s, write));

    s = flat;
    s.access |= SEGMENT_UNUSABLE;
    assert_false(fits(s, read));
}

static void test_linear_addresses(void **state)
{
    (void)state;
    struct vmx_segment s = flat;
    s.base = 0xfffff000;
    uint64_t linear;
    struct segment_use use = {.offset = 0x2000, .size = 1};
    assert_true(segment_linear(&s, &use, &linear));
    assert_int_equal(linear, 0x1000);

    use.long_mode = true;
    assert_true(segment_linear(&s, &use, &linear));
    assert_int_equal(linear, 0x2000);
    use.has_base = true;
    assert_true(segment_linear(&s, &use, &linear));
    assert_int_equal(linear, 0x100001000);
    use.offset = 0x00007fffffffffff;
    use.has_base = false;
    assert_true(segment_linear(&s, &use, &linear));
    use.size = 2;
    assert_false(segment_linear(&s, &use, &linear));
    use.la57 = true;
    assert_true(segment_linear(&s, &use, &linear));
    use.offset = 0x00ffffffffffffff;
    assert_false(segment_linear(&s, &use, &linear));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cr0_combinations),
        cmocka_unit_test(test_long_mode_activation),
        cmocka_unit_test(test_paging_off),
        cmocka_unit_test(test_efer_follows_paging),
        cmocka_unit_test(test_cr4),
        cmocka_unit_test(test_efer),
        cmocka_unit_test(test_pdpte_reserved),
        cmocka_unit_test(test_msr_values),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_types),
        cmocka_unit_test(test_linear_addresses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
