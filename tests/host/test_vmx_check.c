/* SPDX-License-Identifier: BSD-2-Clause */
/* links: vmx/check.c vmx/control_rules.c vmx/msr_rules.c */
/* Good guest states pass; each rule is broken once, and alone, and then named. */
#include "vmx/check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/x86.h"
#include "vmx/exit.h"

enum { ACCESS_CODE_64 = 0xa09b, ACCESS_CODE_32 = 0xc09b, ACCESS_DATA = 0xc093 };

static struct guest_state long_mode(void)
{
    struct guest_state s = {
        .cr0 = CR0_PE | CR0_NE | CR0_PG,
        .cr4 = CR4_PAE | CR4_VMXE,
        .cr0_fixed0 = CR0_PE | CR0_NE | CR0_PG,
        .cr0_fixed1 = UINT32_MAX,
        .cr4_fixed0 = CR4_VMXE,
        .cr4_fixed1 = CR4_VMXE | CR4_PAE | CR4_PCIDE | CR4_PGE,
        .cr3 = 0x1000,
        .dr7 = 0x400,
        .rip = 0xffff800000000000,
        .rflags = RFLAGS_ONE,
        .efer = EFER_LME | EFER_LMA,
        .pat = 0x0007040600070406,
        .link_pointer = UINT64_MAX,
        .ia32e = true,
        .physical_bits = 36,
        .linear_bits = 48,
    };
    for (unsigned i = VMX_ES; i <= VMX_GS; i++)
        s.segment[i] = (struct vmx_segment){.limit = UINT32_MAX, .access = ACCESS_DATA};
    s.segment[VMX_CS].access = ACCESS_CODE_64;
    s.segment[VMX_LDTR].access = SEGMENT_UNUSABLE;
    s.segment[VMX_TR] = (struct vmx_segment){.limit = 0x67, .access = 0x8b};
    return s;
}

static struct guest_state protected_mode(void)
{
    struct guest_state s = long_mode();
    s.cr0 &= ~CR0_PG;
    s.efer = 0;
    s.ia32e = false;
    s.rip = 0x1000;
    s.segment[VMX_CS].access = ACCESS_CODE_32;
    return s;
}

/* SDM Vol 3A, "Processor State After Reset". */
static struct guest_state real_mode(void)
{
    struct guest_state s = protected_mode();
    s.cr0 = CR0_NE | CR0_ET;
    s.rip = 0xfff0;
    for (unsigned i = VMX_ES; i <= VMX_GS; i++)
        s.segment[i] = (struct vmx_segment){.limit = 0xffff, .access = 0x93};
    s.segment[VMX_CS].selector = 0xf000;
    s.segment[VMX_CS].base = 0xffff0000;
    return s;
}

static struct guest_state v86(void)
{
    struct guest_state s = protected_mode();
    s.rflags |= RFLAGS_VM;
    for (unsigned i = VMX_ES; i <= VMX_GS; i++)
        s.segment[i] = (struct vmx_segment){
            .selector = 0x1234, .base = 0x12340, .limit = 0xffff, .access = 0xf3};
    return s;
}

static void passes(struct guest_state s)
{
    const char *rule = check_guest_state(&s);
    if (rule)
        fail_msg("unexpected: %s", rule);
}

/* The rule's text starts with these words. */
static void breaks(struct guest_state s, const char *start)
{
    const char *rule = check_guest_state(&s);
    assert_non_null(rule);
    if (strncmp(rule, start, strlen(start)) != 0)
        fail_msg("expected \"%s...\", got \"%s\"", start, rule);
}

static void test_good_states(void **state)
{
    (void)state;
    passes(long_mode());
    passes(protected_mode());
    passes(real_mode());
    passes(v86());
}

#define BREAK(base, change, text)                                                                  \
    do {                                                                                           \
        struct guest_state s = base();                                                             \
        change;                                                                                    \
        breaks(s, text);                                                                           \
    } while (0)

