/* SPDX-License-Identifier: BSD-2-Clause */
/* links: vmx/tss.c */
/* Task-state segments in memory, descriptors, and what a task switch refuses to load. */
#include "vmx/tss.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/bits.h"
#include "core/x86.h"

/* Each byte holds its own offset, so a field shows where it was read. */
static void fill(uint8_t *bytes, unsigned size)
{
    for (unsigned i = 0; i < size; i++)
        bytes[i] = (uint8_t)i;
}

static uint32_t bytes_from(unsigned offset, unsigned size)
{
    uint32_t value = 0;
    for (unsigned i = 0; i < size; i++)
        value |= (uint32_t)(offset + i) << 8 * i;
    return value;
}

/* SDM Vol 3A, figure "32-Bit Task-State Segment (TSS)". */
static void test_decode_32(void **state)
{
    (void)state;
    uint8_t bytes[TSS_SIZE_32];
    struct task_image t;
    fill(bytes, sizeof(bytes));
    tss_decode(&t, bytes, true);
    assert_int_equal(t.link, bytes_from(0, 2));
    assert_int_equal(t.cr3, bytes_from(28, 4));
    assert_int_equal(t.eip, bytes_from(32, 4));
    assert_int_equal(t.eflags, bytes_from(36, 4));
    assert_int_equal(t.gpr[VMX_RAX], bytes_from(40, 4));
    assert_int_equal(t.gpr[VMX_GPR_RSP], bytes_from(56, 4));
    assert_int_equal(t.gpr[VMX_RDI], bytes_from(68, 4));
    assert_int_equal(t.selector[VMX_ES], bytes_from(72, 2));
    assert_int_equal(t.selector[VMX_GS], bytes_from(92, 2));
    assert_int_equal(t.ldt, bytes_from(96, 2));
    assert_false(t.trap);
    bytes[100] = 1;
    tss_decode(&t, bytes, true);
    assert_true(t.trap);
}

/* SDM Vol 3A, figure "16-Bit TSS Format". */
static void test_decode_16(void **state)
{
    (void)state;
    uint8_t bytes[TSS_SIZE_16];
    struct task_image t;
    fill(bytes, sizeof(bytes));
    tss_decode(&t, bytes, false);
    assert_int_equal(t.link, bytes_from(0, 2));
    assert_int_equal(t.eip, bytes_from(14, 2));
    assert_int_equal(t.eflags, bytes_from(16, 2));
    assert_int_equal(t.gpr[VMX_RAX], bytes_from(18, 2));
    assert_int_equal(t.gpr[VMX_RDI], bytes_from(32, 2));
    assert_int_equal(t.selector[VMX_ES], bytes_from(34, 2));
    assert_int_equal(t.selector[VMX_DS], bytes_from(40, 2));
    assert_int_equal(t.selector[VMX_FS], 0);
    assert_int_equal(t.ldt, bytes_from(42, 2));
    assert_int_equal(t.cr3, 0);
}

static void saves_only_its_part(bool is_32bit, unsigned size)
{
    uint8_t bytes[TSS_SIZE_MAX];
    struct task_image t = {.eip = 0x11111111, .eflags = 0x22222222}, back;
    for (unsigned i = 0; i < TASK_GPRS; i++)
        t.gpr[i] = 0x01010101 * (i + 1);
    for (unsigned i = 0; i < TASK_SELECTORS; i++)
        t.selector[i] = (uint16_t)(0x100 + i);
    memset(bytes, 0xee, sizeof(bytes));
    tss_encode(bytes, &t, is_32bit);

    struct tss_part part = tss_saved_part(is_32bit);
    for (unsigned i = 0; i < sizeof(bytes); i++) {
        if (i < part.offset || i >= part.offset + part.size)
            assert_int_equal(bytes[i], 0xee);
        else
            assert_int_not_equal(bytes[i], 0xee);
    }
    assert_true(part.offset + part.size <= size);
    tss_decode(&back, bytes, is_32bit);
    uint32_t mask = is_32bit ? UINT32_MAX : UINT16_MAX;
    assert_int_equal(back.eip, t.eip & mask);
    assert_int_equal(back.eflags, t.eflags & mask);
    for (unsigned i = 0; i < TASK_GPRS; i++)
        assert_int_equal(back.gpr[i], t.gpr[i] & mask);
    assert_int_equal(back.selector[VMX_DS], t.selector[VMX_DS]);
}

static void test_encode(void **state)
{
    (void)state;
    saves_only_its_part(true, TSS_SIZE_32);
    saves_only_its_part(false, TSS_SIZE_16);
    assert_int_equal(tss_saved_part(true).offset, 32);
    assert_int_equal(tss_saved_part(true).size, 64);
    assert_int_equal(tss_saved_part(false).offset, 14);
    assert_int_equal(tss_saved_part(false).size, 28);
}

