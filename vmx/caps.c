/* SPDX-License-Identifier: BSD-2-Clause */
/* VMX capabilities: one table of what we use, one place for the allowed-0/allowed-1 rules. */
#include "vmx/caps.h"

#include <stddef.h>

#include "core/bits.h"
#include "core/x86.h"

enum weight { WANTED, REQUIRED };

/* How the capability word says that the feature is there. */
enum sense {
    MAY_BE_1, /* a control that can be set, or a reported bit */
    MAY_BE_0, /* a control that can be left clear */
};

struct feature {
    const char *name;
    uint8_t word; /* enum vmx_word */
    uint8_t bit;
    uint8_t weight;
    uint8_t sense;
};

#define REQUIRE(word, bit, name)                                                                   \
    {                                                                                              \
        name, word, bit, REQUIRED, MAY_BE_1                                                        \
    }
#define WANT(word, bit, name)                                                                      \
    {                                                                                              \
        name, word, bit, WANTED, MAY_BE_1                                                          \
    }
#define REQUIRE_CLEAR(word, bit, name)                                                             \
    {                                                                                              \
        name, word, bit, REQUIRED, MAY_BE_0                                                        \
    }

/* Bits: SDM Vol 3C, "Virtual Machine Control Structures"; of EPT and VPID, Vol 3D. */
static const struct feature features[VMX_FEATURES] = {
    [VMX_EXTERNAL_INTERRUPT_EXITING] = REQUIRE(VMX_PIN, 0, "external-interrupt exiting"),
    [VMX_NMI_EXITING] = REQUIRE(VMX_PIN, 3, "NMI exiting"),
    [VMX_VIRTUAL_NMIS] = REQUIRE(VMX_PIN, 5, "virtual NMIs"),
    [VMX_PREEMPTION_TIMER] = REQUIRE(VMX_PIN, 6, "VMX-preemption timer"),
    [VMX_POSTED_INTERRUPTS] = WANT(VMX_PIN, 7, "posted interrupts"),

    [VMX_INTERRUPT_WINDOW_EXITING] = REQUIRE(VMX_PRIMARY, 2, "interrupt-window exiting"),
    [VMX_TSC_OFFSETTING] = REQUIRE(VMX_PRIMARY, 3, "TSC offsetting"),
    [VMX_HLT_EXITING] = REQUIRE(VMX_PRIMARY, 7, "HLT exiting"),
    [VMX_MWAIT_EXITING] = REQUIRE(VMX_PRIMARY, 10, "MWAIT exiting"),
    [VMX_RDPMC_EXITING] = REQUIRE(VMX_PRIMARY, 11, "RDPMC exiting"),
    [VMX_CR3_LOAD_UNINTERCEPTED] = REQUIRE_CLEAR(VMX_PRIMARY, 15, "CR3 loads without exit"),
    [VMX_CR3_STORE_UNINTERCEPTED] = REQUIRE_CLEAR(VMX_PRIMARY, 16, "CR3 stores without exit"),
    [VMX_TERTIARY_CONTROLS] = WANT(VMX_PRIMARY, 17, "tertiary controls"),
    [VMX_CR8_LOAD_EXITING] = REQUIRE(VMX_PRIMARY, 19, "CR8-load exiting"),
    [VMX_CR8_STORE_EXITING] = REQUIRE(VMX_PRIMARY, 20, "CR8-store exiting"),
    [VMX_TPR_SHADOW] = WANT(VMX_PRIMARY, 21, "TPR shadow"),
    [VMX_NMI_WINDOW_EXITING] = REQUIRE(VMX_PRIMARY, 22, "NMI-window exiting"),
    [VMX_UNCONDITIONAL_IO_EXITING] = REQUIRE(VMX_PRIMARY, 24, "unconditional I/O exiting"),
    [VMX_MONITOR_TRAP_FLAG] = WANT(VMX_PRIMARY, 27, "monitor trap flag"),
    [VMX_MSR_BITMAPS] = REQUIRE(VMX_PRIMARY, 28, "MSR bitmaps"),
    [VMX_MONITOR_EXITING] = REQUIRE(VMX_PRIMARY, 29, "MONITOR exiting"),
    [VMX_SECONDARY_CONTROLS] = REQUIRE(VMX_PRIMARY, 31, "secondary controls"),

    [VMX_VIRTUALIZE_APIC_ACCESSES] = WANT(VMX_SECONDARY, 0, "virtualize APIC accesses"),
    [VMX_EPT] = REQUIRE(VMX_SECONDARY, 1, "EPT"),
    [VMX_DESCRIPTOR_TABLE_EXITING] = WANT(VMX_SECONDARY, 2, "descriptor-table exiting"),
    [VMX_RDTSCP] = WANT(VMX_SECONDARY, 3, "RDTSCP"),
    [VMX_VIRTUALIZE_X2APIC] = WANT(VMX_SECONDARY, 4, "virtualize x2APIC mode"),
    [VMX_VPID] = WANT(VMX_SECONDARY, 5, "VPID"),
    [VMX_WBINVD_EXITING] = WANT(VMX_SECONDARY, 6, "WBINVD exiting"),
    [VMX_UNRESTRICTED_GUEST] = REQUIRE(VMX_SECONDARY, 7, "unrestricted guest"),
    [VMX_APIC_REGISTER_VIRTUALIZATION] = WANT(VMX_SECONDARY, 8, "APIC-register virtualization"),
    [VMX_VIRTUAL_INTERRUPT_DELIVERY] = WANT(VMX_SECONDARY, 9, "virtual-interrupt delivery"),
    [VMX_PAUSE_LOOP_EXITING] = WANT(VMX_SECONDARY, 10, "PAUSE-loop exiting"),
    [VMX_INVPCID] = WANT(VMX_SECONDARY, 12, "INVPCID"),
    [VMX_PML] = WANT(VMX_SECONDARY, 17, "page-modification logging"),
    [VMX_XSAVES] = WANT(VMX_SECONDARY, 20, "XSAVES"),
    [VMX_MODE_BASED_EXECUTE] = WANT(VMX_SECONDARY, 22, "mode-based execute control"),
    [VMX_TSC_SCALING] = WANT(VMX_SECONDARY, 25, "TSC scaling"),

    [VMX_IPI_VIRTUALIZATION] = WANT(VMX_TERTIARY, 4, "IPI virtualization"),

    [VMX_SAVE_DEBUG_CONTROLS] = REQUIRE(VMX_EXIT, 2, "save debug controls"),
    [VMX_HOST_64BIT] = REQUIRE(VMX_EXIT, 9, "host address-space size"),
    [VMX_ACKNOWLEDGE_INTERRUPT] = REQUIRE(VMX_EXIT, 15, "acknowledge interrupt on exit"),
    [VMX_SAVE_PAT] = REQUIRE(VMX_EXIT, 18, "save IA32_PAT"),
    [VMX_EXIT_LOAD_PAT] = REQUIRE(VMX_EXIT, 19, "load IA32_PAT on exit"),
    [VMX_SAVE_EFER] = REQUIRE(VMX_EXIT, 20, "save IA32_EFER"),
    [VMX_EXIT_LOAD_EFER] = REQUIRE(VMX_EXIT, 21, "load IA32_EFER on exit"),
    [VMX_SAVE_PREEMPTION_TIMER] = REQUIRE(VMX_EXIT, 22, "save VMX-preemption timer"),

    [VMX_ENTRY_LOAD_DEBUG_CONTROLS] = REQUIRE(VMX_ENTRY, 2, "load debug controls"),
    [VMX_IA32E_GUEST] = REQUIRE(VMX_ENTRY, 9, "IA-32e mode guest"),
    [VMX_ENTRY_LOAD_PAT] = REQUIRE(VMX_ENTRY, 14, "load IA32_PAT on entry"),
    [VMX_ENTRY_LOAD_EFER] = REQUIRE(VMX_ENTRY, 15, "load IA32_EFER on entry"),

    [VMX_EPT_EXECUTE_ONLY] = WANT(VMX_EPT_VPID, 0, "EPT execute-only pages"),
    [VMX_EPT_4_LEVEL] = REQUIRE(VMX_EPT_VPID, 6, "EPT with 4 levels"),
    [VMX_EPT_WRITE_BACK] = REQUIRE(VMX_EPT_VPID, 14, "EPT structures in write-back memory"),
    [VMX_EPT_2M] = WANT(VMX_EPT_VPID, 16, "EPT 2 MiB pages"),
    [VMX_EPT_1G] = WANT(VMX_EPT_VPID, 17, "EPT 1 GiB pages"),
    [VMX_INVEPT] = REQUIRE(VMX_EPT_VPID, 20, "INVEPT"),
    [VMX_EPT_ACCESSED_DIRTY] = WANT(VMX_EPT_VPID, 21, "EPT accessed and dirty flags"),
    [VMX_INVEPT_SINGLE] = WANT(VMX_EPT_VPID, 25, "INVEPT of one tree"),
    [VMX_INVEPT_ALL] = REQUIRE(VMX_EPT_VPID, 26, "INVEPT of all trees"),
    [VMX_INVVPID] = WANT(VMX_EPT_VPID, 32, "INVVPID"),
    [VMX_INVVPID_SINGLE] = WANT(VMX_EPT_VPID, 41, "INVVPID of one VPID"),
    [VMX_INVVPID_ALL] = WANT(VMX_EPT_VPID, 42, "INVVPID of all VPIDs"),

    [VMX_STRING_IO_INFORMATION] = REQUIRE(VMX_BASIC, 54, "instruction information of INS and OUTS"),
};

