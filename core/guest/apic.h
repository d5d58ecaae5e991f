/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A VM's local APICs as its virtual processors reach them: the engine of apic/ with this
 * hypervisor's clock, memory and wake-ups behind it.
 *
 * The functions that take a vcpu act on the APIC of its active context; call them on the CPU that
 * runs it, outside the epoch. After a write the vcpu reconsiders what it can deliver. Reading needs
 * no more than the lapic_read functions of apic/.
 */
#pragma once

#include "core/types.h"

struct context;
struct lapic_events;
struct vcpu;
struct vm;

/* Makes the domain of @vm. Before its processors. */
void guest_apic_init_domain(struct vm *vm);

/* Makes the APIC of @ctx, with the ID of its processor, a member of group @vtl. False when memory
 * is short; then it holds none. */
bool guest_apic_create(struct context *ctx, unsigned vtl);
void guest_apic_destroy(struct context *ctx);

/* Puts the APIC into reset state, or off so that no message finds it: that of a VTL that is not
 * enabled. On the CPU that owns @ctx, outside the epoch. */
void guest_apic_set_present(struct context *ctx, bool present);

/* Tells the VMCS of @ctx, which is current here, where its APIC is. */
void guest_apic_attach(struct context *ctx);

/* lapic_merge() of the APIC of @ctx. On the CPU that owns it, inside the epoch. */
bool guest_apic_merge(struct context *ctx, struct lapic_events *events);

/* Leaves the APIC of @ctx, the boot processor's, as firmware does for the 8259 pair: SDM Vol 3A,
 * "Virtual Wire Mode". On any CPU, before the processor runs. */
void guest_apic_virtual_wire(struct context *ctx);

/* Gives LINT0 of @ctx, the boot processor's, the level that the 8259 pair's output has. On the CPU
 * that owns it, inside the epoch. */
void guest_apic_sample_lint0(struct context *ctx);

/* Whether @gpa lies in the register page of the active context's APIC. */
bool guest_apic_at(struct vcpu *vcpu, gpa_t gpa);

void guest_apic_write(struct vcpu *vcpu, uint32_t offset, unsigned size, uint64_t value);

/* False: #GP. */
bool guest_apic_wrmsr(struct vcpu *vcpu, uint32_t msr, uint64_t value);
bool guest_apic_write_base(struct vcpu *vcpu, uint64_t value);

/* IA32_TSC_DEADLINE in VM time. */
void guest_apic_write_deadline(struct vcpu *vcpu, uint64_t vm_time);

/* The EOI, ICR and TPR of Hyper-V's MSRs. */
void guest_apic_eoi(struct vcpu *vcpu);
void guest_apic_write_icr(struct vcpu *vcpu, uint64_t value);
void guest_apic_write_tpr(struct vcpu *vcpu, uint8_t value);

/* The processor has stored a write of the guest, or ended an interrupt, by itself. */
void guest_apic_written(struct vcpu *vcpu, uint16_t offset);
void guest_apic_ended(struct vcpu *vcpu, uint8_t vector);

/* Whether the processor's help is not the right one any more; guest_apic_deliver() sees to it. */
bool guest_apic_has_changed(const struct context *ctx);

/* What the guest can take of its APIC's interrupts, it is given now or as soon as it can. */
void guest_apic_deliver(struct context *ctx);

void guest_apic_write_cr8(struct vcpu *vcpu, uint64_t value); /* 0..15 */
