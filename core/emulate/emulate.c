/* SPDX-License-Identifier: BSD-2-Clause */
/* The instruction emulator. Each operation reads, computes, writes memory, and only when nothing
 * can fail any more changes registers. */
#include "core/emulate/emulate.h"
#include "core/emulate/alu.h"

enum {
    RFLAGS_RF = 1 << 16,
};

struct machine {
    const struct insn *insn;
    struct emulate_regs *regs;
    const struct emulate_env *env;
};

/* ---- Registers ------------------------------------------------------------------------------- */

/* Stores a result the way a register of that size is written: 32 bits clear the upper half, less
 * leaves the rest alone. */
static void merge(uint64_t *reg, unsigned size, uint64_t value)
{
    uint64_t mask = alu_mask(size);

    if (size >= 4)
        *reg = value & mask;
    else
        *reg = (*reg & ~mask) | (value & mask);
}

static uint64_t read_reg(const struct machine *m)
{
    uint64_t value = m->regs->gpr[m->insn->reg.number];

    return (m->insn->reg.high8 ? value >> 8 : value) & alu_mask(m->insn->reg_size);
}

static void write_reg(const struct machine *m, uint64_t value)
{
    uint64_t *reg = &m->regs->gpr[m->insn->reg.number];

    if (m->insn->reg.high8)
        *reg = (*reg & ~0xff00ull) | (value & 0xff) << 8;
    else
        merge(reg, m->insn->reg_size, value);
}

/* The operand beside the memory one. */
static uint64_t other_operand(const struct machine *m)
{
    return m->insn->other == INSN_OTHER_REG ? read_reg(m) : m->insn->imm;
}

static enum emulate_result finish(const struct machine *m)
{
    uint64_t next = m->regs->rip + m->insn->length;

    m->regs->rip = m->env->mode == INSN_MODE_64 ? next : next & UINT32_MAX;
    m->regs->rflags &= ~(uint64_t)RFLAGS_RF;
    return EMULATE_DONE;
}

/* ---- Memory ---------------------------------------------------------------------------------- */

static uint64_t linear_address(const struct machine *m, enum insn_segment segment, uint64_t offset)
{
    const struct emulate_env *env = m->env;

    if (env->mode == INSN_MODE_64 && segment < INSN_FS)
        return offset;
    uint64_t linear = env->segment_base(env->ctx, segment) + offset;
    return env->mode == INSN_MODE_64 ? linear : linear & UINT32_MAX;
}

/* Linear address of the memory operand, `beyond` bytes from where its encoding says. */
static uint64_t operand_address(const struct machine *m, int64_t beyond)
{
    const struct insn *insn = m->insn;
    uint64_t offset = (uint64_t)insn->displacement + (uint64_t)beyond;

    if (insn->base != INSN_NO_REG)
        offset += m->regs->gpr[insn->base];
    if (insn->index != INSN_NO_REG)
        offset += m->regs->gpr[insn->index] * insn->scale;
    if (insn->rip_relative)
        offset += m->regs->rip + insn->length;
    return linear_address(m, insn->segment, offset & alu_mask(insn->address_size));
}

static bool load(const struct machine *m, uint64_t linear, enum emulate_access access,
                 uint64_t *value)
{
    if (!m->env->read(m->env->ctx, linear, m->insn->size, access, value))
        return false;
    *value &= alu_mask(m->insn->size);
    return true;
}

static bool store(const struct machine *m, uint64_t linear, uint64_t value)
{
    return m->env->write(m->env->ctx, linear, m->insn->size, value & alu_mask(m->insn->size));
}

/* ---- Moves ----------------------------------------------------------------------------------- */

static uint64_t sign_extend(uint64_t value, unsigned size)
{
    unsigned unused = 64 - size * 8;

    return (uint64_t)((int64_t)(value << unused) >> unused);
}

static enum emulate_result move(const struct machine *m)
{
    uint64_t linear = operand_address(m, 0), value;

    if (m->insn->to_memory)
        return store(m, linear, other_operand(m)) ? finish(m) : EMULATE_FAULT;
    if (!load(m, linear, EMULATE_READ, &value))
        return EMULATE_FAULT;
    write_reg(m, m->insn->op == INSN_MOVSX ? sign_extend(value, m->insn->size) : value);
    return finish(m);
}

static enum emulate_result move_segment(const struct machine *m)
{
    const struct emulate_env *env = m->env;
    enum insn_segment segment = (enum insn_segment)m->insn->reg.number;
    uint64_t linear = operand_address(m, 0), selector;

