/* SPDX-License-Identifier: BSD-2-Clause */
/* links: vmx/exit.c */
/* Exit qualifications, built from the tables of SDM Vol 3C, and how events combine. */
#include "vmx/exit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/x86.h"

static void test_io(void **state)
{
    (void)state;
    struct io_exit in = decode_io(0x03f80000 | BIT(3));
    assert_int_equal(in.port, 0x3f8);
    assert_int_equal(in.size, 1);
    assert_true(in.in);
    assert_false(in.string);
    assert_false(in.rep);

    struct io_exit outs = decode_io(0xffff0000 | 3 | BIT(4) | BIT(5) | BIT(6));
    assert_int_equal(outs.port, 0xffff);
    assert_int_equal(outs.size, 4);
    assert_false(outs.in);
    assert_true(outs.string);
    assert_true(outs.rep);
    assert_int_equal(decode_io(1).size, 2);
}

static void test_string_io(void **state)
{
    (void)state;
    struct string_io s = decode_string_io(0 << 7 | VMX_SS << 15);
    assert_int_equal(s.address_mask, 0xffff);
    assert_int_equal(s.segment, VMX_SS);
    assert_int_equal(decode_string_io(1 << 7).address_mask, 0xffffffff);
    assert_int_equal(decode_string_io(2 << 7).address_mask, UINT64_MAX);
    assert_int_equal(decode_string_io(VMX_GS << 15).segment, VMX_GS);
}

static void test_cr(void **state)
{
    (void)state;
    struct cr_exit mov = decode_cr(8 | CR_MOV_FROM << 4 | VMX_R13 << 8);
    assert_int_equal(mov.number, 8);
    assert_int_equal(mov.kind, CR_MOV_FROM);
    assert_int_equal(mov.gpr, VMX_R13);
    struct cr_exit lmsw = decode_cr(CR_LMSW << 4 | 0xfffbull << 16);
    assert_int_equal(lmsw.kind, CR_LMSW);
    assert_int_equal(lmsw.lmsw_source, 0xfffb);
}

static void test_task_switch(void **state)
{
    (void)state;
    struct task_switch t = decode_task_switch(0x48 | 3ull << 30);
    assert_int_equal(t.selector, 0x48);
    assert_int_equal(t.source, TASK_GATE);
    assert_int_equal(decode_task_switch(1ull << 30).source, TASK_IRET);
}

static void test_ept_violation(void **state)
{
    (void)state;
    struct vmx_ept_violation v = decode_ept_violation(BIT(1) | BIT(3) | BIT(5) | BIT(7) | BIT(8));
    assert_int_equal(v.access, VMX_ACCESS_WRITE);
    assert_int_equal(v.rights, EPT_R | EPT_X);
    assert_true(v.gla_valid);
    assert_false(v.table_walk);

    v = decode_ept_violation(BIT(2) | BIT(6) | BIT(7));
    assert_int_equal(v.access, VMX_ACCESS_EXECUTE);
    assert_int_equal(v.rights, EPT_UX);
    assert_true(v.table_walk);

    v = decode_ept_violation(BIT(0));
    assert_int_equal(v.access, 0);
    assert_false(v.gla_valid);
    assert_false(v.table_walk);
}

static void test_apic_access(void **state)
{
    (void)state;
    struct vmx_ept_violation a = decode_apic_access(0x1300);
    assert_int_equal(a.gpa, 0x300);
    assert_int_equal(a.access, VMX_ACCESS_WRITE);
    assert_false(a.table_walk || a.in_delivery);
    assert_int_equal(decode_apic_access(0x0390).access, 0);
    assert_int_equal(decode_apic_access(0x2000).access, VMX_ACCESS_EXECUTE);
    assert_true(decode_apic_access(0x3000).in_delivery);
    assert_true(decode_apic_access(0xa000).in_delivery);
    assert_true(decode_apic_access(0xf000).table_walk);
}

