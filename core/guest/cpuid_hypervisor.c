/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Lapwing's own leaves, and behind them KVM's: Linux switches to x2APIC mode without interrupt
 * remapping only under a hypervisor it knows, and starts processors with IDs above 255 only when
 * told that device interrupts reach them. Nothing else of KVM's interface is there, and no feature
 * bit says so (Linux, Documentation/virt/kvm/x86/cpuid.rst).
 *
 * With "hyperv = on" Hyper-V's leaves come first, where its guests look for them, and Lapwing's
 * 100H behind them. KVM's are left out: Linux takes the last of the hypervisors that it finds.
 */
#include "core/guest/cpuid_hypervisor.h"

#include "core/bits.h"
#include "core/hyperv/hyperv.h"
#include "core/string.h"
#include "core/vcpu.h"

#define KVM_SIGNATURE "KVMKVMKVM\0\0"

/* Bits 55:49 of I/O APIC entries and bits 11:5 of MSI addresses are destination bits 14:8. */
#define KVM_FEATURE_MSI_EXT_DEST_ID BIT(15)

static void signature(uint32_t highest, const char *text, uint32_t out[CPUID_REGISTERS])
{
    _Static_assert(sizeof(CPUID_SIGNATURE) == 13 && sizeof(KVM_SIGNATURE) == 12,
                   "EBX, ECX and EDX hold 12 characters");
    out[CPUID_EAX] = highest;
    memcpy(&out[CPUID_EBX], text, 12);
}

/* This exit counts, too. */
static uint64_t exits_of(const struct vcpu *vcpu)
{
    uint64_t sum = 0;

    for (unsigned vtl = 0; vtl < vcpu->vm->vtls; vtl++)
        for (unsigned i = 0; i < VMX_EXIT_REASONS; i++)
            sum += vcpu->contexts[vtl].vmx.exits[i];
    return sum;
}

/* Lapwing's leaves with their first at @base. */
static void own(const struct vcpu *vcpu, uint32_t base, uint32_t leaf,
                uint32_t out[CPUID_REGISTERS])
{
    switch (leaf - base) {
    case 0:
        signature(base + CPUID_EXITS, CPUID_SIGNATURE, out);
        break;
    case CPUID_TIMING:
        out[CPUID_EAX] = (uint32_t)(vcpu->vm->tsc_hz / 1000);
        out[CPUID_EBX] = out[CPUID_EAX];
        break;
    case CPUID_EXITS:
        out[CPUID_EAX] = (uint32_t)exits_of(vcpu);
        out[CPUID_EBX] = (uint32_t)(exits_of(vcpu) >> 32);
        break;
    default:
        break;
    }
}

void guest_cpuid_hypervisor(const struct vcpu *vcpu, uint32_t leaf, uint32_t out[CPUID_REGISTERS])
{
    const struct vm *vm = vcpu->vm;

    memset(out, 0, CPUID_REGISTERS * sizeof(out[0]));
    if (vm->hv != NULL) {
        if (leaf < CPUID_BEHIND_HYPERV)
            hv_cpuid(vm, leaf, out);
        else
            own(vcpu, CPUID_BEHIND_HYPERV, leaf, out);
        return;
    }
    switch (leaf) {
    case CPUID_KVM:
        signature(CPUID_KVM_FEATURES, KVM_SIGNATURE, out);
        break;
    case CPUID_KVM_FEATURES:
        out[CPUID_EAX] = (uint32_t)KVM_FEATURE_MSI_EXT_DEST_ID;
        break;
    default:
        own(vcpu, CPUID_HYPERVISOR, leaf, out);
        break;
    }
}
