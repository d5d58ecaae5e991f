/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * IPI virtualization: the tables through which processors post a VM's IPIs by themselves. An ID
 * that several APICs have, or one that is not enabled, has no entry, so that such an IPI exits and
 * apic/ delivers it: SDM Vol 3C, "IPI Virtualization". Nothing happens in a VM without it.
 */
#pragma once

#include "core/types.h"

struct context;
struct vcpu;
struct vm;

/* Sets up VECTOR_WAKE. Once, before any VM. */
void guest_ipi_init(void);

/* Makes the tables, one for each VTL, for IDs up to @last. False when memory is short. */
bool guest_ipi_create(struct vm *vm, uint32_t last);
void guest_ipi_destroy(struct vm *vm);

/* The APICs of VTL @vtl have changed. For apic/. */
void guest_ipi_remapped(struct vm *vm, unsigned vtl);

/*
 * Where the notifications of @vcpu's contexts go from now on: those of the active one to the guest
 * that this CPU is about to enter, the others' to us. On the CPU that owns it; before it looks at
 * what was posted.
 */
void guest_ipi_runs(struct vcpu *vcpu);

/* The same when it is not entered again for now: all of them to us. */
void guest_ipi_stops(struct vcpu *vcpu);
