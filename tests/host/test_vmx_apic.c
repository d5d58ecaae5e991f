/* SPDX-License-Identifier: BSD-2-Clause */
/* links: vmx/apic_rules.c vmx/caps.c */
/* Which help with the APIC may be used together, and which MSRs it takes from the exits. */
#include "vmx/apic_rules.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "core/bits.h"

static struct vmx_caps caps_with(uint64_t primary, uint64_t secondary, uint64_t pin)
{
    struct vmx_caps caps = {0};
    caps.word[VMX_PRIMARY].may_be_1 = primary;
    caps.word[VMX_SECONDARY].may_be_1 = secondary;
    caps.word[VMX_PIN].may_be_1 = pin;
    return caps;
}

#define TPR_SHADOW_BIT BIT(21)
#define SECONDARY_BITS (BIT(0) | BIT(4) | BIT(8) | BIT(9))
#define POSTED_BIT     BIT(7)

static void test_each_needs_what_it_stands_on(void **state)
{
    (void)state;
    struct vmx_caps all = caps_with(TPR_SHADOW_BIT, SECONDARY_BITS, POSTED_BIT);
    vmx_apic_set most = VMX_APIC_ALL & ~APIC_SET(IPI);
    assert_int_equal(vmx_apic_usable(&all, VMX_APIC_ALL), most);
    assert_int_equal(vmx_apic_usable(&all, most & ~APIC_SET(TPR_SHADOW)), 0);
    assert_int_equal(vmx_apic_usable(&all, most & ~APIC_SET(DELIVERY)),
                     most & ~(APIC_SET(DELIVERY) | APIC_SET(POSTED)));
    for (unsigned help = VMX_APIC_ACCESS; help < VMX_APIC_IPI; help++)
        if (help != VMX_APIC_DELIVERY)
            assert_int_equal(vmx_apic_usable(&all, most & ~(1u << help)), most & ~(1u << help));
}

static void test_refusals_say_why(void **state)
{
    (void)state;
    struct vmx_caps old = caps_with(TPR_SHADOW_BIT, BIT(0), 0);
    assert_null(vmx_apic_refusal(&old, VMX_APIC_ALL, VMX_APIC_TPR_SHADOW));
    assert_string_equal(vmx_apic_refusal(&old, VMX_APIC_ALL, VMX_APIC_DELIVERY),
                        "not in this processor");
    assert_string_equal(vmx_apic_refusal(&old, 0, VMX_APIC_ACCESS), "off in the configuration");
    assert_string_equal(vmx_apic_refusal(&old, APIC_SET(ACCESS), VMX_APIC_ACCESS),
                        "needs TPR shadow");
}

static void test_msrs_without_exit(void **state)
{
    (void)state;
    vmx_apic_set set = APIC_SET(TPR_SHADOW) | APIC_SET(X2APIC);
    assert_int_equal(apic_direct_reads(APIC_SET(TPR_SHADOW) | APIC_SET(REGISTERS)), 0);
    assert_int_equal(apic_direct_writes(APIC_SET(TPR_SHADOW) | APIC_SET(DELIVERY)), 0);
    assert_int_equal(apic_direct_reads(set), BIT(0x08));
    assert_int_equal(apic_direct_writes(set), BIT(0x08));
    assert_int_equal(apic_direct_writes(set | APIC_SET(DELIVERY)),
                     BIT(0x08) | BIT(0x0b) | BIT(0x3f));
    uint64_t reads = apic_direct_reads(VMX_APIC_ALL & ~APIC_SET(ACCESS));
    /* Absent, write-only and computed: EOI, DFR, ICR2, the current count, SELF IPI. */
    assert_int_equal(reads & (BIT(0x0b) | BIT(0x0e) | BIT(0x31) | BIT(0x39) | BIT(0x3f)), 0);
    assert_true(reads & BIT(0x0a));
    assert_false(apic_direct_reads(set | APIC_SET(REGISTERS)) & BIT(0x0a));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_needs_what_it_stands_on),
        cmocka_unit_test(test_refusals_say_why),
        cmocka_unit_test(test_msrs_without_exit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
