/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/guest/kvm_hypercall.h"

#include "apic/domain.h"
#include "core/bits.h"
#include "core/epoch.h"
#include "core/vcpu.h"
#include "core/vm.h"

enum {
    KVM_HC_SEND_IPI = 10,

    KVM_EPERM = 1,
    KVM_EINVAL = 22,
    KVM_ENOSYS = 1000,

    LAST_ID = 0xfffffffeu,
};

/* To the APICs whose bits are set; bit 0 is the one with this ID. Returns how many took it. */
static unsigned send(struct vm *vm, struct apic_msg *msg, uint64_t lowest, uint64_t bits)
{
    unsigned accepted = 0;

    for (; bits != 0; bits &= bits - 1) {
        uint64_t id = lowest + (unsigned)__builtin_ctzll(bits);
        if (id > LAST_ID)
            break;
        msg->dest = (uint32_t)id;
        accepted += apic_route(&vm->apic, msg);
    }
    return accepted;
}

/* Two words of bits, the lowest ID, and an ICR, of which vector and delivery mode are looked at. */
static __attribute__((noinline)) int64_t send_ipi(struct vcpu *vcpu)
{
    bool long_mode;
    const uint64_t *gpr = vcpu->regs.gpr;
    uint32_t lowest = (uint32_t)gpr[VMX_RDX], icr = (uint32_t)gpr[VMX_RSI];
    struct apic_msg msg = {
        .source = &vcpu->active->lapic,
        .vector = (uint8_t)icr,
        .delivery = icr >> 8 & 7,
        .wide = true,
    };

    if (icr & (APIC_ICR_LOGICAL | APIC_ICR_SHORTHAND) ||
        (msg.delivery != APIC_FIXED && msg.delivery != APIC_NMI))
        return -KVM_EINVAL;
    (void)vmx_is_kernel(&vcpu->active->vmx, &long_mode);
    unsigned width = long_mode ? 64 : 32;
    uint64_t mask = UINT64_MAX >> (64 - width);
    epoch_enter();
    unsigned accepted = send(vcpu->vm, &msg, lowest, gpr[VMX_RBX] & mask);
    accepted += send(vcpu->vm, &msg, (uint64_t)lowest + width, gpr[VMX_RCX] & mask);
    epoch_leave();
    return accepted;
}

static int64_t answer(struct vcpu *vcpu)
{
    if (vmx_cpl(&vcpu->active->vmx) != 0)
        return -KVM_EPERM;
    if ((uint32_t)vcpu->regs.gpr[VMX_RAX] != KVM_HC_SEND_IPI)
        return -KVM_ENOSYS;
    return send_ipi(vcpu);
}

enum vmx_action kvm_hypercall(struct vcpu *vcpu)
{
    vcpu->regs.gpr[VMX_RAX] = (uint64_t)answer(vcpu);
    return VMX_NEXT;
}
