/* SPDX-License-Identifier: BSD-2-Clause */
/* links: vmx/caps.c */
/* VMX capabilities of invented processors. */
#include "vmx/caps.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/bits.h"
#include "core/x86.h"

struct processor {
    uint64_t basic, pin, primary, secondary, tertiary, exit, entry, ept_vpid;
    bool true_controls;
    unsigned reads_of_absent;
};

/* A processor with everything that may be set and nothing that must be. */
static struct processor full(void)
{
    return (struct processor){
        .basic = 0x12345678 | BIT(54) | BIT(55),
        .pin = MASK(63, 32),
        .primary = MASK(63, 32),
        .secondary = MASK(63, 32),
        .tertiary = ~0ull,
        .exit = MASK(63, 32),
        .entry = MASK(63, 32),
        .ept_vpid = ~0ull,
        .true_controls = true,
    };
}

static uint64_t read_control(struct processor *p, bool true_msr, uint64_t value)
{
    if (true_msr && !p->true_controls)
        p->reads_of_absent++;
    /* Without the TRUE MSRs the default1 bits cannot be cleared. */
    return true_msr ? value : value | 0x0401e172;
}

static struct processor *asked;

static uint64_t read_msr(uint32_t msr)
{
    struct processor *p = asked;
    switch (msr) {
    case MSR_IA32_VMX_BASIC:
        return p->basic;
    case MSR_IA32_VMX_PINBASED_CTLS:
    case MSR_IA32_VMX_TRUE_PINBASED_CTLS:
        return read_control(p, msr == MSR_IA32_VMX_TRUE_PINBASED_CTLS, p->pin);
    case MSR_IA32_VMX_PROCBASED_CTLS:
    case MSR_IA32_VMX_TRUE_PROCBASED_CTLS:
        return read_control(p, msr == MSR_IA32_VMX_TRUE_PROCBASED_CTLS, p->primary);
    case MSR_IA32_VMX_EXIT_CTLS:
    case MSR_IA32_VMX_TRUE_EXIT_CTLS:
        return read_control(p, msr == MSR_IA32_VMX_TRUE_EXIT_CTLS, p->exit);
    case MSR_IA32_VMX_ENTRY_CTLS:
    case MSR_IA32_VMX_TRUE_ENTRY_CTLS:
        return read_control(p, msr == MSR_IA32_VMX_TRUE_ENTRY_CTLS, p->entry);
    case MSR_IA32_VMX_PROCBASED_CTLS2:
        p->reads_of_absent += !(p->primary & BIT(63));
        return p->secondary;
    case MSR_IA32_VMX_PROCBASED_CTLS3:
        p->reads_of_absent += !(p->primary & BIT(32 + 17));
        return p->tertiary;
    case MSR_IA32_VMX_EPT_VPID_CAP:
        p->reads_of_absent += !(p->secondary & (BIT(32 + 1) | BIT(32 + 5)));
        return p->ept_vpid;
    default:
        return 0;
    }
}

static struct vmx_caps caps_of(struct processor *p)
{
    struct vmx_caps caps;
    asked = p;
    vmx_caps_read(&caps, read_msr);
    assert_int_equal(p->reads_of_absent, 0);
    return caps;
}

static void refuses(struct processor p, const char *name)
{
    struct vmx_caps caps = caps_of(&p);
    enum vmx_feature next = 0;
    const char *missing = vmx_caps_missing(&caps, &next);
    assert_non_null(missing);
    assert_string_equal(missing, name);
}

static void accepts(struct processor p)
{
    struct vmx_caps caps = caps_of(&p);
    enum vmx_feature next = 0;
    assert_null(vmx_caps_missing(&caps, &next));
}

static void test_every_feature_of_a_full_processor(void **state)
{
    (void)state;
    struct processor p = full();
    struct vmx_caps caps = caps_of(&p);
    for (unsigned i = 0; i < VMX_FEATURES; i++) {
        assert_non_null(vmx_feature_name(i));
        assert_true(vmx_has(&caps, i));
        assert_true(is_power_of_two(vmx_feature_bit(&caps, i)));
    }
    assert_int_equal(vmx_revision(&caps), 0x12345678);
    accepts(p);
}

