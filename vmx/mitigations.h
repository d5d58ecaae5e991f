/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Transient execution: what a processor lets a guest learn of its neighbours, and what is done
 * about it. Pure: MSRs are read through a callback, so boot/ links this for its report and host
 * tests feed it invented processors.
 * Sources: SDM Vol 4, "IA32_ARCH_CAPABILITIES", and Intel's "Affected Processors: Transient
 * Execution Attacks and Related Security Issues by CPU".
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "vmx/caps.h"

/* What CPUID and IA32_ARCH_CAPABILITIES say of a processor. */
struct vmx_speculation {
    uint32_t signature;            /* leaf 1, EAX */
    uint32_t leaf7_ebx, leaf7_edx; /* subleaf 0 */
    uint32_t leaf7_2_edx;          /* subleaf 2 */
    uint64_t arch_capabilities;    /* 0 where CPUID does not announce the MSR */
    bool siblings;                 /* guests run on two threads of a core */
    bool emulated;                 /* by Bochs, which does not speculate */
};

enum vmx_threat {
    VMX_L1TF,
    VMX_MDS,
    VMX_SIBLINGS,
    VMX_BTI,
    VMX_RSB,
    VMX_BHI,
    VMX_ITS,
    VMX_SSB,
    VMX_MULTIHIT,
    VMX_THREATS,
};

/* As the words of the configuration's key. */
enum vmx_mitigate { VMX_MITIGATE_AUTO, VMX_MITIGATE_OFF, VMX_MITIGATE_ON };

enum vmx_mitigation_state { VMX_NOT_AFFECTED, VMX_MITIGATED, VMX_NOT_MITIGATED };

/* What VM entries and exits do beside their work; the bits are known to entry.asm, too. */
enum vmx_guard {
    VMX_GUARD_L1D = 1 << 0,  /* flush the L1 data cache before each entry */
    VMX_GUARD_IBRS = 1 << 1, /* restrict indirect branches from each exit to the next entry */
    VMX_GUARD_VERW = 1 << 2, /* clear the buffers before each entry */
    VMX_GUARD_RSB = 1 << 3,  /* fill the return stack buffer when the loop of exits is left */
    VMX_GUARD_IBPB = 1 << 4, /* forget predicted branches between virtual processors */
};

struct vmx_mitigations {
    struct {
        enum vmx_mitigation_state state;
        const char *how; /* how it is mitigated, or why it is not; NULL: not affected */
    } of[VMX_THREATS];
    uint32_t guards;          /* enum vmx_guard */
    uint32_t spec_ctrl;       /* of IA32_SPEC_CTRL while the hypervisor runs; 0: leave it alone */
    uint32_t spec_ctrl_guest; /* and while a guest runs */
    bool small_pages;         /* no executable page of the EPT may be larger than 4 KiB */
};

/* "L1 terminal fault" and the like. */
const char *vmx_threat_name(enum vmx_threat threat);

/* Asks the processor this runs on; guests run on those with the n APIC IDs. */
void vmx_speculation_read(struct vmx_speculation *s, const struct vmx_caps *caps,
                          const uint32_t *apic_ids, uint32_t n, vmx_rdmsr_fn *read);

/* Whether two of the IDs are of one core: they differ in their `shift` lowest bits only. */
bool vmx_are_siblings(const uint32_t *apic_ids, uint32_t n, unsigned shift);

/* VMX_MITIGATE_ON takes every measure that the processor knows, whether it is affected or not. */
void vmx_mitigations_decide(struct vmx_mitigations *m, const struct vmx_speculation *s,
                            enum vmx_mitigate mode);
