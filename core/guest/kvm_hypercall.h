/* SPDX-License-Identifier: BSD-2-Clause */
/* VMCALL in a VM whose CPUID shows KVM's leaves: Linux,
 * Documentation/virt/kvm/x86/hypercalls.rst. */
#ifndef LAPWING_CORE_GUEST_KVM_HYPERCALL_H
#define LAPWING_CORE_GUEST_KVM_HYPERCALL_H

#include "vmx/vmx.h"

struct vcpu;

/* Answers the hypercall whose number is in RAX, there. By the CPU that runs @vcpu, in its exit. */
enum vmx_action kvm_hypercall(struct vcpu *vcpu);

#endif
