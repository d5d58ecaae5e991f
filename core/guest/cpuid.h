/* SPDX-License-Identifier: BSD-2-Clause */
/* What CPUID tells a guest: the processor's own answer less what Lapwing does not virtualize. */
#pragma once

#include <stdint.h>

#include "core/x86.h"

struct vcpu;
struct vmx_policy;

/* An answer that was given before. All of it belongs to core/guest/cpuid.c; zeros: none yet. */
struct cpuid_answer {
    uint64_t key;
    struct cpuid out;
};

/*
 * Executes CPUID for @vcpu, in its general registers, as the guest sees it now (CR4, the APIC base
 * and XCR0 show through in leaves 1 and 0DH). Call on the CPU that runs @vcpu, while the guest's
 * XCR0 is loaded. What does not follow the guest's state is made once and then remembered: under
 * another hypervisor our own CPUID is an exit. SDM Vol 2A, "CPUID".
 */
void guest_cpuid(struct vcpu *vcpu);

/* What a guest's processor may be set to, as guest_cpuid() shows it. Any CPU in VMX operation. */
void guest_policy(struct vmx_policy *policy);

/* The guest's MAXPHYADDR. */
unsigned guest_maxphyaddr(void);

/* XCR0 bits a guest may set; 0: it has no XSAVE. */
uint64_t guest_xcr0_allowed(void);
