/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What this processor's VMX can do. Pure: MSRs are read through a callback, so boot/ links this
 * for its refusals and host tests feed it invented processors.
 * Source: SDM Vol 3D, "VMX Capability Reporting Facility".
 */
#pragma once

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

/* F is applied to (name, word, bit, weight, text) of every feature. Bits: SDM Vol 3C, "Virtual
 * Machine Control Structures"; of EPT and VPID, Vol 3D. */
#define VMX_FEATURE_TABLE(F)                                                                       \
    F(EXTERNAL_INTERRUPT_EXITING, PIN, 0, REQUIRED, "external-interrupt exiting")                  \
    F(NMI_EXITING, PIN, 3, REQUIRED, "NMI exiting")                                                \
    F(VIRTUAL_NMIS, PIN, 5, REQUIRED, "virtual NMIs")                                              \
    F(PREEMPTION_TIMER, PIN, 6, REQUIRED, "VMX-preemption timer")                                  \
    F(POSTED_INTERRUPTS, PIN, 7, WANTED, "posted interrupts")                                      \
    F(INTERRUPT_WINDOW_EXITING, PRIMARY, 2, REQUIRED, "interrupt-window exiting")                  \
    F(TSC_OFFSETTING, PRIMARY, 3, REQUIRED, "TSC offsetting")                                      \
    F(HLT_EXITING, PRIMARY, 7, REQUIRED, "HLT exiting")                                            \
    F(MWAIT_EXITING, PRIMARY, 10, REQUIRED, "MWAIT exiting")                                       \
    F(RDPMC_EXITING, PRIMARY, 11, REQUIRED, "RDPMC exiting")                                       \
    F(CR3_LOAD_UNINTERCEPTED, PRIMARY, 15, REQUIRED_CLEAR, "CR3 loads without exit")               \
    F(CR3_STORE_UNINTERCEPTED, PRIMARY, 16, REQUIRED_CLEAR, "CR3 stores without exit")             \
    F(TERTIARY_CONTROLS, PRIMARY, 17, WANTED, "tertiary controls")                                 \
    F(CR8_LOAD_EXITING, PRIMARY, 19, REQUIRED, "CR8-load exiting")                                 \
    F(CR8_STORE_EXITING, PRIMARY, 20, REQUIRED, "CR8-store exiting")                               \
    F(TPR_SHADOW, PRIMARY, 21, WANTED, "TPR shadow")                                               \
    F(NMI_WINDOW_EXITING, PRIMARY, 22, REQUIRED, "NMI-window exiting")                             \
    F(UNCONDITIONAL_IO_EXITING, PRIMARY, 24, REQUIRED, "unconditional I/O exiting")                \
    F(MONITOR_TRAP_FLAG, PRIMARY, 27, WANTED, "monitor trap flag")                                 \
    F(MSR_BITMAPS, PRIMARY, 28, REQUIRED, "MSR bitmaps")                                           \
    F(MONITOR_EXITING, PRIMARY, 29, REQUIRED, "MONITOR exiting")                                   \
    F(SECONDARY_CONTROLS, PRIMARY, 31, REQUIRED, "secondary controls")                             \
    F(VIRTUALIZE_APIC_ACCESSES, SECONDARY, 0, WANTED, "virtualize APIC accesses")                  \
    F(EPT, SECONDARY, 1, REQUIRED, "EPT")                                                          \
    F(DESCRIPTOR_TABLE_EXITING, SECONDARY, 2, WANTED, "descriptor-table exiting")                  \
    F(RDTSCP, SECONDARY, 3, WANTED, "RDTSCP")                                                      \
    F(VIRTUALIZE_X2APIC, SECONDARY, 4, WANTED, "virtualize x2APIC mode")                           \
    F(VPID, SECONDARY, 5, WANTED, "VPID")                                                          \
    F(WBINVD_EXITING, SECONDARY, 6, WANTED, "WBINVD exiting")                                      \
    F(UNRESTRICTED_GUEST, SECONDARY, 7, REQUIRED, "unrestricted guest")                            \
    F(APIC_REGISTER_VIRTUALIZATION, SECONDARY, 8, WANTED, "APIC-register virtualization")          \
    F(VIRTUAL_INTERRUPT_DELIVERY, SECONDARY, 9, WANTED, "virtual-interrupt delivery")              \
    F(PAUSE_LOOP_EXITING, SECONDARY, 10, WANTED, "PAUSE-loop exiting")                             \
    F(INVPCID, SECONDARY, 12, WANTED, "INVPCID")                                                   \
    F(PML, SECONDARY, 17, WANTED, "page-modification logging")                                     \
    F(XSAVES, SECONDARY, 20, WANTED, "XSAVES")                                                     \
    F(MODE_BASED_EXECUTE, SECONDARY, 22, WANTED, "mode-based execute control")                     \
    F(TSC_SCALING, SECONDARY, 25, WANTED, "TSC scaling")                                           \
    F(IPI_VIRTUALIZATION, TERTIARY, 4, WANTED, "IPI virtualization")                               \
    F(SAVE_DEBUG_CONTROLS, EXIT, 2, REQUIRED, "save debug controls")                               \
    F(HOST_64BIT, EXIT, 9, REQUIRED, "host address-space size")                                    \
    F(ACKNOWLEDGE_INTERRUPT, EXIT, 15, REQUIRED, "acknowledge interrupt on exit")                  \
    F(SAVE_PAT, EXIT, 18, REQUIRED, "save IA32_PAT")                                               \
    F(EXIT_LOAD_PAT, EXIT, 19, REQUIRED, "load IA32_PAT on exit")                                  \
    F(SAVE_EFER, EXIT, 20, REQUIRED, "save IA32_EFER")                                             \
    F(EXIT_LOAD_EFER, EXIT, 21, REQUIRED, "load IA32_EFER on exit")                                \
    F(SAVE_PREEMPTION_TIMER, EXIT, 22, REQUIRED, "save VMX-preemption timer")                      \
    F(ENTRY_LOAD_DEBUG_CONTROLS, ENTRY, 2, REQUIRED, "load debug controls")                        \
    F(IA32E_GUEST, ENTRY, 9, REQUIRED, "IA-32e mode guest")                                        \
    F(ENTRY_LOAD_PAT, ENTRY, 14, REQUIRED, "load IA32_PAT on entry")                               \
    F(ENTRY_LOAD_EFER, ENTRY, 15, REQUIRED, "load IA32_EFER on entry")                             \
    F(EPT_EXECUTE_ONLY, EPT_VPID, 0, WANTED, "EPT execute-only pages")                             \
    F(EPT_4_LEVEL, EPT_VPID, 6, REQUIRED, "EPT with 4 levels")                                     \
    F(EPT_WRITE_BACK, EPT_VPID, 14, REQUIRED, "EPT structures in write-back memory")               \
    F(EPT_2M, EPT_VPID, 16, WANTED, "EPT 2 MiB pages")                                             \
    F(EPT_1G, EPT_VPID, 17, WANTED, "EPT 1 GiB pages")                                             \
    F(INVEPT, EPT_VPID, 20, REQUIRED, "INVEPT")                                                    \
    F(EPT_ACCESSED_DIRTY, EPT_VPID, 21, WANTED, "EPT accessed and dirty flags")                    \
    F(INVEPT_SINGLE, EPT_VPID, 25, WANTED, "INVEPT of one tree")                                   \
    F(INVEPT_ALL, EPT_VPID, 26, REQUIRED, "INVEPT of all trees")                                   \
    F(INVVPID, EPT_VPID, 32, WANTED, "INVVPID")                                                    \
    F(INVVPID_SINGLE, EPT_VPID, 41, WANTED, "INVVPID of one VPID")                                 \
    F(INVVPID_ALL, EPT_VPID, 42, WANTED, "INVVPID of all VPIDs")                                   \
    F(STRING_IO_INFORMATION, BASIC, 54, REQUIRED, "instruction information of INS and OUTS")

#define VMX_FEATURE_ENUMERATOR(name, word, bit, weight, text) VMX_##name,
enum vmx_feature { VMX_FEATURE_TABLE(VMX_FEATURE_ENUMERATOR) VMX_FEATURES };
#undef VMX_FEATURE_ENUMERATOR

/* Reads an MSR that exists. */
typedef uint64_t vmx_rdmsr_fn(uint32_t msr);

/*
 * Fills *caps. Only on a processor whose CPUID reports VMX (leaf 1, ECX bit 5); MSRs that VMX
 * makes optional are read only where their enabling bits say that they exist.
 */
void vmx_caps_read(struct vmx_caps *caps, vmx_rdmsr_fn *read);

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

/* The value for a control word: wanted bits that may be set, and what the processor insists on. */
uint64_t vmx_control_value(const struct vmx_caps *caps, enum vmx_word word, uint64_t wanted);

/*
 * Why VMXON outside SMX would fail with this value of IA32_FEATURE_CONTROL, in words for a
 * person; NULL if it is locked with VMX on, or unlocked (vmx_cpu_enable() then locks it).
 */
const char *vmx_feature_control_refusal(uint64_t feature_control);
