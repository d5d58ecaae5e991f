/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What this processor's VMX can do. Pure: MSRs are read through a callback, so boot/ links this
 * for its refusals and host tests feed it invented processors.
 * Source: SDM Vol 3D, "VMX Capability Reporting Facility".
 */
#ifndef LAPWING_VMX_CAPS_H
#define LAPWING_VMX_CAPS_H

#include <stdbool.h>
#include <stdint.h>

/* The words a feature can be a bit of. */
enum vmx_word {
    VMX_PIN,
    VMX_PRIMARY,
    VMX_SECONDARY,
    VMX_TERTIARY,
    VMX_EXIT,
    VMX_ENTRY,
    VMX_EPT_VPID,
    VMX_BASIC,
    VMX_WORDS,
};

/* A bit outside must_be_1 may be 0, a bit inside may_be_1 may be 1. */
struct vmx_allowed {
    uint64_t must_be_1;
    uint64_t may_be_1;
};

struct vmx_caps {
    uint64_t misc;
    uint64_t cr0_fixed0, cr0_fixed1;
    uint64_t cr4_fixed0, cr4_fixed1;
    struct vmx_allowed word[VMX_WORDS];
};

/* In the order of the table in caps.c, which gives each its name, place and weight. */
enum vmx_feature {
    VMX_EXTERNAL_INTERRUPT_EXITING,
    VMX_NMI_EXITING,
    VMX_VIRTUAL_NMIS,
    VMX_PREEMPTION_TIMER,
    VMX_POSTED_INTERRUPTS,
    VMX_INTERRUPT_WINDOW_EXITING,
    VMX_TSC_OFFSETTING,
    VMX_HLT_EXITING,
    VMX_MWAIT_EXITING,
    VMX_RDPMC_EXITING,
    VMX_CR3_LOAD_UNINTERCEPTED,
    VMX_CR3_STORE_UNINTERCEPTED,
    VMX_TERTIARY_CONTROLS,
    VMX_CR8_LOAD_EXITING,
    VMX_CR8_STORE_EXITING,
    VMX_TPR_SHADOW,
    VMX_NMI_WINDOW_EXITING,
    VMX_UNCONDITIONAL_IO_EXITING,
    VMX_MONITOR_TRAP_FLAG,
    VMX_MSR_BITMAPS,
    VMX_MONITOR_EXITING,
    VMX_SECONDARY_CONTROLS,
    VMX_VIRTUALIZE_APIC_ACCESSES,
    VMX_EPT,
    VMX_DESCRIPTOR_TABLE_EXITING,
    VMX_RDTSCP,
    VMX_VIRTUALIZE_X2APIC,
    VMX_VPID,
    VMX_WBINVD_EXITING,
    VMX_UNRESTRICTED_GUEST,
    VMX_APIC_REGISTER_VIRTUALIZATION,
    VMX_VIRTUAL_INTERRUPT_DELIVERY,
    VMX_PAUSE_LOOP_EXITING,
    VMX_INVPCID,
    VMX_PML,
    VMX_XSAVES,
    VMX_MODE_BASED_EXECUTE,
    VMX_TSC_SCALING,
    VMX_IPI_VIRTUALIZATION,
    VMX_SAVE_DEBUG_CONTROLS,
    VMX_HOST_64BIT,
    VMX_ACKNOWLEDGE_INTERRUPT,
    VMX_SAVE_PAT,
    VMX_EXIT_LOAD_PAT,
    VMX_SAVE_EFER,
    VMX_EXIT_LOAD_EFER,
    VMX_SAVE_PREEMPTION_TIMER,
    VMX_ENTRY_LOAD_DEBUG_CONTROLS,
    VMX_IA32E_GUEST,
    VMX_ENTRY_LOAD_PAT,
    VMX_ENTRY_LOAD_EFER,
    VMX_EPT_EXECUTE_ONLY,
    VMX_EPT_4_LEVEL,
    VMX_EPT_WRITE_BACK,
    VMX_EPT_2M,
    VMX_EPT_1G,
    VMX_INVEPT,
    VMX_EPT_ACCESSED_DIRTY,
    VMX_INVEPT_SINGLE,
    VMX_INVEPT_ALL,
    VMX_INVVPID,
    VMX_INVVPID_SINGLE,
    VMX_INVVPID_ALL,
    VMX_STRING_IO_INFORMATION,
    VMX_FEATURES,
};

/* Reads an MSR that exists; arg is what was given to vmx_caps_read. */
typedef uint64_t vmx_rdmsr_fn(void *arg, uint32_t msr);

/*
 * Fills *caps. Only on a processor whose CPUID reports VMX (leaf 1, ECX bit 5); MSRs that VMX
 * makes optional are read only where their enabling bits say that they exist.
 */
void vmx_caps_read(struct vmx_caps *caps, vmx_rdmsr_fn *read, void *arg);

/* The name of the first required feature from *next on that is not there, and in *next what follows
 * it; NULL if there is none. */
const char *vmx_caps_missing(const struct vmx_caps *caps, enum vmx_feature *next);

/* Whether the feature may be used. Costs table look-ups: keep it out of the exit path. */
bool vmx_has(const struct vmx_caps *caps, enum vmx_feature feature);

/* As if the processor had not a feature that is only wanted. */
void vmx_caps_forget(struct vmx_caps *caps, enum vmx_feature feature);

/* Bochs, which at times delivers interrupts and reports exceptions wrongly: docs/errata.md. */
bool vmx_caps_is_bochs(const struct vmx_caps *caps);

/* The name for people, and whether we refuse to run without it, of features below VMX_FEATURES. */
const char *vmx_feature_name(enum vmx_feature feature);
bool vmx_feature_required(enum vmx_feature feature);

/* The feature's bit in its word, 0 if the processor lacks it. */
uint64_t vmx_feature_bit(const struct vmx_caps *caps, enum vmx_feature feature);

/* 4-byte VMCS or VMXON region revision identifier. */
uint32_t vmx_revision(const struct vmx_caps *caps);

/* Host TSC ticks per tick of the preemption timer, as a shift. */
unsigned vmx_preemption_timer_shift(const struct vmx_caps *caps);

/* The value for a control word: the wanted bits that may be set, and what the processor insists on.
 */
uint64_t vmx_control_value(const struct vmx_caps *caps, enum vmx_word word, uint64_t wanted);

/*
 * Why VMXON outside SMX would fail with this value of IA32_FEATURE_CONTROL, in words for a
 * person; NULL if it is locked with VMX on, or unlocked (vmx_cpu_enable() then locks it).
 */
const char *vmx_feature_control_refusal(uint64_t feature_control);

#endif
