/* SPDX-License-Identifier: BSD-2-Clause */
/* VMX capabilities: one table of what we use, one place for the allowed-0/allowed-1 rules. */
#include "vmx/caps.h"

#include <stddef.h>

#include "core/bits.h"
#include "core/x86.h"

/* A feature is there if its bit may be 1, one of the last kind if it may be 0. */
enum weight { WANTED, REQUIRED, REQUIRED_CLEAR };

static const struct feature {
    const char *name;
    uint8_t word; /* enum vmx_word */
    uint8_t bit;
    uint8_t weight;
} features[VMX_FEATURES] = {
#define FEATURE(name, word, bit, weight, text) {text, VMX_##word, bit, weight},
    VMX_FEATURE_TABLE(FEATURE)
#undef FEATURE
};

static struct vmx_allowed allowed(uint64_t msr)
{
    return (struct vmx_allowed){.must_be_1 = (uint32_t)msr, .may_be_1 = msr >> 32};
}

void vmx_caps_read(struct vmx_caps *caps, vmx_rdmsr_fn *read)
{
    *caps = (struct vmx_caps){
        .misc = read(MSR_IA32_VMX_MISC),
        .cr0_fixed0 = read(MSR_IA32_VMX_CR0_FIXED0),
        .cr0_fixed1 = read(MSR_IA32_VMX_CR0_FIXED1),
        .cr4_fixed0 = read(MSR_IA32_VMX_CR4_FIXED0),
        .cr4_fixed1 = read(MSR_IA32_VMX_CR4_FIXED1),
    };

    struct vmx_allowed *word = caps->word;
    word[VMX_BASIC].may_be_1 = read(MSR_IA32_VMX_BASIC);
    /* Those of the other three words follow. */
    uint32_t controls = word[VMX_BASIC].may_be_1 & BIT(55) ? MSR_IA32_VMX_TRUE_PINBASED_CTLS
                                                           : MSR_IA32_VMX_PINBASED_CTLS;
    word[VMX_PIN] = allowed(read(controls));
    word[VMX_PRIMARY] = allowed(read(controls + 1));
    word[VMX_EXIT] = allowed(read(controls + 2));
    word[VMX_ENTRY] = allowed(read(controls + 3));

    if (vmx_has(caps, VMX_SECONDARY_CONTROLS))
        word[VMX_SECONDARY] = allowed(read(MSR_IA32_VMX_PROCBASED_CTLS2));
    if (vmx_has(caps, VMX_TERTIARY_CONTROLS))
        word[VMX_TERTIARY].may_be_1 = read(MSR_IA32_VMX_PROCBASED_CTLS3);
    if (vmx_has(caps, VMX_EPT) || vmx_has(caps, VMX_VPID))
        word[VMX_EPT_VPID].may_be_1 = read(MSR_IA32_VMX_EPT_VPID_CAP);
}

bool vmx_has(const struct vmx_caps *caps, enum vmx_feature feature)
{
    const struct feature *f = &features[feature];
    const struct vmx_allowed *word = &caps->word[f->word];
    if (f->weight == REQUIRED_CLEAR)
        return !(word->must_be_1 & BIT(f->bit));
    return word->may_be_1 & BIT(f->bit);
}

const char *vmx_caps_missing(const struct vmx_caps *caps, enum vmx_feature *next)
{
    while (*next < VMX_FEATURES) {
        enum vmx_feature feature = (*next)++;
        if (vmx_feature_required(feature) && !vmx_has(caps, feature))
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
    return features[feature].weight != WANTED;
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
    /* Of all models but Ice Lake, and of that, as Intel's have it, whose regions are smaller. */
    enum { BOCHS_REVISION = 0x2b, ICE_LAKE_REVISION = 4, BOCHS_REGION_SIZE = 4096 };
    uint64_t size = field_get(caps->word[VMX_BASIC].may_be_1, MASK(44, 32));
    uint32_t revision = vmx_revision(caps);
    return (revision == BOCHS_REVISION || revision == ICE_LAKE_REVISION) &&
           size == BOCHS_REGION_SIZE;
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