static void test_control_registers(void **state)
{
    (void)state;
    BREAK(long_mode, s.cr0 &= ~CR0_NE, "CR0 must have");
    BREAK(long_mode, s.cr0 |= BIT(32), "CR0 must have");
    BREAK(protected_mode, s.cr0 = CR0_NE | CR0_PG, "CR0.PG needs");
    BREAK(long_mode, s.cr4 &= ~CR4_VMXE, "CR4 must have");
    BREAK(long_mode, s.cr4 |= CR4_SMXE, "CR4 must have");
    BREAK(long_mode, s.cr4 &= ~CR4_PAE, "an IA-32e mode guest");
    BREAK(long_mode, s.cr0 &= ~CR0_PG, "an IA-32e mode guest");
    BREAK(protected_mode, s.cr4 |= CR4_PCIDE, "CR4.PCIDE");
    BREAK(long_mode, s.cr3 = BIT(36), "CR3");
    BREAK(long_mode, s.dr7 |= BIT(32), "DR7");
}

static void test_msrs(void **state)
{
    (void)state;
    BREAK(long_mode, s.sysenter_eip = BIT(47), "IA32_SYSENTER");
    BREAK(long_mode, s.sysenter_esp = BIT(63), "IA32_SYSENTER");
    BREAK(long_mode, s.pat = 2, "IA32_PAT");
    BREAK(long_mode, s.efer |= BIT(1), "reserved bits of IA32_EFER");
    BREAK(long_mode, s.efer = EFER_LME, "IA32_EFER.LMA must equal the control");
    BREAK(protected_mode, s.efer = EFER_LMA, "IA32_EFER.LMA must equal the control");
    BREAK(long_mode, s.efer = EFER_LMA, "IA32_EFER.LMA must equal LME");
}

static void test_selectors_and_bases(void **state)
{
    (void)state;
    BREAK(long_mode, s.segment[VMX_TR].selector = 0x2c, "TR must select");
    BREAK(long_mode, (s.segment[VMX_LDTR].access = 0x82, s.segment[VMX_LDTR].selector = 4),
          "LDTR must select");
    BREAK(v86, s.segment[VMX_FS].base++, "virtual-8086 mode");
    BREAK(v86, s.segment[VMX_CS].limit = 0xfffff, "virtual-8086 mode");
    BREAK(v86, s.segment[VMX_SS].access = 0x93, "virtual-8086 mode");
    BREAK(long_mode, s.segment[VMX_GS].base = BIT(47), "bases of TR");
    BREAK(long_mode, s.segment[VMX_TR].base = BIT(63), "bases of TR");
    BREAK(long_mode, s.segment[VMX_CS].base = BIT(32), "bases of CS");
    BREAK(long_mode, s.segment[VMX_DS].base = BIT(32), "bases of CS");
}

static void test_access_rights(void **state)
{
    (void)state;
    BREAK(long_mode, s.segment[VMX_CS].access &= ~(uint32_t)SEGMENT_ACCESSED, "CS must be");
    BREAK(long_mode, s.segment[VMX_SS].access = 0xc091, "SS must be");
    BREAK(long_mode, s.segment[VMX_ES].access = 0xc092, "DS, ES, FS and GS");
    BREAK(long_mode, s.segment[VMX_FS].access = 0xc099, "DS, ES, FS and GS");
    BREAK(long_mode, s.segment[VMX_DS].access &= ~(uint32_t)SEGMENT_S,
          "CS, SS, DS, ES, FS and GS must be code");
    BREAK(long_mode, s.segment[VMX_CS].access |= SEGMENT_DPL, "CS.DPL");
    BREAK(real_mode, s.segment[VMX_CS].access |= SEGMENT_DPL, "CS.DPL");
    BREAK(real_mode, s.segment[VMX_SS].access |= SEGMENT_DPL, "SS.DPL");
    BREAK(long_mode, s.segment[VMX_GS].access &= ~(uint32_t)SEGMENT_P,
          "CS, SS, DS, ES, FS and GS must be present");
    BREAK(long_mode, s.segment[VMX_ES].access |= BIT(9), "reserved bits of segments'");
    BREAK(long_mode, s.segment[VMX_CS].access |= SEGMENT_DB, "CS.L and CS.D");
    BREAK(long_mode, s.segment[VMX_DS].limit = 0x12345, "segments' G");
    BREAK(real_mode, s.segment[VMX_DS].limit = BIT(20), "segments' G");
}

/* An unusable segment's contents do not matter. */
static void test_unusable_segments(void **state)
{
    (void)state;
    struct guest_state s = long_mode();
    s.segment[VMX_DS] = (struct vmx_segment){.base = BIT(40), .access = SEGMENT_UNUSABLE | 0xf00};
    s.segment[VMX_SS] = (struct vmx_segment){.access = SEGMENT_UNUSABLE};
    passes(s);
}

