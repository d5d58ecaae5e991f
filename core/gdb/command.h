/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What GDB's packets ask for, and the answers, over a target that gdb_target_*() reaches. All-stop
 * mode. GDB manual, "Remote Protocol", "Packets", "Stop Reply Packets", "General Query Packets".
 *
 * Threads are numbered from 1; 0 is none.
 */
#pragma once

#include "core/gdb/packet.h"
#include "core/gdb/registers.h"

/* Why the target stopped. */
struct gdb_stop {
    enum { GDB_STOP_INTERRUPT, GDB_STOP_STEP, GDB_STOP_BREAKPOINT, GDB_STOP_ENDED } kind;
    uint32_t thread;
};

struct gdb_session {
    bool connected;   /* the target is stopped, or was let go on by GDB */
    bool runs;        /* GDB waits for a stop */
    bool no_acks;     /* from the next packet on neither side acknowledges */
    uint32_t general; /* thread of g, G, p, P, m, M; 0: that of the last stop */
    uint32_t resumed; /* thread of c and s, as set by Hc; 0: any */
    struct gdb_stop stop;
};

/* Carries out a packet while the target is stopped. False: there is no answer, now or at all. */
bool gdb_carry_out(struct gdb_session *session, const char *packet, struct gdb_reply *reply);

/* The answer when the target has stopped. */
void gdb_tell_stop(struct gdb_session *session, const struct gdb_stop *stop,
                   struct gdb_reply *reply);

/* ---- The target, which is stopped ---- */

/* The thread after this one (0: the first); 0: no more. */
uint32_t gdb_target_next_thread(uint32_t thread);
bool gdb_target_has_thread(uint32_t thread);
void gdb_target_thread_name(uint32_t thread, char *to, size_t size);

/* Of threads that there are. Writing fails when the processor cannot be in such a state. */
void gdb_target_get(uint32_t thread, struct gdb_registers *registers);
bool gdb_target_set(uint32_t thread, const struct gdb_registers *registers);

/* As many of @n bytes at linear @address of thread's memory as can be reached; says how many. */
size_t gdb_target_read(uint32_t thread, uint64_t address, void *to, size_t n);
bool gdb_target_write(uint32_t thread, uint64_t address, const void *from, size_t n);

/* Breakpoints in memory, asked for as software ones or, with `hard`, as hardware ones, which are
 * the same here. One goes when neither is wanted any more. */
bool gdb_target_break(uint32_t thread, uint64_t address, bool hard, bool set);

/* Lets threads go on: all, or `only` that (unless 0); `step`: that one for one instruction. False:
 * it cannot step. */
bool gdb_target_resume(uint32_t step, uint32_t only);

/* GDB leaves: breakpoints go, and all threads go on; or the target ends. */
void gdb_target_let_go(bool kill);