static uint32_t exception(uint8_t vector)
{
    return event_info(EVENT_HARDWARE_EXCEPTION, vector);
}

/* SDM Vol 3A, table "Conditions for Generating a Double Fault", cell by cell. */
static void test_combinations(void **state)
{
    (void)state;
    static const uint8_t benign[] = {EXCEPTION_DB, EXCEPTION_UD, EXCEPTION_NM, EXCEPTION_AC};
    static const uint8_t contributory[] = {EXCEPTION_DE, EXCEPTION_TS, EXCEPTION_NP, EXCEPTION_SS,
                                           EXCEPTION_GP};
    for (unsigned i = 0; i < ARRAY_SIZE(benign); i++) {
        for (unsigned j = 0; j < ARRAY_SIZE(contributory); j++) {
            uint8_t b = benign[i], c = contributory[j];
            assert_int_equal(combine_events(exception(b), c), COMBINE_SECOND);
            assert_int_equal(combine_events(exception(c), b), COMBINE_SECOND);
            assert_int_equal(combine_events(exception(c), EXCEPTION_PF), COMBINE_SECOND);
            assert_int_equal(combine_events(exception(EXCEPTION_PF), c), COMBINE_DOUBLE_FAULT);
            assert_int_equal(combine_events(exception(EXCEPTION_DF), c), COMBINE_SHUTDOWN);
        }
        assert_int_equal(combine_events(exception(EXCEPTION_PF), benign[i]), COMBINE_SECOND);
        assert_int_equal(combine_events(exception(benign[i]), EXCEPTION_PF), COMBINE_SECOND);
        assert_int_equal(combine_events(exception(EXCEPTION_DF), benign[i]), COMBINE_SECOND);
    }
    for (unsigned i = 0; i < ARRAY_SIZE(contributory); i++) {
        for (unsigned j = 0; j < ARRAY_SIZE(contributory); j++)
            assert_int_equal(combine_events(exception(contributory[i]), contributory[j]),
                             COMBINE_DOUBLE_FAULT);
    }
    assert_int_equal(combine_events(exception(EXCEPTION_PF), EXCEPTION_PF), COMBINE_DOUBLE_FAULT);
    assert_int_equal(combine_events(exception(EXCEPTION_DF), EXCEPTION_PF), COMBINE_SHUTDOWN);
}

static void test_only_exceptions_combine(void **state)
{
    (void)state;
    static const enum event_type types[] = {EVENT_EXTERNAL_INTERRUPT, EVENT_NMI,
                                            EVENT_SOFTWARE_INTERRUPT, EVENT_SOFTWARE_EXCEPTION};
    for (unsigned i = 0; i < ARRAY_SIZE(types); i++)
        assert_int_equal(combine_events(event_info(types[i], EXCEPTION_GP), EXCEPTION_PF),
                         COMBINE_SECOND);
}

static void test_names(void **state)
{
    (void)state;
    assert_string_equal(vmx_exit_name(EXIT_CPUID), "CPUID");
    assert_string_equal(vmx_exit_name(EXIT_XRSTORS), "XRSTORS");
    assert_null(vmx_exit_name(35));
    assert_null(vmx_exit_name(VMX_EXIT_REASONS));
    assert_null(vmx_exit_name(UINT32_MAX));
    assert_string_equal(instruction_error_text(7), "VM entry with invalid control fields");
    assert_string_equal(instruction_error_text(28), "invalid operand to INVEPT or INVVPID");
    assert_string_equal(instruction_error_text(0), "unknown");
    assert_string_equal(instruction_error_text(29), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_io),
        cmocka_unit_test(test_string_io),
        cmocka_unit_test(test_cr),
        cmocka_unit_test(test_task_switch),
        cmocka_unit_test(test_ept_violation),
        cmocka_unit_test(test_apic_access),
        cmocka_unit_test(test_combinations),
        cmocka_unit_test(test_only_exceptions_combine),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
