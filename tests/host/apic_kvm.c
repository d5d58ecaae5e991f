/* SPDX-License-Identifier: BSD-2-Clause */
/* The kernel's in-kernel local APICs, driven without running a guest. */
#define _GNU_SOURCE
#include "tests/host/apic_kvm.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

_Static_assert(sizeof(((struct kvm_lapic_state *)0)->regs) == KVM_APIC_PAGE, "page size");

enum { CPUID_ENTRIES = 128, ECX_X2APIC = 1 << 21 };

bool kvm_open(struct kvm *kvm, unsigned capacity, bool wide, bool no_quirk, const char **why)
{
    *kvm = (struct kvm){.system = open("/dev/kvm", O_RDWR | O_CLOEXEC), .vm = -1};
    if (kvm->system < 0) {
        *why = "/dev/kvm does not open";
        return false;
    }
    kvm->vm = ioctl(kvm->system, KVM_CREATE_VM, 0UL);
    if (kvm->vm < 0 || ioctl(kvm->vm, KVM_CREATE_IRQCHIP, 0) != 0) {
        *why = "KVM has no in-kernel interrupt controller";
        kvm_close(kvm);
        return false;
    }
    struct kvm_enable_cap cap = {.cap = KVM_CAP_X2APIC_API};
    cap.args[0] = (wide ? KVM_X2APIC_API_USE_32BIT_IDS : 0) |
                  (no_quirk ? KVM_X2APIC_API_DISABLE_BROADCAST_QUIRK : 0);
    if (wide && ioctl(kvm->vm, KVM_ENABLE_CAP, &cap) != 0) {
        *why = "KVM has no 32-bit APIC IDs";
        kvm_close(kvm);
        return false;
    }
    kvm->capacity = capacity;
    kvm->vcpu = calloc(capacity, sizeof(*kvm->vcpu));
    return true;
}

void kvm_close(struct kvm *kvm)
{
    for (unsigned i = 0; i < kvm->count; i++) {
        close(kvm->vcpu[i]);
    }
    free(kvm->vcpu);
    if (kvm->vm >= 0) {
        close(kvm->vm);
    }
    close(kvm->system);
}

unsigned kvm_max_vcpus(const struct kvm *kvm)
{
    return (unsigned)ioctl(kvm->vm, KVM_CHECK_EXTENSION, (unsigned long)KVM_CAP_MAX_VCPUS);
}

unsigned kvm_max_id(const struct kvm *kvm)
{
    return (unsigned)ioctl(kvm->vm, KVM_CHECK_EXTENSION, (unsigned long)KVM_CAP_MAX_VCPU_ID) - 1;
}

/* The kernel allows x2APIC mode only to a vCPU whose CPUID offers it. */
static bool offer_x2apic(struct kvm *kvm, int vcpu)
{
    struct kvm_cpuid2 *cpuid =
        calloc(1, sizeof(*cpuid) + CPUID_ENTRIES * sizeof(struct kvm_cpuid_entry2));
    cpuid->nent = CPUID_ENTRIES;
    bool done = ioctl(kvm->system, KVM_GET_SUPPORTED_CPUID, cpuid) == 0;
    for (unsigned i = 0; done && i < cpuid->nent; i++) {
        if (cpuid->entries[i].function == 1) {
            cpuid->entries[i].ecx |= ECX_X2APIC;
        }
    }
    done = done && ioctl(vcpu, KVM_SET_CPUID2, cpuid) == 0;
    free(cpuid);
    return done;
}

bool kvm_add(struct kvm *kvm, uint32_t id32)
{
    int vcpu = ioctl(kvm->vm, KVM_CREATE_VCPU, (unsigned long)id32);
    if (vcpu < 0) {
        return false;
    }
    kvm->vcpu[kvm->count++] = vcpu;
    return offer_x2apic(kvm, vcpu);
}

bool kvm_set_base(struct kvm *kvm, unsigned i, uint64_t base)
{
    struct kvm_sregs sregs;
    if (ioctl(kvm->vcpu[i], KVM_GET_SREGS, &sregs) != 0) {
        return false;
    }
    sregs.apic_base = base;
    return ioctl(kvm->vcpu[i], KVM_SET_SREGS, &sregs) == 0;
}

bool kvm_set_page(struct kvm *kvm, unsigned i, const uint32_t page[KVM_APIC_PAGE / 4])
{
    struct kvm_lapic_state state;
    memcpy(state.regs, page, sizeof(state.regs));
    return ioctl(kvm->vcpu[i], KVM_SET_LAPIC, &state) == 0;
}

bool kvm_get_page(struct kvm *kvm, unsigned i, uint32_t page[KVM_APIC_PAGE / 4])
{
    struct kvm_lapic_state state;
    if (ioctl(kvm->vcpu[i], KVM_GET_LAPIC, &state) != 0) {
        return false;
    }
    memcpy(page, state.regs, sizeof(state.regs));
    return true;
}

int kvm_msi(struct kvm *kvm, uint64_t address, uint32_t data)
{
    struct kvm_msi msi = {
        .address_lo = (uint32_t)address, .address_hi = (uint32_t)(address >> 32), .data = data};
    int taken = ioctl(kvm->vm, KVM_SIGNAL_MSI, &msi);
    return taken < 0 ? -errno : taken;
}

void kvm_nothing(struct kvm *kvm)
{
    (void)ioctl(kvm->vm, KVM_CHECK_EXTENSION, (unsigned long)KVM_CAP_IRQCHIP);
}
