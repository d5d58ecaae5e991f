/* SPDX-License-Identifier: BSD-2-Clause */
/* links: vmx/mitigations.c vmx/caps.c */
/* What is decided about transient execution for real and invented processors. */
#include "vmx/mitigations.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/bits.h"
#include "core/x86.h"

#define RTM         BIT(11)
#define MD_CLEAR    BIT(10)
#define IBRS        BIT(26)
#define STIBP       BIT(27)
#define L1D         BIT(28)
#define ALL_OF_2018 (MD_CLEAR | IBRS | STIBP | L1D)
#define BHI_CTRL    BIT(4)

/* IA32_ARCH_CAPABILITIES. */
#define RDCL_NO     BIT(0)
#define IBRS_ALL    BIT(1)
#define SKIP_L1D    BIT(3)
#define SSB_NO      BIT(4)
#define MDS_NO      BIT(5)
#define MULTIHIT_NO BIT(6)
#define TAA_NO      BIT(8)
#define BHI_NO      BIT(20)
#define PBRSB_NO    BIT(24)
#define RFDS_NO     BIT(27)
#define RFDS_CLEAR  BIT(28)
#define ITS_NO      BIT(62)

#define SKYLAKE_X    0x50654
#define ICE_LAKE     0x706e5
#define SAPPHIRE     0x806f8
#define GOLDMONT     0x506c9
#define SILVERMONT   0x30678
#define KNIGHTS_MILL 0x80650
#define GRACEMONT    0xb06e0
#define PENTIUM_4    0x00f65

/* One character a threat, in the order of enum vmx_threat: '-' not affected, '+' mitigated, '!'
 * not. */
