/* SPDX-License-Identifier: BSD-2-Clause */
/* The kernel's in-kernel local APICs, driven without running a guest: a second opinion. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum { KVM_APIC_PAGE = 0x400 };

struct kvm {
    int system;
    int vm;
    unsigned count;
    unsigned capacity;
    int *vcpu;
};

/* True, or false with *why set when KVM cannot be used here. `wide` asks for 32-bit IDs in the MSI
 * and state formats, and `no_quirk` then disables the FFh-is-broadcast quirk for x2APIC. */
bool kvm_open(struct kvm *kvm, unsigned capacity, bool wide, bool no_quirk, const char **why);
void kvm_close(struct kvm *kvm);

/* Most vCPUs and the highest vCPU id this kernel takes. */
unsigned kvm_max_vcpus(const struct kvm *kvm);
unsigned kvm_max_id(const struct kvm *kvm);

/* Adds a vCPU whose x2APIC ID is `id32`. False when the kernel refuses. */
bool kvm_add(struct kvm *kvm, uint32_t id32);

/* Puts vCPU `i` into a state: IA32_APIC_BASE, and its register page. */
bool kvm_set_base(struct kvm *kvm, unsigned i, uint64_t base);
bool kvm_set_page(struct kvm *kvm, unsigned i, const uint32_t page[KVM_APIC_PAGE / 4]);
bool kvm_get_page(struct kvm *kvm, unsigned i, uint32_t page[KVM_APIC_PAGE / 4]);

/* Number of APICs that took the message; negative errno on refusal. */
int kvm_msi(struct kvm *kvm, uint64_t address, uint32_t data);

/* A call of the same shape that does nothing, for measuring the way in and out. */
void kvm_nothing(struct kvm *kvm);
