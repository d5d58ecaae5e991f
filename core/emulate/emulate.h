/* SPDX-License-Identifier: BSD-2-Clause */
/* Executes one decoded instruction on a register file, with memory behind callbacks. Pure. */
#pragma once

#include "core/emulate/insn.h"

/* General registers, numbered as instructions encode them. */
enum {
    EMULATE_RAX,
    EMULATE_RCX,
    EMULATE_RDX,
    EMULATE_RBX,
    EMULATE_RSP,
    EMULATE_RBP,
    EMULATE_RSI,
    EMULATE_RDI,
    EMULATE_GPRS = 16,
};

struct emulate_regs {
    uint64_t gpr[EMULATE_GPRS];
    uint64_t rip;
    uint64_t rflags;
};

enum emulate_access {
    EMULATE_READ,
    EMULATE_WRITE,
    EMULATE_UPDATE, /* a read that a write to the same place follows: needs write permission */
};

/*
 * What the emulator needs from the processor it acts for. Addresses are linear. An access may
 * cross a page and need not be aligned; size is 1, 2, 4 or 8.
 *
 * read and write translate, check permissions and reach RAM or a device. False means that the
 * access faults; the callback then remembers which exception to inject. They must not change the
 * registers. A read-modify-write is a read with EMULATE_UPDATE and a write, whether locked or not:
 * it is atomic only if the callbacks' owner makes the whole emulation exclude other accesses.
 */
struct emulate_env {
    void *ctx;
    enum insn_mode mode;
    uint8_t stack_size; /* bytes of the stack pointer: 8 in 64-bit mode, else by SS.B 4 or 2 */

    uint64_t (*segment_base)(void *ctx, enum insn_segment segment);
    uint16_t (*selector)(void *ctx, enum insn_segment segment);
    /* MOV to a segment register but CS: the last thing that can fault. */
    bool (*load_segment)(void *ctx, enum insn_segment segment, uint16_t selector);
    bool (*read)(void *ctx, uint64_t linear, unsigned size, enum emulate_access access,
                 uint64_t *value);
    bool (*write)(void *ctx, uint64_t linear, unsigned size, uint64_t value);
};

enum emulate_result {
    EMULATE_DONE,  /* executed; RIP is on the next instruction */
    EMULATE_AGAIN, /* a repeated string instruction is not finished: RIP is still on it, RCX, RSI
                      and RDI are up to date; run the guest or call again */
    EMULATE_FAULT, /* a callback failed. Registers are unchanged, save that the finished iterations
                      of a string instruction count; RIP is on the instruction */
};

/*
 * Executes *insn, which was decoded in env->mode from the bytes at regs->rip.
 *
 * A string instruction does at most max_iterations (at least 1) elements per call. When
 * EMULATE_DONE is returned the caller still owes what ends any instruction: blocking by STI or MOV
 * SS ends, and with RFLAGS.TF set a single-step trap is due; RFLAGS.RF has been cleared. Flags that
 * the SDM calls undefined are cleared (AF of logical operations) or left alone (BT and its family).
 */
enum emulate_result emulate(const struct insn *insn, struct emulate_regs *regs,
                            const struct emulate_env *env, unsigned max_iterations);