static void test_descriptors(void **state)
{
    (void)state;
    struct vmx_segment s = segment_of_descriptor(0x10, 0x12cf93345678abcd);
    assert_int_equal(s.selector, 0x10);
    assert_int_equal(s.base, 0x12345678);
    assert_int_equal(s.limit, 0xfabcdfff);
    assert_int_equal(s.access, 0xc093);
    s = segment_of_descriptor(0x28, 0x0000890000000067);
    assert_int_equal(s.limit, 0x67);
    assert_true(is_tss(&s));
    static const uint8_t types[] = {1, 3, 9, 11};
    unsigned found = 0;
    for (unsigned type = 0; type < 16; type++) {
        s.access = SEGMENT_P | type;
        found += is_tss(&s);
    }
    assert_int_equal(found, ARRAY_SIZE(types));
    for (unsigned i = 0; i < ARRAY_SIZE(types); i++) {
        s.access = SEGMENT_P | types[i];
        assert_true(is_tss(&s));
        s.access |= SEGMENT_S;
        assert_false(is_tss(&s));
    }
}

static int fault(enum vmx_segment_name name, uint16_t selector, uint32_t access, unsigned cpl)
{
    struct vmx_segment s = {.selector = selector, .access = access};
    return task_segment_fault(name, &s, cpl);
}

enum {
    CODE = SEGMENT_P | SEGMENT_S | SEGMENT_CODE,
    READABLE = CODE | SEGMENT_WRITABLE,
    CONFORMING = READABLE | SEGMENT_DOWN,
    DATA = SEGMENT_P | SEGMENT_S,
    STACK = DATA | SEGMENT_WRITABLE,
    DPL3 = SEGMENT_DPL,
};

static void test_code(void **state)
{
    (void)state;
    assert_int_equal(fault(VMX_CS, 0x08, CODE, 0), -1);
    assert_int_equal(fault(VMX_CS, 0x0b, CODE | DPL3, 3), -1);
    assert_int_equal(fault(VMX_CS, 0x0b, CODE, 3), EXCEPTION_TS);
    assert_int_equal(fault(VMX_CS, 0x0b, CONFORMING, 3), -1);
    assert_int_equal(fault(VMX_CS, 0x08, CONFORMING | DPL3, 0), EXCEPTION_TS);
    assert_int_equal(fault(VMX_CS, 0x08, STACK, 0), EXCEPTION_TS);
    assert_int_equal(fault(VMX_CS, 0x08, CODE & ~SEGMENT_P, 0), EXCEPTION_NP);
}

static void test_stack(void **state)
{
    (void)state;
    assert_int_equal(fault(VMX_SS, 0x10, STACK, 0), -1);
    assert_int_equal(fault(VMX_SS, 0x13, STACK, 0), EXCEPTION_TS);
    assert_int_equal(fault(VMX_SS, 0x10, STACK | DPL3, 0), EXCEPTION_TS);
    assert_int_equal(fault(VMX_SS, 0x10, DATA, 0), EXCEPTION_TS);
    assert_int_equal(fault(VMX_SS, 0x10, READABLE, 0), EXCEPTION_TS);
    assert_int_equal(fault(VMX_SS, 0x10, STACK & ~SEGMENT_P, 0), EXCEPTION_SS);
}

static void test_data(void **state)
{
    (void)state;
    assert_int_equal(fault(VMX_DS, 0x10, DATA, 0), -1);
    assert_int_equal(fault(VMX_DS, 0x13, DATA, 0), EXCEPTION_TS);
    assert_int_equal(fault(VMX_DS, 0x10, DATA, 3), EXCEPTION_TS);
    assert_int_equal(fault(VMX_DS, 0x13, DATA | DPL3, 3), -1);
    assert_int_equal(fault(VMX_FS, 0x08, CODE, 0), EXCEPTION_TS);
    assert_int_equal(fault(VMX_FS, 0x08, READABLE, 0), -1);
    assert_int_equal(fault(VMX_GS, 0x0b, CONFORMING, 3), -1);
    assert_int_equal(fault(VMX_ES, 0x10, SEGMENT_P | TYPE_LDT, 0), EXCEPTION_TS);
    assert_int_equal(fault(VMX_ES, 0x10, DATA & ~SEGMENT_P, 0), EXCEPTION_NP);
}

static void test_ldt(void **state)
{
    (void)state;
    assert_int_equal(fault(VMX_LDTR, 0x18, SEGMENT_P | TYPE_LDT, 0), -1);
    assert_int_equal(fault(VMX_LDTR, 0x18, TYPE_LDT, 0), EXCEPTION_TS);
    assert_int_equal(fault(VMX_LDTR, 0x18, SEGMENT_P | 9, 0), EXCEPTION_TS);
    assert_int_equal(fault(VMX_LDTR, 0x18, STACK, 0), EXCEPTION_TS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_decode_32), cmocka_unit_test(test_decode_16),
        cmocka_unit_test(test_encode),    cmocka_unit_test(test_descriptors),
        cmocka_unit_test(test_code),      cmocka_unit_test(test_stack),
        cmocka_unit_test(test_data),      cmocka_unit_test(test_ldt),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
