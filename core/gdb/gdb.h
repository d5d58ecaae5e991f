/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The debugger's way into a VM: GDB at the other end of the second serial port. One VM at a time is
 * debugged, of those with `gdb` in their configuration; while GDB has it stopped all its processors
 * are held. docs/gdb.md.
 *
 * On the boot processor, in no vCPU's turn, with no lock held, unless it says otherwise.
 */
#pragma once

#include "core/types.h"
#include "vmx/vmx.h"

struct context;
struct handover;
struct vcpu;
struct vm;

/* Takes the port if a VM is to be debugged. Once, after console_enable_input(). */
void gdb_init(const struct handover *handover);

/* Before the VM's clock is set and its processors are given to the scheduler. */
void gdb_vm_starts(struct vm *vm);

/* No CPU runs the VM any more. */
void gdb_vm_ends(const struct vm *vm);

/* Whether something was received, or a processor has stopped for GDB. */
bool gdb_is_wanted(void);

/* Does what GDB asks, and tells it of a stop. */
void gdb_run(void);

/* ---- On the CPU that runs the vCPU ---- */

/* vmx_run() of a vCPU whose `steps` is set: for one instruction. */
enum vmx_outcome gdb_step(struct vcpu *vcpu);

/* INT3 of a context under debugging. Whether it is GDB's: the vCPU is held then. */
bool gdb_takes_breakpoint(struct context *ctx);