static void test_system_segments(void **state)
{
    (void)state;
    BREAK(long_mode, s.segment[VMX_TR].access = 0x83, "TR must be");
    BREAK(long_mode, s.segment[VMX_TR].access = 0x89, "TR must be");
    BREAK(long_mode, s.segment[VMX_TR].access |= SEGMENT_UNUSABLE, "TR must be");
    BREAK(long_mode, s.segment[VMX_TR].access = 0x0b, "TR must be");
    BREAK(long_mode, s.segment[VMX_LDTR].access = 0x89, "LDTR must be");
    BREAK(long_mode, s.gdtr_limit = BIT(16), "GDTR");
    BREAK(long_mode, s.idtr_base = BIT(50), "GDTR");
    struct guest_state s = protected_mode();
    s.segment[VMX_TR].access = 0x83;
    passes(s);
}

static void test_rip_and_rflags(void **state)
{
    (void)state;
    BREAK(long_mode, s.rip = BIT(47), "RIP");
    BREAK(protected_mode, s.rip = BIT(32), "RIP");
    BREAK(long_mode, s.rflags = 0, "RFLAGS: reserved");
    BREAK(long_mode, s.rflags |= BIT(15), "RFLAGS: reserved");
    BREAK(v86, s.cr0 &= ~CR0_PE, "RFLAGS.VM");
    BREAK(long_mode, s.event = event_info(EVENT_EXTERNAL_INTERRUPT, 0x40), "RFLAGS.IF");
}

static void test_error_codes(void **state)
{
    (void)state;
    for (unsigned vector = 0; vector < 32; vector++) {
        bool has = vector == 8 || (vector >= 10 && vector <= 14) || vector == 17;
        struct guest_state s = long_mode();
        s.event = event_info(EVENT_HARDWARE_EXCEPTION, vector) | (has ? EVENT_HAS_ERROR : 0);
        passes(s);
        s.event ^= EVENT_HAS_ERROR;
        assert_non_null(check_guest_state(&s));
        s = real_mode();
        s.event = event_info(EVENT_HARDWARE_EXCEPTION, vector);
        passes(s);
        s.event |= EVENT_HAS_ERROR;
        assert_non_null(check_guest_state(&s));
    }
}

static void test_blocking(void **state)
{
    (void)state;
    BREAK(long_mode, s.activity = 4, "activity");
    BREAK(long_mode,
          (s.rflags |= RFLAGS_IF, s.interruptibility = 1, s.pending_debug = 0, s.activity = 1),
          "activity");
    BREAK(long_mode, s.interruptibility = 1, "interruptibility");
    BREAK(long_mode, s.interruptibility = BIT(5), "interruptibility");
    BREAK(long_mode, (s.rflags |= RFLAGS_IF, s.interruptibility = 3), "interruptibility");
    BREAK(long_mode,
          (s.rflags |= RFLAGS_IF, s.interruptibility = 2,
           s.event = event_info(EVENT_EXTERNAL_INTERRUPT, 0x40)),
          "an external interrupt");
    BREAK(long_mode, (s.interruptibility = BIT(3), s.event = event_info(EVENT_NMI, 2)), "an NMI");
}

static void test_debug_and_the_rest(void **state)
{
    (void)state;
    BREAK(long_mode, s.pending_debug = BIT(13), "reserved bits of the pending");
    BREAK(long_mode, (s.interruptibility = 2, s.rflags |= RFLAGS_TF), "pending debug");
    BREAK(long_mode, (s.interruptibility = 2, s.pending_debug = BIT(14)), "pending debug");
    BREAK(long_mode, s.link_pointer = 0, "the VMCS link");
    BREAK(protected_mode, (s.cr0 |= CR0_PG, s.pdpte[2] = BIT(0) | BIT(1)), "PAE paging");
    struct guest_state s = protected_mode();
    s.cr0 |= CR0_PG;
    s.pdpte[2] = BIT(1);
    passes(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good_states),
        cmocka_unit_test(test_control_registers),
        cmocka_unit_test(test_msrs),
        cmocka_unit_test(test_selectors_and_bases),
        cmocka_unit_test(test_access_rights),
        cmocka_unit_test(test_unusable_segments),
        cmocka_unit_test(test_system_segments),
        cmocka_unit_test(test_rip_and_rflags),
        cmocka_unit_test(test_error_codes),
        cmocka_unit_test(test_blocking),
        cmocka_unit_test(test_debug_and_the_rest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
