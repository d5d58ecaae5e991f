/* SPDX-License-Identifier: BSD-2-Clause */
/* The client of vmx/: each answer leads to the part of the machine that gives it. */
#include "core/exits.h"

#include "core/emulate/linear.h"
#include "core/emulate/mmio.h"
#include "core/gdb/gdb.h"
#include "core/guest/apic.h"
#include "core/guest/cpuid.h"
#include "core/guest/kvm_hypercall.h"
#include "core/guest/machine.h"
#include "core/guest/trace.h"
#include "core/hyperv/hyperv.h"
#include "core/hyperv/intercept.h"
#include "core/hyperv/secure.h"
#include "core/interrupt.h"
#include "core/sched.h"
#include "core/string.h"
#include "core/time.h"
#include "core/vcpu.h"

static struct vcpu *vcpu_of(void *owner)
{
    return ((struct context *)owner)->vcpu;
}

/* A VTL above may have something to say to what it writes. */
static bool is_guarded(void *owner)
{
    const struct context *ctx = owner;

    return ctx->hv != NULL && ctx->hv->guarded;
}

static void on_cpuid(void *owner)
{
    guest_cpuid(vcpu_of(owner));
}

static enum vmx_action on_rdmsr(void *owner, uint32_t msr, uint64_t *value)
{
    if (is_guarded(owner) && hv_refuses_msr(vcpu_of(owner), msr, false, 0))
        return VMX_AGAIN;
    return guest_rdmsr(vcpu_of(owner), msr, value);
}

static enum vmx_action on_wrmsr(void *owner, uint32_t msr, uint64_t value)
{
    if (is_guarded(owner) && hv_refuses_msr(vcpu_of(owner), msr, true, value))
        return VMX_AGAIN;
    return guest_wrmsr(vcpu_of(owner), msr, value);
}

/*
 * An interrupt ends a turn. On Bochs it does not while the guest has interrupts disabled, and one
 * that does little but port accesses is hardly ever at the end of its stay: docs/errata.md.
 */
static void give_way_in_time(struct vcpu *vcpu)
{
    if (sched_others_wait() && time_now_tsc() >= sched_turn_end())
        vcpu->active->vmx.leave |= VMX_LEAVE;
}

static enum vmx_action next_unless_stopping(struct vcpu *vcpu)
{
    give_way_in_time(vcpu);
    return vm_stopping(vcpu->vm) ? VMX_STOP : VMX_NEXT;
}

static enum vmx_action on_port_read(void *owner, uint16_t port, unsigned size, uint32_t *value)
{
    *value = machine_port_read(vcpu_of(owner)->vm, port, size);
    return next_unless_stopping(vcpu_of(owner));
}

static enum vmx_action on_port_write(void *owner, uint16_t port, unsigned size, uint32_t value)
{
    machine_port_write(vcpu_of(owner)->vm, port, size, value);
    return next_unless_stopping(vcpu_of(owner));
}

static enum vmx_action on_read(void *owner, uint64_t gla, void *to, size_t size, unsigned access,
                               struct vmx_exception *fault)
{
    return linear_read(vcpu_of(owner), gla, to, size, access, fault);
}

static enum vmx_action on_write(void *owner, uint64_t gla, const void *from, size_t size,
                                unsigned access, struct vmx_exception *fault)
{
    return linear_write(vcpu_of(owner), gla, from, size, access, fault);
}

static bool on_read_pdpte(void *owner, uint64_t gpa, uint64_t *value)
{
    const void *entry = context_view(owner, gpa, EPT_R);

    if (entry != NULL)
        memcpy(value, entry, sizeof(*value));
    return entry != NULL;
}

static uint64_t on_read_cr8(void *owner)
{
    return lapic_read_cr8(&vcpu_of(owner)->active->lapic);
}

static void on_write_cr8(void *owner, uint64_t value)
{
    guest_apic_write_cr8(vcpu_of(owner), value);
}

static enum vmx_action on_ept_violation(void *owner, const struct vmx_ept_violation *violation)
{
    struct vcpu *vcpu = vcpu_of(owner);

    enum vmx_action action;

    if (vcpu->hv != NULL && hv_violation(vcpu, violation, &action))
        return action;
    return mmio_emulate(vcpu, violation);
}

static void on_apic_written(void *owner, uint16_t offset)
{
    guest_apic_written(vcpu_of(owner), offset);
}

static void on_apic_eoi(void *owner, uint8_t vector)
{
    guest_apic_ended(vcpu_of(owner), vector);
}

static void on_exit(void *owner, unsigned reason, uint64_t rip, uint64_t qualification)
{
    guest_trace(owner, TRACE_EXIT, (uint16_t)reason, rip, qualification);
}

static void on_entry(void *owner, uint64_t rip)
{
    guest_trace(owner, TRACE_ENTRY, 0, rip, 0);
}

static void on_attend(void *owner)
{
    vcpu_attend(vcpu_of(owner));
}

static bool on_refuses_write(void *owner, enum vmx_reg reg, uint64_t value)
{
    return is_guarded(owner) && hv_refuses_write(vcpu_of(owner), reg, value);
}

static bool on_refuses_table(void *owner, enum vmx_table_register which, bool memory,
                             uint64_t operand)
{
    return is_guarded(owner) && hv_refuses_table(vcpu_of(owner), which, memory, operand);
}

static bool on_breakpoint(void *owner)
{
    return gdb_takes_breakpoint(owner);
}

static void on_switched(void *owner)
{
    vcpu_switched(vcpu_of(owner));
}

static enum vmx_action on_vmcall(void *owner)
{
    struct vcpu *vcpu = vcpu_of(owner);

    return vcpu->hv != NULL ? hv_vmcall(vcpu) : kvm_hypercall(vcpu);
}

const struct vmx_client exit_client = {
    .cpuid = on_cpuid,
    .rdmsr = on_rdmsr,
    .wrmsr = on_wrmsr,
    .port_read = on_port_read,
    .port_write = on_port_write,
    .read = on_read,
    .write = on_write,
    .read_pdpte = on_read_pdpte,
    .read_cr8 = on_read_cr8,
    .write_cr8 = on_write_cr8,
    .ept_violation = on_ept_violation,
    .vmcall = on_vmcall,
    .refuses_write = on_refuses_write,
    .refuses_table = on_refuses_table,
    .breakpoint = on_breakpoint,
    .switched = on_switched,
    .attend = on_attend,
    .exited = on_exit,
    .enters = on_entry,
    .apic_written = on_apic_written,
    .apic_eoi = on_apic_eoi,
    .host_interrupt = interrupt_dispatch,
};
