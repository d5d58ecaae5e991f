/* SPDX-License-Identifier: BSD-2-Clause */
/* The VM as GDB's target: what core/gdb/command.h asks for, on a VM whose processors are held. */
#pragma once

#include "core/gdb/command.h"
#include "core/types.h"

struct context;
struct vcpu;
struct vm;

/* Which VM; NULL: none. No breakpoint is set. */
void gdb_target_choose(struct vm *vm);

/* The thread that @ctx is. */
uint32_t gdb_target_thread(const struct context *ctx);

/* Has the owner of a thread's context do something with it, current there; nothing if there is no
 * such thread. */
void gdb_target_ask(uint32_t thread, void (*call)(struct context *ctx, void *arg), void *arg);

/* Whether the byte at linear @address is one of GDB's breakpoints. On the CPU that runs @ctx. */
bool gdb_target_has_break(struct context *ctx, uint64_t address);

/* Takes all breakpoints out of the VM's memory. */
void gdb_target_clear(void);