static void test_required_features_are_named(void **state)
{
    (void)state;
    struct processor p = full();
    p.secondary &= ~BIT(32 + 7);
    refuses(p, "unrestricted guest");

    p = full();
    p.secondary &= ~BIT(32 + 1);
    refuses(p, "EPT");

    p = full();
    p.primary &= ~BIT(63);
    refuses(p, "secondary controls");

    p = full();
    p.ept_vpid &= ~BIT(14);
    refuses(p, "EPT structures in write-back memory");

    p = full();
    p.pin &= ~BIT(32 + 5);
    refuses(p, "virtual NMIs");

    p = full();
    p.pin &= ~BIT(32 + 6);
    refuses(p, "VMX-preemption timer");
}

static void test_wanted_features_may_be_missing(void **state)
{
    (void)state;
    struct processor p = full();
    p.secondary &= ~(BIT(32 + 5) | BIT(32 + 9) | BIT(32 + 22));
    p.pin &= ~BIT(32 + 7);
    p.primary &= ~(BIT(32 + 17) | BIT(32 + 21));
    p.ept_vpid &= ~(BIT(16) | BIT(17) | BIT(32));
    accepts(p);
    struct vmx_caps caps = caps_of(&p);
    assert_false(vmx_has(&caps, VMX_VPID));
    assert_false(vmx_has(&caps, VMX_POSTED_INTERRUPTS));
    assert_false(vmx_has(&caps, VMX_IPI_VIRTUALIZATION));
    assert_int_equal(vmx_feature_bit(&caps, VMX_TPR_SHADOW), 0);
    assert_true(vmx_has(&caps, VMX_RDTSCP));
}

/* Without IA32_VMX_TRUE_* the CR3 exits are default1 and cannot be turned off. */
static void test_without_true_controls(void **state)
{
    (void)state;
    struct processor p = full();
    p.true_controls = false;
    p.basic &= ~BIT(55);
    refuses(p, "CR3 loads without exit");
}

static void test_control_value(void **state)
{
    (void)state;
    struct processor p = full();
    p.pin = 0x00000016 | (uint64_t)0x0000007f << 32;
    struct vmx_caps caps = caps_of(&p);
    assert_int_equal(vmx_control_value(&caps, VMX_PIN, 0x01), 0x17);
    assert_int_equal(vmx_control_value(&caps, VMX_PIN, 0x88), 0x1e);
}

static void test_feature_control(void **state)
{
    (void)state;
    assert_null(vmx_feature_control_refusal(0));
    assert_null(vmx_feature_control_refusal(5));
    assert_non_null(vmx_feature_control_refusal(1));
    assert_non_null(vmx_feature_control_refusal(3));
}

static void test_bochs_is_told_by_its_vmcs(void **state)
{
    (void)state;
    struct vmx_caps caps = {0};
    caps.word[VMX_BASIC].may_be_1 = 0x00d810000000002b;
    assert_true(vmx_caps_is_bochs(&caps));
    caps.word[VMX_BASIC].may_be_1 = 0x00d8100000000004; /* its Ice Lake model */
    assert_true(vmx_caps_is_bochs(&caps));
    caps.word[VMX_BASIC].may_be_1 = 0x00da040000000004; /* Intel's */
    assert_false(vmx_caps_is_bochs(&caps));
    caps.word[VMX_BASIC].may_be_1 = 0x00da04000000002b;
    assert_false(vmx_caps_is_bochs(&caps));
    caps.word[VMX_BASIC].may_be_1 = 0x00d8100011e57ed0;
    assert_false(vmx_caps_is_bochs(&caps));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_feature_of_a_full_processor),
        cmocka_unit_test(test_required_features_are_named),
        cmocka_unit_test(test_wanted_features_may_be_missing),
        cmocka_unit_test(test_without_true_controls),
        cmocka_unit_test(test_control_value),
        cmocka_unit_test(test_bochs_is_told_by_its_vmcs),
        cmocka_unit_test(test_feature_control),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
