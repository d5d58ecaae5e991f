/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Lapwing's own leaves, and behind them KVM's: Linux switches to x2APIC mode without interrupt
 * remapping only under a hypervisor it knows, and starts processors with IDs above 255 only when
 * told that device interrupts reach them. Besides there is the hypercall that sends an IPI to many
 * (core/guest/kvm_hypercall.c), and nothing else of KVM's interface (Linux,
 * Documentation/virt/kvm/x86/cpuid.rst).
 *
 * With "hyperv = on" Hyper-V's leaves come first, where its guests look for them, and Lapwing's
 * 100H behind them. KVM's are left out: Linux takes the last of the hypervisors that it finds.
 */
#include "core/guest/cpuid_hypervisor.h"

#include "core/bits.h"
#include "core/hyperv/hyperv.h"
#include "core/vcpu.h"

#define KVM_SIGNATURE "KVMKVMKVM\0\0"
_Static_assert(sizeof(CPUID_SIGNATURE) == 13 && sizeof(KVM_SIGNATURE) == 12,
               "EBX, ECX and EDX hold 12 characters");

/* Bits 55:49 of I/O APIC entries and bits 11:5 of MSI addresses are destination bits 14:8. */
#define KVM_FEATURE_MSI_EXT_DEST_ID BIT(15)

/* The hypercall that sends an IPI to many. */
#define KVM_FEATURE_PV_SEND_IPI BIT(11)

/* This exit counts, too. */
static uint64_t exits_of(const struct vcpu *vcpu)
{
    uint64_t sum = 0;

    for (unsigned reason = 0; reason < VMX_EXIT_REASONS; reason++)
        sum += vcpu_exits(vcpu, reason);
    return sum;
}

/* Lapwing's leaves with their first at @base. */
static struct cpuid own(const struct vcpu *vcpu, uint32_t base, uint32_t leaf)
{
    uint32_t khz = (uint32_t)(vcpu->vm->tsc_hz / 1000);
    uint64_t exits = exits_of(vcpu);

    switch (leaf - base) {
    case 0:
        return cpuid_signature(base + CPUID_EXITS, CPUID_SIGNATURE);
    case CPUID_TIMING:
        return (struct cpuid){.eax = khz, .ebx = khz};
    case CPUID_EXITS:
        return (struct cpuid){.eax = (uint32_t)exits, .ebx = (uint32_t)(exits >> 32)};
    default:
        return (struct cpuid){0};
    }
}

struct cpuid guest_cpuid_hypervisor(const struct vcpu *vcpu, uint32_t leaf)
{
    const struct vm *vm = vcpu->vm;

    if (vm->hv != NULL)
        return leaf < CPUID_BEHIND_HYPERV ? hv_cpuid(vm, leaf)
                                          : own(vcpu, CPUID_BEHIND_HYPERV, leaf);
    switch (leaf) {
    case CPUID_KVM:
        return cpuid_signature(CPUID_KVM_FEATURES, KVM_SIGNATURE);
    case CPUID_KVM_FEATURES:
        return (struct cpuid){.eax = KVM_FEATURE_MSI_EXT_DEST_ID | KVM_FEATURE_PV_SEND_IPI};
    default:
        return own(vcpu, CPUID_HYPERVISOR, leaf);
    }
}