    if (m->insn->to_memory)
        return store(m, linear, env->selector(env->ctx, segment)) ? finish(m) : EMULATE_FAULT;
    if (!load(m, linear, EMULATE_READ, &selector) ||
        !env->load_segment(env->ctx, segment, (uint16_t)selector))
        return EMULATE_FAULT;
    return finish(m);
}

static enum emulate_result exchange(const struct machine *m)
{
    uint64_t linear = operand_address(m, 0), value;

    if (!load(m, linear, EMULATE_UPDATE, &value) || !store(m, linear, read_reg(m)))
        return EMULATE_FAULT;
    write_reg(m, value);
    return finish(m);
}

/* ---- Arithmetic ------------------------------------------------------------------------------ */

static bool keeps_result(enum insn_op op)
{
    return op != INSN_CMP && op != INSN_TEST;
}

static enum emulate_result arithmetic(const struct machine *m)
{
    const struct insn *insn = m->insn;
    bool update = insn->to_memory && keeps_result(insn->op);
    uint64_t linear = operand_address(m, 0), memory;

    if (!load(m, linear, update ? EMULATE_UPDATE : EMULATE_READ, &memory))
        return EMULATE_FAULT;
    uint64_t other = other_operand(m);
    uint64_t flags = m->regs->rflags;
    uint64_t result = insn->to_memory ? alu(insn->op, insn->size, memory, other, &flags)
                                      : alu(insn->op, insn->size, other, memory, &flags);

    if (update && !store(m, linear, result))
        return EMULATE_FAULT;
    if (!insn->to_memory && keeps_result(insn->op))
        write_reg(m, result);
    m->regs->rflags = flags;
    return finish(m);
}

static enum emulate_result exchange_and_add(const struct machine *m)
{
    uint64_t linear = operand_address(m, 0), flags = m->regs->rflags, memory;

    if (!load(m, linear, EMULATE_UPDATE, &memory))
        return EMULATE_FAULT;
    if (!store(m, linear, alu(INSN_ADD, m->insn->size, memory, read_reg(m), &flags)))
        return EMULATE_FAULT;
    write_reg(m, memory);
    m->regs->rflags = flags;
    return finish(m);
}

/* Memory is written in either case, with what it held if the comparison fails. */
static enum emulate_result compare_and_exchange(const struct machine *m)
{
    uint64_t linear = operand_address(m, 0), flags = m->regs->rflags, memory;

    if (!load(m, linear, EMULATE_UPDATE, &memory))
        return EMULATE_FAULT;
    alu(INSN_CMP, m->insn->size, m->regs->gpr[EMULATE_RAX], memory, &flags);
    bool equal = flags & ALU_ZF;
    if (!store(m, linear, equal ? read_reg(m) : memory))
        return EMULATE_FAULT;
    if (!equal)
        merge(&m->regs->gpr[EMULATE_RAX], m->insn->size, memory);
    m->regs->rflags = flags;
    return finish(m);
}

/* ---- Bits ------------------------------------------------------------------------------------ */

static uint64_t changed_bit(enum insn_op op, uint64_t value, uint64_t bit)
{
    switch (op) {
    case INSN_BTS:
        return value | bit;
    case INSN_BTR:
        return value & ~bit;
    default: /* BTC */
        return value ^ bit;
    }
}

/* A bit offset in a register is signed and reaches beyond the addressed operand; an immediate one
 * stays inside it. SDM Vol 2A, "BT - Bit Test". */
static enum emulate_result bit_test(const struct machine *m)
{
    const struct insn *insn = m->insn;
    int64_t bits = insn->size * 8, beyond = 0;
    uint64_t offset = other_operand(m), memory;

    if (insn->other == INSN_OTHER_REG) {
        int64_t signed_offset = (int64_t)sign_extend(offset, insn->size);
        beyond = (signed_offset - (int64_t)(offset % (uint64_t)bits)) / 8;
    }
    uint64_t linear = operand_address(m, beyond);
    uint64_t bit = 1ull << offset % (uint64_t)bits;
    bool update = insn->op != INSN_BT;

    if (!load(m, linear, update ? EMULATE_UPDATE : EMULATE_READ, &memory))
        return EMULATE_FAULT;
    if (update && !store(m, linear, changed_bit(insn->op, memory, bit)))
        return EMULATE_FAULT;
    m->regs->rflags &= ~(uint64_t)ALU_CF;
    if (memory & bit)
        m->regs->rflags |= ALU_CF;
    return finish(m);
}

