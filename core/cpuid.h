/* SPDX-License-Identifier: BSD-2-Clause */
/* What CPUID tells a guest: the processor's own answer less what Lapwing does not virtualize. */
#ifndef LAPWING_CORE_CPUID_H
#define LAPWING_CORE_CPUID_H

#include <stdint.h>

struct vcpu;
struct vmx_policy;

enum cpuid_register { CPUID_EAX, CPUID_EBX, CPUID_ECX, CPUID_EDX, CPUID_REGISTERS };

/*
 * Answers CPUID for @vcpu as the guest sees it now (CR4 and XCR0 show through in leaves 1, 7 and
 * 0DH). Call on the CPU that runs @vcpu, while the guest's XCR0 is loaded: leaf 0DH sizes depend
 * on it. SDM Vol 2A, "CPUID".
 */
void guest_cpuid(struct vcpu *vcpu, uint32_t leaf, uint32_t subleaf, uint32_t out[CPUID_REGISTERS]);

/* What a guest's processor may be set to, as guest_cpuid() shows it. Any CPU in VMX operation. */
void guest_policy(struct vmx_policy *policy);

/* The guest's MAXPHYADDR. */
unsigned guest_maxphyaddr(void);

/* XCR0 bits a guest may set; 0: it has no XSAVE. */
uint64_t guest_xcr0_allowed(void);

#endif
