/* SPDX-License-Identifier: BSD-2-Clause */
/* Runs one instruction on this machine's own processor, as judge of the emulator. */
#pragma once

#include <string.h>
#include <sys/mman.h>

#include "core/emulate/emulate.h"

enum {
    NATIVE_PAGE = 4096,
    NATIVE_INSN_ROOM = 16,
};

/* One page of code that loads all registers, runs the instruction and stores all registers, and
 * one of data for it. It lies below 2 GiB, so that every address fits a displacement. */
struct native {
    uint8_t *code;
    size_t used;
    struct emulate_regs *out;
    uint64_t *rsp, *flags; /* saved stack pointer, initial flags */
};

static inline void native_init(struct native *native)
{
    uint8_t *pages = mmap(NULL, 2 * NATIVE_PAGE, PROT_READ | PROT_WRITE | PROT_EXEC,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);

    assert_true(pages != MAP_FAILED);
    native->code = pages;
    native->out = (struct emulate_regs *)(pages + NATIVE_PAGE);
    native->rsp = (uint64_t *)(pages + NATIVE_PAGE + 1024);
    native->flags = native->rsp + 1;
}

static inline void native_bytes(struct native *native, const void *bytes, size_t count)
{
    memcpy(native->code + native->used, bytes, count);
    native->used += count;
}

/* An instruction without immediate whose ModRM byte asks for a RIP-relative operand. */
static inline void native_rip(struct native *native, const void *bytes, size_t count,
                              const void *target)
{
    native_bytes(native, bytes, count);
    int32_t displacement = (int32_t)((const uint8_t *)target - (native->code + native->used + 4));
    native_bytes(native, &displacement, 4);
}

/* Where an instruction will be executed: known before its bytes are, for RIP-relative operands. */
static inline uint64_t native_insn_address(const struct native *native)
{
    enum { PUSHES = 10, SAVE_RSP = 7, LOAD_FLAGS = 7, LOADS = EMULATE_GPRS * 10 };

    return (uint64_t)(native->code + PUSHES + SAVE_RSP + LOAD_FLAGS + LOADS);
}

static inline void native_run(struct native *native, const uint8_t *insn, size_t length,
                              struct emulate_regs *regs)
{
    static const uint8_t pushes[] = {0x53, 0x55, 0x41, 0x54, 0x41, 0x55, 0x41, 0x56, 0x41, 0x57};
    static const uint8_t pops[] = {0xfc, /* cld */
                                   0x41, 0x5f, 0x41, 0x5e, 0x41, 0x5d,
                                   0x41, 0x5c, 0x5d, 0x5b, 0xc3};

    native->used = 0;
    *native->flags = regs->rflags;
    native_bytes(native, pushes, sizeof pushes);
    native_rip(native, "\x48\x89\x25", 3, native->rsp); /* mov [rsp_slot], rsp */
    native_rip(native, "\xff\x35", 2, native->flags);   /* push [flags] */
    native_bytes(native, "\x9d", 1);                    /* popfq */
    for (unsigned reg = 0; reg < EMULATE_GPRS; reg++) { /* mov reg, imm64 */
        uint8_t mov[] = {reg < 8 ? 0x48 : 0x49, (uint8_t)(0xb8 | (reg & 7))};
        native_bytes(native, mov, sizeof mov);
        native_bytes(native, &regs->gpr[reg], 8);
    }
    assert_true((uint64_t)(native->code + native->used) == native_insn_address(native));
    native_bytes(native, insn, length);
    for (unsigned reg = 0; reg < EMULATE_GPRS; reg++) { /* mov [slot], reg */
        uint8_t mov[] = {reg < 8 ? 0x48 : 0x4c, 0x89, (uint8_t)((reg & 7) << 3 | 5)};
        native_rip(native, mov, sizeof mov, &native->out->gpr[reg]);
    }
    native_rip(native, "\x48\x8b\x25", 3, native->rsp); /* mov rsp, [rsp_slot] */
    native_bytes(native, "\x9c", 1);                    /* pushfq */
    native_rip(native, "\x8f\x05", 2, &native->out->rflags);
    native_bytes(native, pops, sizeof pops);
    ((void (*)(void))native->code)();
    memcpy(regs->gpr, native->out->gpr, sizeof regs->gpr);
    regs->rflags = native->out->rflags;
}
