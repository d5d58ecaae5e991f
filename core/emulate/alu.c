/* SPDX-License-Identifier: BSD-2-Clause */
/* Integer operations and flags. */
#include "core/emulate/alu.h"

static uint64_t result_flags(unsigned size, uint64_t result)
{
    uint64_t flags = 0;

    if (result == 0)
        flags |= ALU_ZF;
    if (result >> (size * 8 - 1) & 1)
        flags |= ALU_SF;
    if (!__builtin_parity((unsigned)result & 0xff))
        flags |= ALU_PF;
    return flags;
}

/* CF, AF and OF from the carries out of each bit and the signs of the operands. */
static uint64_t carry_flags(unsigned size, uint64_t carries, uint64_t overflows)
{
    unsigned top = size * 8 - 1;

    return (carries >> top & 1 ? ALU_CF : 0) | (carries >> 3 & 1 ? ALU_AF : 0) |
           (overflows >> top & 1 ? ALU_OF : 0);
}

static uint64_t add(unsigned size, uint64_t a, uint64_t b, uint64_t carry, uint64_t *flags)
{
    uint64_t result = (a + b + carry) & alu_mask(size);
    uint64_t carries = (a & b) | ((a | b) & ~result);

    *flags = carry_flags(size, carries, (a ^ result) & (b ^ result));
    return result;
}

static uint64_t subtract(unsigned size, uint64_t a, uint64_t b, uint64_t borrow, uint64_t *flags)
{
    uint64_t result = (a - b - borrow) & alu_mask(size);
    uint64_t borrows = (~a & b) | ((~a | b) & result);

    *flags = carry_flags(size, borrows, (a ^ b) & (a ^ result));
    return result;
}

/* The operation itself; *flags gets CF, AF and OF. */
static uint64_t operate(enum insn_op op, unsigned size, uint64_t a, uint64_t b, uint64_t carry,
                        uint64_t *flags)
{
    *flags = 0;
    switch (op) {
    case INSN_ADD:
    case INSN_INC:
        return add(size, a, b, 0, flags);
    case INSN_ADC:
        return add(size, a, b, carry, flags);
    case INSN_SUB:
    case INSN_CMP:
    case INSN_DEC:
        return subtract(size, a, b, 0, flags);
    case INSN_SBB:
        return subtract(size, a, b, carry, flags);
    case INSN_NEG:
        return subtract(size, 0, a, 0, flags);
    case INSN_OR:
        return a | b;
    case INSN_XOR:
        return a ^ b;
    default: /* AND and TEST */
        return a & b;
    }
}

uint64_t alu(enum insn_op op, unsigned size, uint64_t a, uint64_t b, uint64_t *rflags)
{
    uint64_t mask = alu_mask(size), carry = *rflags & ALU_CF, flags;
    bool step = op == INSN_INC || op == INSN_DEC;

    if (op == INSN_NOT)
        return ~a & mask;
    uint64_t result = operate(op, size, a & mask, step ? 1 : b & mask, carry, &flags);
    if (step)
        flags = (flags & ~(uint64_t)ALU_CF) | carry;
    *rflags = (*rflags & ~(uint64_t)ALU_STATUS) | flags | result_flags(size, result);
    return result;
}