static struct vmx_allowed allowed(uint64_t msr)
{
    return (struct vmx_allowed){.must_be_1 = (uint32_t)msr, .may_be_1 = msr >> 32};
}

void vmx_caps_read(struct vmx_caps *caps, vmx_rdmsr_fn *read, void *arg)
{
    *caps = (struct vmx_caps){
        .misc = read(arg, MSR_IA32_VMX_MISC),
        .cr0_fixed0 = read(arg, MSR_IA32_VMX_CR0_FIXED0),
        .cr0_fixed1 = read(arg, MSR_IA32_VMX_CR0_FIXED1),
        .cr4_fixed0 = read(arg, MSR_IA32_VMX_CR4_FIXED0),
        .cr4_fixed1 = read(arg, MSR_IA32_VMX_CR4_FIXED1),
    };

    struct vmx_allowed *word = caps->word;
    word[VMX_BASIC].may_be_1 = read(arg, MSR_IA32_VMX_BASIC);
    bool true_controls = word[VMX_BASIC].may_be_1 & BIT(55);
    word[VMX_PIN] = allowed(
        read(arg, true_controls ? MSR_IA32_VMX_TRUE_PINBASED_CTLS : MSR_IA32_VMX_PINBASED_CTLS));
    word[VMX_PRIMARY] = allowed(
        read(arg, true_controls ? MSR_IA32_VMX_TRUE_PROCBASED_CTLS : MSR_IA32_VMX_PROCBASED_CTLS));
    word[VMX_EXIT] =
        allowed(read(arg, true_controls ? MSR_IA32_VMX_TRUE_EXIT_CTLS : MSR_IA32_VMX_EXIT_CTLS));
    word[VMX_ENTRY] =
        allowed(read(arg, true_controls ? MSR_IA32_VMX_TRUE_ENTRY_CTLS : MSR_IA32_VMX_ENTRY_CTLS));

    if (vmx_has(caps, VMX_SECONDARY_CONTROLS))
        word[VMX_SECONDARY] = allowed(read(arg, MSR_IA32_VMX_PROCBASED_CTLS2));
    if (vmx_has(caps, VMX_TERTIARY_CONTROLS))
        word[VMX_TERTIARY].may_be_1 = read(arg, MSR_IA32_VMX_PROCBASED_CTLS3);
    if (vmx_has(caps, VMX_EPT) || vmx_has(caps, VMX_VPID))
        word[VMX_EPT_VPID].may_be_1 = read(arg, MSR_IA32_VMX_EPT_VPID_CAP);
}

