/* SPDX-License-Identifier: BSD-2-Clause */
/* Decodes the instructions with a memory operand that core/emulate/emulate.h can execute. Pure.
 * Source: SDM Vol 2A, "Instruction Format", and Vol 2D, "Opcode Map". */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    INSN_MAX_LENGTH = 15,
};

/* The code segment's default size. Real and virtual-8086 mode are 16-bit. */
enum insn_mode {
    INSN_MODE_16,
    INSN_MODE_32,
    INSN_MODE_64,
};

/* Numbered as instructions encode them. */
enum insn_segment {
    INSN_ES,
    INSN_CS,
    INSN_SS,
    INSN_DS,
    INSN_FS,
    INSN_GS,
};

enum insn_op {
    /* The eight operations of the arithmetic group, numbered as encoded. */
    INSN_ADD,
    INSN_OR,
    INSN_ADC,
    INSN_SBB,
    INSN_AND,
    INSN_SUB,
    INSN_XOR,
    INSN_CMP,
    INSN_TEST,
    INSN_NOT,
    INSN_NEG,
    INSN_INC,
    INSN_DEC,
    INSN_MOV,
    INSN_MOVZX,
    INSN_MOVSX, /* MOVSXD too */
    INSN_XCHG,
    INSN_XADD,
    INSN_CMPXCHG,
    INSN_BT,
    INSN_BTS,
    INSN_BTR,
    INSN_BTC,
    INSN_PUSH,
    INSN_POP,
    INSN_MOVS,
    INSN_STOS,
    INSN_LODS,
};

/* Where the operand beside the memory one is. */
enum insn_other {
    INSN_OTHER_NONE,
    INSN_OTHER_REG,
    INSN_OTHER_IMM,
    INSN_OTHER_SEGMENT,
};

enum {
    INSN_NO_REG = 0xff,
};

/* A register operand. high8: bits 15:8 of general register number `number` (AH, CH, DH, BH). */
struct insn_reg {
    uint8_t number;
    bool high8;
};

struct insn {
    enum insn_op op;
    uint8_t length;       /* bytes */
    uint8_t size;         /* bytes of the memory operand, of each element of a string */
    uint8_t reg_size;     /* bytes of the register operand: differs for MOVZX and MOVSX */
    uint8_t address_size; /* bytes: 2, 4 or 8 */
    bool rep;             /* string instruction with a repeat prefix */
    bool to_memory;       /* the memory operand is the destination (or is read only by CMP, TEST) */

    enum insn_other other;
    struct insn_reg reg; /* if other is INSN_OTHER_REG; INSN_OTHER_SEGMENT: its enum insn_segment */
    uint64_t imm;        /* if other is INSN_OTHER_IMM: sign-extended to 64 bits */

    /* The memory operand: segment:[base + index * scale + displacement]. For MOVS and LODS the
     * source; the destination of MOVS and STOS is ES:[rDI]. Unused by STOS. */
    enum insn_segment segment;
    uint8_t base;  /* register number or INSN_NO_REG */
    uint8_t index; /* register number or INSN_NO_REG */
    uint8_t scale; /* 1, 2, 4 or 8 */
    bool rip_relative;
    int64_t displacement; /* sign-extended, except for MOV with a 64-bit absolute address */
};

enum insn_result {
    INSN_OK,
    INSN_TRUNCATED,   /* needs more bytes than were given */
    INSN_TOO_LONG,    /* longer than 15 bytes: #GP on a processor */
    INSN_UNSUPPORTED, /* not one of ours, has no memory operand, or is undefined (#UD) */
};

/*
 * Decodes the instruction at bytes[0..count). Only the first INSN_MAX_LENGTH bytes are looked at.
 * *insn is meaningful only with INSN_OK. Any context.
 */
enum insn_result insn_decode(const uint8_t *bytes, size_t count, enum insn_mode mode,
                             struct insn *insn);
