/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Lapwing's own leaves, and behind them KVM's: Linux switches to x2APIC mode without interrupt
 * remapping only under a hypervisor it knows, and starts processors with IDs above 255 only when
 * told that device interrupts reach them. Nothing else of KVM's interface is there, and no feature
 * bit says so (Linux, Documentation/virt/kvm/x86/cpuid.rst).
 */
#include "core/cpuid_hypervisor.h"

#include "core/bits.h"
#include "core/string.h"
#include "core/vm.h"

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

void guest_cpuid_hypervisor(const struct vm *vm, uint32_t leaf, uint32_t out[CPUID_REGISTERS])
{
    memset(out, 0, CPUID_REGISTERS * sizeof(out[0]));
    switch (leaf) {
    case CPUID_HYPERVISOR:
        signature(CPUID_HYPERVISOR_TIMING, CPUID_SIGNATURE, out);
        break;
    case CPUID_HYPERVISOR_TIMING:
        out[CPUID_EAX] = (uint32_t)(vm->tsc_hz / 1000);
        out[CPUID_EBX] = out[CPUID_EAX];
        break;
    case CPUID_KVM:
        signature(CPUID_KVM_FEATURES, KVM_SIGNATURE, out);
        break;
    case CPUID_KVM_FEATURES:
        out[CPUID_EAX] = (uint32_t)KVM_FEATURE_MSI_EXT_DEST_ID;
        break;
    default:
        break;
    }
}
