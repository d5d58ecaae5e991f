/* SPDX-License-Identifier: BSD-2-Clause */
/* Integer operations with their effect on RFLAGS. Pure. Source: SDM Vol 1, "EFLAGS Register", and
 * the instruction pages of Vol 2. */
#pragma once

#include "core/emulate/insn.h"

enum {
    ALU_CF = 1 << 0,
    ALU_PF = 1 << 2,
    ALU_AF = 1 << 4,
    ALU_ZF = 1 << 6,
    ALU_SF = 1 << 7,
    ALU_DF = 1 << 10,
    ALU_OF = 1 << 11,
    ALU_STATUS = ALU_CF | ALU_PF | ALU_AF | ALU_ZF | ALU_SF | ALU_OF,
};

/* The bits of an operand of size (1, 2, 4 or 8) bytes. */
static inline uint64_t alu_mask(unsigned size)
{
    return size >= 8 ? UINT64_MAX : (1ull << (size * 8)) - 1;
}

/*
 * The result of op, one of INSN_ADD to INSN_DEC, on operands of size bytes, cut to size; b is not
 * used by operations with one operand. CMP gives the difference and TEST the conjunction. *rflags
 * gets the new status flags; ADC and SBB read its CF.
 */
uint64_t alu(enum insn_op op, unsigned size, uint64_t a, uint64_t b, uint64_t *rflags);