static const struct {
    const char *what;
    struct vmx_speculation s;
    enum vmx_mitigate mode;
    const char *threats;
    uint32_t guards, spec_ctrl, spec_ctrl_guest;
    bool small_pages;
} rows[] = {
    /* L1TF MDS siblings BTI RSB BHI ITS SSB multihit */
    {"Skylake-X with new microcode",
     {.signature = SKYLAKE_X, .leaf7_edx = ALL_OF_2018},
     VMX_MITIGATE_AUTO,
     "++-++!-!+",
     VMX_GUARD_L1D | VMX_GUARD_VERW | VMX_GUARD_IBRS | VMX_GUARD_RSB | VMX_GUARD_IBPB,
     SPEC_CTRL_IBRS,
     0,
     true},
    {"the same with hyper-threading",
     {.signature = SKYLAKE_X, .leaf7_edx = ALL_OF_2018, .siblings = true},
     VMX_MITIGATE_AUTO,
     "++!++!-!+",
     VMX_GUARD_L1D | VMX_GUARD_VERW | VMX_GUARD_IBRS | VMX_GUARD_RSB | VMX_GUARD_IBPB,
     SPEC_CTRL_IBRS | SPEC_CTRL_STIBP,
     SPEC_CTRL_STIBP,
     true},
    {"the same without STIBP",
     {.signature = SKYLAKE_X, .leaf7_edx = IBRS, .siblings = true},
     VMX_MITIGATE_AUTO,
     "!!!++!-!+",
     VMX_GUARD_IBRS | VMX_GUARD_RSB | VMX_GUARD_IBPB,
     SPEC_CTRL_IBRS,
     0,
     true},
    {"Skylake-X with the microcode of 2017",
     {.signature = SKYLAKE_X},
     VMX_MITIGATE_AUTO,
     "!!-!+!-!+",
     VMX_GUARD_RSB,
     0,
     0,
     true},
    {"Skylake-X as an outer hypervisor shows it, which flushes by itself",
     {.signature = SKYLAKE_X, .leaf7_edx = ALL_OF_2018, .arch_capabilities = SKIP_L1D},
     VMX_MITIGATE_AUTO,
     "-+-++!-!+",
     VMX_GUARD_VERW | VMX_GUARD_IBRS | VMX_GUARD_RSB | VMX_GUARD_IBPB,
     SPEC_CTRL_IBRS,
     0,
     true},
    {"Skylake-X, off",
     {.signature = SKYLAKE_X, .leaf7_edx = ALL_OF_2018, .siblings = true},
     VMX_MITIGATE_OFF,
     "!!!!!!-!!",
     0,
     0,
     0,
     false},
    {"Ice Lake: enhanced IBRS, no BHI_DIS_S",
     {.signature = ICE_LAKE,
      .leaf7_edx = ALL_OF_2018,
      .siblings = true,
      .arch_capabilities = RDCL_NO | IBRS_ALL | MDS_NO | MULTIHIT_NO | TAA_NO},
     VMX_MITIGATE_AUTO,
     "---++!!!-",
     VMX_GUARD_RSB | VMX_GUARD_IBPB,
     SPEC_CTRL_IBRS,
     SPEC_CTRL_IBRS,
     false},
    {"Cascade Lake with TSX, which lacks TAA_NO",
     {.signature = 0x50657,
      .leaf7_ebx = RTM,
      .leaf7_edx = ALL_OF_2018,
      .arch_capabilities = RDCL_NO | IBRS_ALL | MDS_NO | MULTIHIT_NO | SKIP_L1D},
     VMX_MITIGATE_AUTO,
     "-+-++!!!-",
     VMX_GUARD_VERW | VMX_GUARD_RSB | VMX_GUARD_IBPB,
     SPEC_CTRL_IBRS,
     SPEC_CTRL_IBRS,
     false},
    {"the same, TSX turned off",
     {.signature = 0x50657,
      .leaf7_edx = ALL_OF_2018,
      .arch_capabilities = RDCL_NO | IBRS_ALL | MDS_NO | MULTIHIT_NO | SKIP_L1D},
     VMX_MITIGATE_AUTO,
     "---++!!!-",
     VMX_GUARD_RSB | VMX_GUARD_IBPB,
     SPEC_CTRL_IBRS,
     SPEC_CTRL_IBRS,
     false},
    {"Sapphire Rapids: BHI_DIS_S",
     {.signature = SAPPHIRE,
      .leaf7_edx = ALL_OF_2018,
      .leaf7_2_edx = BHI_CTRL,
      .arch_capabilities = RDCL_NO | IBRS_ALL | MDS_NO | MULTIHIT_NO | TAA_NO | PBRSB_NO},
     VMX_MITIGATE_AUTO,
     "---+-+-!-",
     VMX_GUARD_IBPB,
     SPEC_CTRL_IBRS | SPEC_CTRL_BHI_DIS_S,
     SPEC_CTRL_IBRS | SPEC_CTRL_BHI_DIS_S,
     false},
    {"one that nothing more is known against",
     {.signature = SAPPHIRE,
      .leaf7_edx = ALL_OF_2018,
      .siblings = true,
      .arch_capabilities = RDCL_NO | IBRS_ALL | SSB_NO | MDS_NO | MULTIHIT_NO | TAA_NO | BHI_NO |
                           PBRSB_NO | RFDS_NO | ITS_NO},
     VMX_MITIGATE_AUTO,
     "---+-----",
     VMX_GUARD_IBPB,
     SPEC_CTRL_IBRS,
     SPEC_CTRL_IBRS,
     false},
    {"TSX, but TAA_NO",
     {.signature = SAPPHIRE,
      .leaf7_ebx = RTM,
      .leaf7_edx = ALL_OF_2018,
      .leaf7_2_edx = BHI_CTRL,
      .arch_capabilities = RDCL_NO | IBRS_ALL | MDS_NO | MULTIHIT_NO | TAA_NO | PBRSB_NO | BHI_NO},
     VMX_MITIGATE_AUTO,
     "---+---!-",
     VMX_GUARD_IBPB,
     SPEC_CTRL_IBRS,
     SPEC_CTRL_IBRS,
     false},
    {"PBRSB_NO means nothing without enhanced IBRS",
     {.signature = SKYLAKE_X,
      .leaf7_edx = IBRS,
      .arch_capabilities = RDCL_NO | MDS_NO | MULTIHIT_NO | TAA_NO | PBRSB_NO | BHI_NO},
     VMX_MITIGATE_AUTO,
     "---++--!-",
     VMX_GUARD_IBRS | VMX_GUARD_RSB | VMX_GUARD_IBPB,
     SPEC_CTRL_IBRS,
     0,
     false},
    {"Gracemont: RFDS",
     {.signature = GRACEMONT,
      .leaf7_edx = ALL_OF_2018,
      .leaf7_2_edx = BHI_CTRL,
      .arch_capabilities = RDCL_NO | IBRS_ALL | SSB_NO | MDS_NO | MULTIHIT_NO | TAA_NO | BHI_NO |
                           PBRSB_NO | RFDS_CLEAR},
     VMX_MITIGATE_AUTO,
     "-+-+-----",
     VMX_GUARD_VERW | VMX_GUARD_IBPB,
     SPEC_CTRL_IBRS,
     SPEC_CTRL_IBRS,
     false},
    {"Gracemont, which RFDS does not concern",
     {.signature = GRACEMONT,
      .leaf7_edx = IBRS,
      .leaf7_2_edx = BHI_CTRL,
      .arch_capabilities = RDCL_NO | IBRS_ALL | SSB_NO | MDS_NO | MULTIHIT_NO | TAA_NO | BHI_NO |
                           PBRSB_NO | RFDS_CLEAR | RFDS_NO},
     VMX_MITIGATE_AUTO,
     "---+-----",
     VMX_GUARD_IBPB,
     SPEC_CTRL_IBRS,
     SPEC_CTRL_IBRS,
     false},
    {"Goldmont: neither L1TF nor MDS, and too old to say so",
     {.signature = GOLDMONT, .leaf7_edx = IBRS | STIBP},
     VMX_MITIGATE_AUTO,
     "---++!-!-",
     VMX_GUARD_IBRS | VMX_GUARD_RSB | VMX_GUARD_IBPB,
     SPEC_CTRL_IBRS,
     0,
     false},
    {"Silvermont: MDS, but not L1TF",
     {.signature = SILVERMONT, .leaf7_edx = MD_CLEAR | IBRS},
     VMX_MITIGATE_AUTO,
     "-+-++!-!-",
     VMX_GUARD_VERW | VMX_GUARD_IBRS | VMX_GUARD_RSB | VMX_GUARD_IBPB,
     SPEC_CTRL_IBRS,
     0,
     false},
    {"Xeon Phi with four threads a core",
     {.signature = KNIGHTS_MILL, .leaf7_edx = MD_CLEAR | IBRS, .siblings = true},
     VMX_MITIGATE_AUTO,
     "-+!++!-!-",
     VMX_GUARD_VERW | VMX_GUARD_IBRS | VMX_GUARD_RSB | VMX_GUARD_IBPB,
     SPEC_CTRL_IBRS,
     0,
     false},
    {"another family",
     {.signature = PENTIUM_4},
     VMX_MITIGATE_AUTO,
     "!!-!+!-!+",
     VMX_GUARD_RSB,
     0,
     0,
     true},
    {"Bochs",
     {.signature = SKYLAKE_X, .leaf7_edx = ALL_OF_2018, .siblings = true, .emulated = true},
     VMX_MITIGATE_AUTO,
     "---------",
     0,
     0,
     0,
     false},
    {"Bochs, on",
     {.signature = SKYLAKE_X, .emulated = true},
     VMX_MITIGATE_ON,
     "-+--+---+",
     VMX_GUARD_VERW | VMX_GUARD_RSB,
     0,
     0,
     true},
    {"an unaffected one, on",
     {.signature = SAPPHIRE,
      .leaf7_edx = ALL_OF_2018,
      .leaf7_2_edx = BHI_CTRL,
      .arch_capabilities = RDCL_NO | IBRS_ALL | SSB_NO | MDS_NO | MULTIHIT_NO | TAA_NO | BHI_NO |
                           PBRSB_NO | RFDS_NO | ITS_NO},
     VMX_MITIGATE_ON,
     "++-+++--+",
     VMX_GUARD_L1D | VMX_GUARD_VERW | VMX_GUARD_RSB | VMX_GUARD_IBPB,
     SPEC_CTRL_IBRS | SPEC_CTRL_BHI_DIS_S,
     SPEC_CTRL_IBRS | SPEC_CTRL_BHI_DIS_S,
     true},
    {"an unaffected one, off",
     {.signature = SAPPHIRE,
      .leaf7_edx = ALL_OF_2018,
      .arch_capabilities = RDCL_NO | IBRS_ALL | SSB_NO | MDS_NO | MULTIHIT_NO | TAA_NO | BHI_NO |
                           PBRSB_NO | RFDS_NO | ITS_NO},
     VMX_MITIGATE_OFF,
     "---!-----",
     0,
     0,
     0,
     false},
};