bool vmx_has(const struct vmx_caps *caps, enum vmx_feature feature)
{
    const struct feature *f = &features[feature];
    const struct vmx_allowed *word = &caps->word[f->word];
    if (f->sense == MAY_BE_0)
        return !(word->must_be_1 & BIT(f->bit));
    return word->may_be_1 & BIT(f->bit);
}

const char *vmx_caps_missing(const struct vmx_caps *caps, enum vmx_feature *next)
{
    while (*next < VMX_FEATURES) {
        enum vmx_feature feature = (*next)++;
        if (features[feature].weight == REQUIRED && !vmx_has(caps, feature))
            return features[feature].name;
    }
    return NULL;
}

void vmx_caps_forget(struct vmx_caps *caps, enum vmx_feature feature)
{
    caps->word[features[feature].word].may_be_1 &= ~BIT(features[feature].bit);
}

const char *vmx_feature_name(enum vmx_feature feature)
{
    return features[feature].name;
}

bool vmx_feature_required(enum vmx_feature feature)
{
    return features[feature].weight == REQUIRED;
}

uint64_t vmx_feature_bit(const struct vmx_caps *caps, enum vmx_feature feature)
{
    return vmx_has(caps, feature) ? BIT(features[feature].bit) : 0;
}

uint64_t vmx_control_value(const struct vmx_caps *caps, enum vmx_word word, uint64_t wanted)
{
    return (wanted & caps->word[word].may_be_1) | caps->word[word].must_be_1;
}

uint32_t vmx_revision(const struct vmx_caps *caps)
{
    return caps->word[VMX_BASIC].may_be_1 & MASK(30, 0);
}

bool vmx_caps_is_bochs(const struct vmx_caps *caps)
{
    enum { BOCHS_REVISION = 0x2b, BOCHS_REGION_SIZE = 4096 };
    uint64_t size = field_get(caps->word[VMX_BASIC].may_be_1, MASK(44, 32));
    return vmx_revision(caps) == BOCHS_REVISION && size == BOCHS_REGION_SIZE;
}

unsigned vmx_preemption_timer_shift(const struct vmx_caps *caps)
{
    return caps->misc & MASK(4, 0);
}

const char *vmx_feature_control_refusal(uint64_t feature_control)
{
    if (!(feature_control & FEATURE_CONTROL_LOCK))
        return NULL;
    if (feature_control & FEATURE_CONTROL_VMX_OUT_SMX)
        return NULL;
    return "VMX is locked off by the firmware (IA32_FEATURE_CONTROL); turn it on in its setup";
}