/* ---- Stack ----------------------------------------------------------------------------------- */

static uint64_t stack_address(const struct machine *m)
{
    uint64_t offset = m->regs->gpr[EMULATE_RSP] & alu_mask(m->env->stack_size);

    return linear_address(m, INSN_SS, offset);
}

static void move_stack(const struct machine *m, int64_t bytes)
{
    uint64_t *rsp = &m->regs->gpr[EMULATE_RSP];

    merge(rsp, m->env->stack_size, *rsp + (uint64_t)bytes);
}

static enum emulate_result push(const struct machine *m)
{
    uint64_t rsp = m->regs->gpr[EMULATE_RSP], value;

    if (!load(m, operand_address(m, 0), EMULATE_READ, &value))
        return EMULATE_FAULT;
    move_stack(m, -(int64_t)m->insn->size);
    if (store(m, stack_address(m), value))
        return finish(m);
    m->regs->gpr[EMULATE_RSP] = rsp;
    return EMULATE_FAULT;
}

/* A destination that is addressed by RSP sees it already incremented. SDM Vol 2B, "POP". */
static enum emulate_result pop(const struct machine *m)
{
    uint64_t rsp = m->regs->gpr[EMULATE_RSP], value;

    if (!load(m, stack_address(m), EMULATE_READ, &value))
        return EMULATE_FAULT;
    move_stack(m, m->insn->size);
    if (store(m, operand_address(m, 0), value))
        return finish(m);
    m->regs->gpr[EMULATE_RSP] = rsp;
    return EMULATE_FAULT;
}

/* ---- Strings --------------------------------------------------------------------------------- */

static uint64_t destination_address(const struct machine *m)
{
    uint64_t offset = m->regs->gpr[EMULATE_RDI] & alu_mask(m->insn->address_size);

    return linear_address(m, INSN_ES, offset);
}

static void step_index(const struct machine *m, unsigned reg)
{
    uint64_t step = m->insn->size;
    uint64_t *index = &m->regs->gpr[reg];

    merge(index, m->insn->address_size, m->regs->rflags & ALU_DF ? *index - step : *index + step);
}

/* One element; registers are unchanged if it fails. */
static bool string_element(const struct machine *m)
{
    enum insn_op op = m->insn->op;
    uint64_t value = m->regs->gpr[EMULATE_RAX];

    if (op != INSN_STOS && !load(m, operand_address(m, 0), EMULATE_READ, &value))
        return false;
    if (op != INSN_LODS && !store(m, destination_address(m), value))
        return false;
    if (op == INSN_LODS)
        merge(&m->regs->gpr[EMULATE_RAX], m->insn->size, value);
    if (op != INSN_STOS)
        step_index(m, EMULATE_RSI);
    if (op != INSN_LODS)
        step_index(m, EMULATE_RDI);
    return true;
}

static enum emulate_result string(const struct machine *m, unsigned max_iterations)
{
    uint64_t *rcx = &m->regs->gpr[EMULATE_RCX];
    unsigned size = m->insn->address_size;

    if (!m->insn->rep)
        return string_element(m) ? finish(m) : EMULATE_FAULT;
    for (unsigned done = 0; *rcx & alu_mask(size); done++) {
        if (done == max_iterations)
            return EMULATE_AGAIN;
        if (!string_element(m))
            return EMULATE_FAULT;
        merge(rcx, size, *rcx - 1);
    }
    return finish(m);
}

enum emulate_result emulate(const struct insn *insn, struct emulate_regs *regs,
                            const struct emulate_env *env, unsigned max_iterations)
{
    struct machine m = {.insn = insn, .regs = regs, .env = env};

    switch (insn->op) {
    case INSN_MOV:
        return insn->other == INSN_OTHER_SEGMENT ? move_segment(&m) : move(&m);
    case INSN_MOVZX:
    case INSN_MOVSX:
        return move(&m);
    case INSN_XCHG:
        return exchange(&m);
    case INSN_XADD:
        return exchange_and_add(&m);
    case INSN_CMPXCHG:
        return compare_and_exchange(&m);
    case INSN_BT:
    case INSN_BTS:
    case INSN_BTR:
    case INSN_BTC:
        return bit_test(&m);
    case INSN_PUSH:
        return push(&m);
    case INSN_POP:
        return pop(&m);
    case INSN_MOVS:
    case INSN_STOS:
    case INSN_LODS:
        return string(&m, max_iterations);
    default:
        return arithmetic(&m);
    }
}