static void decisions(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct vmx_mitigations m;
        char threats[VMX_THREATS + 1] = {0};

        vmx_mitigations_decide(&m, &rows[i].s, rows[i].mode);
        for (unsigned t = 0; t < VMX_THREATS; t++) {
            threats[t] = "-+!"[m.of[t].state];
            assert_true((m.of[t].how != NULL) == (m.of[t].state != VMX_NOT_AFFECTED));
            assert_non_null(vmx_threat_name(t));
        }
        if (strcmp(threats, rows[i].threats) != 0 || m.guards != rows[i].guards ||
            m.spec_ctrl != rows[i].spec_ctrl || m.spec_ctrl_guest != rows[i].spec_ctrl_guest ||
            m.small_pages != rows[i].small_pages)
            fail_msg("%s: saw %s, guards %x, IA32_SPEC_CTRL %x and %x, small pages %d",
                     rows[i].what, threats, m.guards, m.spec_ctrl, m.spec_ctrl_guest,
                     m.small_pages);
    }
}

static void siblings(void **state)
{
    static const uint32_t apart[] = {0, 2, 4, 0x12}, together[] = {0, 2, 4, 5};

    (void)state;
    assert_false(vmx_are_siblings(apart, 4, 1));
    assert_true(vmx_are_siblings(together, 4, 1));
    assert_true(vmx_are_siblings(apart, 4, 2));
    assert_false(vmx_are_siblings(together, 4, 0));
    assert_false(vmx_are_siblings(together, 1, 1));
}

/* A feature that is forgotten is gone, and others stay. */
static uint64_t everything(uint32_t msr)
{
    return msr == MSR_IA32_VMX_BASIC ? BIT(55) : ~0ull << 32 | MASK(31, 0);
}

static void forgotten(void **state)
{
    struct vmx_caps caps;

    (void)state;
    vmx_caps_read(&caps, everything);
    assert_true(vmx_has(&caps, VMX_EPT_2M));
    vmx_caps_forget(&caps, VMX_EPT_2M);
    assert_false(vmx_has(&caps, VMX_EPT_2M));
    assert_true(vmx_has(&caps, VMX_EPT_1G));
    assert_true(vmx_has(&caps, VMX_INVEPT));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decisions),
        cmocka_unit_test(siblings),
        cmocka_unit_test(forgotten),
    };
    return cmocka_run_group_tests_name("mitigations", tests, NULL, NULL);
}
