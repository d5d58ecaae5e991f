/* SPDX-License-Identifier: BSD-2-Clause */
/* The CPUID leaves that no processor defines: what a guest learns about its hypervisor. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "core/guest/cpuid.h"

struct vcpu;

/* The signature is in EBX, ECX and EDX of the first leaf. */
enum {
    CPUID_HYPERVISOR = 0x40000000u,
    CPUID_TIMING = 0x10u, /* behind the first: EAX: TSC kHz, EBX: APIC timer kHz */
    CPUID_EXITS = 0x11u,  /* EAX, EBX: VM exits of this virtual processor, low and high half */
    CPUID_KVM = 0x40000100u,
    CPUID_KVM_FEATURES = 0x40000101u,
    CPUID_BEHIND_HYPERV = 0x40000100u,
};

#define CPUID_SIGNATURE "LapwingVisor"

/* A leaf of the hypervisor range, 40000000H to 4FFFFFFFH (SDM Vol 2A, "CPUID"). */
static inline bool cpuid_is_hypervisor(uint32_t leaf)
{
    return leaf >> 28 == 4;
}

/* The answer of a first leaf: the highest one, and 12 characters. */
static inline struct cpuid cpuid_signature(uint32_t highest, const char *text)
{
    return (struct cpuid){highest, load32(text), load32(text + 4), load32(text + 8)};
}

/* Answers such a leaf; one that does not exist reads zero. */
struct cpuid guest_cpuid_hypervisor(const struct vcpu *vcpu, uint32_t leaf);
