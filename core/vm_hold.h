/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Holding a VM's processors, and its time with them: who looks at a VM finds it as it was when it
 * stopped, and its guest does not notice.
 *
 * Each holder holds for itself; a processor runs when nobody holds it. On the boot processor,
 * between turns of the scheduler (sched_loop_until()'s caller), unless it says otherwise.
 */
#pragma once

#include "core/types.h"

struct vcpu;
struct vm;

enum vm_holder { VM_HELD_BY_MONITOR = 1, VM_HELD_BY_DEBUGGER = 2 };

/* Holds all processors; returns when none runs any more. */
void vm_hold(struct vm *vm, enum vm_holder holder);

/* Lets go of one processor, or of all (NULL). */
void vm_release(struct vm *vm, enum vm_holder holder, struct vcpu *only);

/* Holds @vcpu from its next entry on. On the CPU that runs it. */
void vm_hold_here(struct vcpu *vcpu, enum vm_holder holder);

/* VM time in TSC ticks, which stands still while all processors are held. */
uint64_t vm_hold_time(const struct vm *vm);
