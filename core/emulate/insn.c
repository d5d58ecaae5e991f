/* SPDX-License-Identifier: BSD-2-Clause */
/* The instruction decoder: prefixes, two opcode tables, ModRM and SIB, immediates. */
#include "core/emulate/insn.h"

enum {
    /* What an opcode is made of. Without BYTE the operand has the operand size. */
    VALID = 1 << 0,
    MODRM = 1 << 1,
    BYTE = 1 << 2,
    REG = 1 << 3,   /* ModRM.reg is the other operand */
    LOAD = 1 << 4,  /* the register is the destination */
    IMM8 = 1 << 5,  /* sign-extended byte */
    IMMZ = 1 << 6,  /* operand size, but at most 4 bytes, sign-extended */
    MOFFS = 1 << 7, /* rAX and an absolute address */
    STRING = 1 << 8,
    FROM_8 = 1 << 9, /* the memory operand has 8 or 16 bits, the register the operand size */
    FROM_16 = 1 << 10,
    FROM_32 = 1 << 11,
    STACK = 1 << 12,  /* the operand size is 64 bits in 64-bit mode */
    NOT_64 = 1 << 13, /* undefined in 64-bit mode */
    ONLY_64 = 1 << 14,

    /* ModRM.reg selects the operation. */
    GROUP_1 = 1 << 15,     /* arithmetic with immediate */
    GROUP_3 = 1 << 16,     /* TEST with immediate, NOT, NEG */
    GROUP_5 = 1 << 17,     /* INC, DEC, and PUSH unless BYTE */
    GROUP_8 = 1 << 18,     /* BT family with immediate */
    GROUP_REG_0 = 1 << 19, /* defined for 0 only */

    SEGMENT = 1 << 20, /* ModRM.reg is a segment register; 16 bits whatever the operand size */

    RM = VALID | MODRM,
};

struct encoding {
    uint32_t flags;
    uint32_t op;
};

#define ARITHMETIC(first, op)                                                                      \
    [(first) + 0] = {RM | REG | BYTE, op}, [(first) + 1] = {RM | REG, op},                         \
               [(first) + 2] = {RM | REG | LOAD | BYTE, op}, [(first) + 3] = {RM | REG | LOAD, op}

static const struct encoding one_byte[256] = {
    ARITHMETIC(0x00, INSN_ADD),
    ARITHMETIC(0x08, INSN_OR),
    ARITHMETIC(0x10, INSN_ADC),
    ARITHMETIC(0x18, INSN_SBB),
    ARITHMETIC(0x20, INSN_AND),
    ARITHMETIC(0x28, INSN_SUB),
    ARITHMETIC(0x30, INSN_XOR),
    ARITHMETIC(0x38, INSN_CMP),
    [0x63] = {RM | REG | LOAD | FROM_32 | ONLY_64, INSN_MOVSX},
    [0x80] = {RM | GROUP_1 | IMM8 | BYTE, 0},
    [0x81] = {RM | GROUP_1 | IMMZ, 0},
    [0x82] = {RM | GROUP_1 | IMM8 | BYTE | NOT_64, 0},
    [0x83] = {RM | GROUP_1 | IMM8, 0},
    [0x84] = {RM | REG | BYTE, INSN_TEST},
    [0x85] = {RM | REG, INSN_TEST},
    [0x86] = {RM | REG | BYTE, INSN_XCHG},
    [0x87] = {RM | REG, INSN_XCHG},
    [0x88] = {RM | REG | BYTE, INSN_MOV},
    [0x89] = {RM | REG, INSN_MOV},
    [0x8a] = {RM | REG | LOAD | BYTE, INSN_MOV},
    [0x8b] = {RM | REG | LOAD, INSN_MOV},
    [0x8c] = {RM | SEGMENT, INSN_MOV},
    [0x8e] = {RM | SEGMENT | LOAD, INSN_MOV},
    [0x8f] = {RM | GROUP_REG_0 | STACK, INSN_POP},
    [0xa0] = {VALID | MOFFS | LOAD | BYTE, INSN_MOV},
    [0xa1] = {VALID | MOFFS | LOAD, INSN_MOV},
    [0xa2] = {VALID | MOFFS | BYTE, INSN_MOV},
    [0xa3] = {VALID | MOFFS, INSN_MOV},
    [0xa4] = {VALID | STRING | BYTE, INSN_MOVS},
    [0xa5] = {VALID | STRING, INSN_MOVS},
    [0xaa] = {VALID | STRING | BYTE, INSN_STOS},
    [0xab] = {VALID | STRING, INSN_STOS},
    [0xac] = {VALID | STRING | BYTE, INSN_LODS},
    [0xad] = {VALID | STRING, INSN_LODS},
    [0xc6] = {RM | GROUP_REG_0 | IMM8 | BYTE, INSN_MOV},
    [0xc7] = {RM | GROUP_REG_0 | IMMZ, INSN_MOV},
    [0xf6] = {RM | GROUP_3 | BYTE, 0},
    [0xf7] = {RM | GROUP_3, 0},
    [0xfe] = {RM | GROUP_5 | BYTE, 0},
    [0xff] = {RM | GROUP_5, 0},
};

static const struct encoding two_byte[256] = {
    [0xa3] = {RM | REG, INSN_BT},
    [0xab] = {RM | REG, INSN_BTS},
    [0xb0] = {RM | REG | BYTE, INSN_CMPXCHG},
    [0xb1] = {RM | REG, INSN_CMPXCHG},
    [0xb3] = {RM | REG, INSN_BTR},
    [0xb6] = {RM | REG | LOAD | FROM_8, INSN_MOVZX},
    [0xb7] = {RM | REG | LOAD | FROM_16, INSN_MOVZX},
    [0xba] = {RM | GROUP_8 | IMM8, 0},
    [0xbb] = {RM | REG, INSN_BTC},
    [0xbe] = {RM | REG | LOAD | FROM_8, INSN_MOVSX},
    [0xbf] = {RM | REG | LOAD | FROM_16, INSN_MOVSX},
    [0xc0] = {RM | REG | BYTE, INSN_XADD},
    [0xc1] = {RM | REG, INSN_XADD},
};

enum {
    TWO_BYTE_ESCAPE = 0x0f,

    REX_B = 1 << 0,
    REX_X = 1 << 1,
    REX_R = 1 << 2,
    REX_W = 1 << 3,
    REX = 0x40, /* 0x40..0x4f */

    REG_AX = 0,
    REG_SP = 4,
    REG_BP = 5,
    REG_SI = 6,

    MOD_REGISTER = 3,
    RM_SIB = 4,          /* in 32- and 64-bit addressing */
    RM_DISPLACEMENT = 5, /* with mod 0: no base. In SIB.base too */
    RM_16_DISPLACEMENT = 6,
    SIB_NO_INDEX = 4,
};

struct decoder {
    const uint8_t *bytes;
    size_t count;
    size_t position;
    enum insn_mode mode;
    struct insn *insn;

    bool operand_override, address_override, lock, repeat;
    bool has_segment;
    uint8_t rex; /* 0 if there is none */
    uint32_t flags;
    uint8_t modrm_reg; /* without REX.R */
};

static uint8_t operand_size(const struct decoder *d)
{
    if (d->mode != INSN_MODE_64)
        return (d->mode == INSN_MODE_32) != d->operand_override ? 4 : 2;
    if (d->rex & REX_W)
        return 8;
    if (d->operand_override)
        return 2;
    return d->flags & STACK ? 8 : 4;
}

static uint8_t address_size(const struct decoder *d)
{
    if (d->mode == INSN_MODE_64)
        return d->address_override ? 4 : 8;
    return (d->mode == INSN_MODE_32) != d->address_override ? 4 : 2;
}

/* ---- Bytes ----------------------------------------------------------------------------------- */

/* A little-endian number of size bytes, sign-extended. */
static enum insn_result fetch(struct decoder *d, unsigned size, int64_t *value)
{
    uint64_t raw = 0;

    if (d->position + size > INSN_MAX_LENGTH)
        return INSN_TOO_LONG;
    if (d->position + size > d->count)
        return INSN_TRUNCATED;
    for (unsigned i = 0; i < size; i++)
        raw |= (uint64_t)d->bytes[d->position++] << (i * 8);
    unsigned unused = 64 - size * 8;
    *value = (int64_t)(raw << unused) >> unused;
    return INSN_OK;
}

static enum insn_result fetch_byte(struct decoder *d, uint8_t *byte)
{
    int64_t value = 0;
    enum insn_result result = fetch(d, 1, &value);

    *byte = (uint8_t)value;
    return result;
}

/* ---- Prefixes -------------------------------------------------------------------------------- */

/* In 64-bit mode the prefixes of the four flat segments have no effect, not even on an FS or GS
 * prefix before them. */
static void segment_prefix(struct decoder *d, enum insn_segment segment)
{
    if (d->mode == INSN_MODE_64 && segment < INSN_FS)
        return;
    d->insn->segment = segment;
    d->has_segment = true;
}

static bool legacy_prefix(struct decoder *d, uint8_t byte)
{
    switch (byte) {
    case 0x26:
    case 0x2e:
    case 0x36:
    case 0x3e:
        segment_prefix(d, (enum insn_segment)(byte >> 3 & 3));
        return true;
    case 0x64:
    case 0x65:
        segment_prefix(d, byte == 0x64 ? INSN_FS : INSN_GS);
        return true;
    case 0x66:
        d->operand_override = true;
        return true;
    case 0x67:
        d->address_override = true;
        return true;
    case 0xf0:
        d->lock = true;
        return true;
    case 0xf2:
    case 0xf3:
        d->repeat = true;
        return true;
    default:
        return false;
    }
}

/* Leaves the first opcode byte in *opcode. A REX prefix counts only right before the opcode. */
static enum insn_result decode_prefixes(struct decoder *d, uint8_t *opcode)
{
    for (;;) {
        enum insn_result result = fetch_byte(d, opcode);
        if (result != INSN_OK)
            return result;
        if (legacy_prefix(d, *opcode))
            d->rex = 0;
        else if (d->mode == INSN_MODE_64 && (*opcode & 0xf0) == REX)
            d->rex = *opcode;
        else
            return INSN_OK;
    }
}

/* ---- Operands -------------------------------------------------------------------------------- */

static struct insn_reg register_operand(const struct decoder *d)
{
    struct insn_reg reg = {.number = d->modrm_reg | (d->rex & REX_R ? 8 : 0)};

    if (d->insn->reg_size == 1 && !d->rex && reg.number >= REG_SP) {
        reg.number -= REG_SP;
        reg.high8 = true;
    }
    return reg;
}

static void default_segment(struct decoder *d, bool stack)
{
    if (!d->has_segment)
        d->insn->segment = stack ? INSN_SS : INSN_DS;
}

static enum insn_result decode_displacement(struct decoder *d, unsigned mod, unsigned wide)
{
    unsigned size = mod == 1 ? 1 : mod == 2 ? wide : 0;

    return size ? fetch(d, size, &d->insn->displacement) : INSN_OK;
}

static enum insn_result decode_address_16(struct decoder *d, unsigned mod, unsigned rm)
{
    enum { BX = 3, BP = 5, SI = 6, DI = 7 };
    static const uint8_t bases[8] = {BX, BX, BP, BP, SI, DI, BP, BX};
    static const uint8_t indexes[8] = {SI,          DI,          SI,          DI,
                                       INSN_NO_REG, INSN_NO_REG, INSN_NO_REG, INSN_NO_REG};

    if (mod == 0 && rm == RM_16_DISPLACEMENT) {
        default_segment(d, false);
        return fetch(d, 2, &d->insn->displacement);
    }
    d->insn->base = bases[rm];
    d->insn->index = indexes[rm];
    default_segment(d, bases[rm] == BP);
    return decode_displacement(d, mod, 2);
}

static enum insn_result decode_sib(struct decoder *d, uint8_t *base)
{
    uint8_t sib;
    enum insn_result result = fetch_byte(d, &sib);
    if (result != INSN_OK)
        return result;

    uint8_t index = (sib >> 3 & 7) | (d->rex & REX_X ? 8 : 0);
    if (index != SIB_NO_INDEX) {
        d->insn->index = index;
        d->insn->scale = (uint8_t)(1 << (sib >> 6));
    }
    *base = sib & 7;
    return INSN_OK;
}

static enum insn_result decode_address(struct decoder *d, unsigned mod, unsigned rm)
{
    uint8_t base = (uint8_t)rm;

    if (rm == RM_SIB) {
        enum insn_result result = decode_sib(d, &base);
        if (result != INSN_OK)
            return result;
    }
    if (mod == 0 && base == RM_DISPLACEMENT) {
        d->insn->rip_relative = d->mode == INSN_MODE_64 && rm != RM_SIB;
        default_segment(d, false);
        return fetch(d, 4, &d->insn->displacement);
    }
    d->insn->base = base | (d->rex & REX_B ? 8 : 0);
    default_segment(d, d->insn->base == REG_SP || d->insn->base == REG_BP);
    return decode_displacement(d, mod, 4);
}

static enum insn_result decode_modrm(struct decoder *d)
{
    uint8_t modrm;
    enum insn_result result = fetch_byte(d, &modrm);
    if (result != INSN_OK)
        return result;

    unsigned mod = modrm >> 6, rm = modrm & 7;
    if (mod == MOD_REGISTER)
        return INSN_UNSUPPORTED;
    d->modrm_reg = modrm >> 3 & 7;
    if (d->insn->address_size == 2)
        return decode_address_16(d, mod, rm);
    return decode_address(d, mod, rm);
}

/* The address is unsigned; the sign-extension of fetch goes away with the address size. */
static enum insn_result decode_moffs(struct decoder *d)
{
    default_segment(d, false);
    return fetch(d, d->insn->address_size, &d->insn->displacement);
}

static enum insn_result decode_immediate(struct decoder *d)
{
    unsigned size = 1;
    int64_t value = 0;

    if (!(d->flags & (IMM8 | IMMZ)))
        return INSN_OK;
    if (d->flags & IMMZ)
        size = d->insn->size < 4 ? d->insn->size : 4;
    enum insn_result result = fetch(d, size, &value);
    d->insn->other = INSN_OTHER_IMM;
    d->insn->imm = (uint64_t)value;
    return result;
}

/* ---- Operations ------------------------------------------------------------------------------ */

static bool resolve_group_3(struct decoder *d)
{
    switch (d->modrm_reg) {
    case 0:
    case 1: /* an undocumented twin of 0 that processors execute */
        d->insn->op = INSN_TEST;
        d->flags |= d->flags & BYTE ? IMM8 : IMMZ;
        return true;
    case 2:
        d->insn->op = INSN_NOT;
        return true;
    case 3:
        d->insn->op = INSN_NEG;
        return true;
    default:
        return false;
    }
}

static bool resolve_group_5(struct decoder *d)
{
    switch (d->modrm_reg) {
    case 0:
        d->insn->op = INSN_INC;
        return true;
    case 1:
        d->insn->op = INSN_DEC;
        return true;
    case 6:
        d->insn->op = INSN_PUSH;
        d->flags |= STACK;
        return !(d->flags & BYTE);
    default:
        return false;
    }
}

/* Settles the operation where ModRM.reg has a say in it. False if it names none of ours. */
static bool resolve_group(struct decoder *d)
{
    if (d->flags & GROUP_1)
        d->insn->op = (enum insn_op)(INSN_ADD + d->modrm_reg);
    if (d->flags & GROUP_3)
        return resolve_group_3(d);
    if (d->flags & GROUP_5)
        return resolve_group_5(d);
    if (d->flags & GROUP_8) {
        d->insn->op = (enum insn_op)(INSN_BT + (d->modrm_reg & 3));
        return d->modrm_reg >= 4;
    }
    if (d->flags & GROUP_REG_0)
        return d->modrm_reg == 0;
    if (d->flags & SEGMENT)
        return d->modrm_reg <= INSN_GS && !(d->flags & LOAD && d->modrm_reg == INSN_CS);
    return true;
}

static bool lock_allowed(const struct insn *insn)
{
    switch (insn->op) {
    case INSN_ADD:
    case INSN_OR:
    case INSN_ADC:
    case INSN_SBB:
    case INSN_AND:
    case INSN_SUB:
    case INSN_XOR:
    case INSN_NOT:
    case INSN_NEG:
    case INSN_INC:
    case INSN_DEC:
    case INSN_XCHG:
    case INSN_XADD:
    case INSN_CMPXCHG:
    case INSN_BTS:
    case INSN_BTR:
    case INSN_BTC:
        return insn->to_memory;
    default:
        return false;
    }
}

static void settle_sizes(struct decoder *d)
{
    struct insn *insn = d->insn;
    uint8_t size = d->flags & BYTE ? 1 : d->flags & SEGMENT ? 2 : operand_size(d);

    insn->reg_size = size;
    insn->size = size;
    if (d->flags & FROM_8)
        insn->size = 1;
    if (d->flags & FROM_16)
        insn->size = 2;
    if (d->flags & FROM_32)
        insn->size = size < 4 ? size : 4;
}

static void settle_operands(struct decoder *d)
{
    struct insn *insn = d->insn;

    insn->to_memory = !(d->flags & LOAD);
    if (d->flags & REG) {
        insn->other = INSN_OTHER_REG;
        insn->reg = register_operand(d);
    }
    if (d->flags & SEGMENT) {
        insn->other = INSN_OTHER_SEGMENT;
        insn->reg = (struct insn_reg){.number = d->modrm_reg};
    }
    if (d->flags & MOFFS) {
        insn->other = INSN_OTHER_REG;
        insn->reg = (struct insn_reg){.number = REG_AX};
    }
    if (d->flags & STRING) {
        insn->base = REG_SI;
        insn->rep = d->repeat;
        insn->to_memory = insn->op != INSN_LODS;
        default_segment(d, false);
    }
}

static enum insn_result decode_opcode(struct decoder *d)
{
    uint8_t opcode;
    enum insn_result result = decode_prefixes(d, &opcode);
    const struct encoding *map = one_byte;

    if (result == INSN_OK && opcode == TWO_BYTE_ESCAPE) {
        map = two_byte;
        result = fetch_byte(d, &opcode);
    }
    if (result != INSN_OK)
        return result;

    d->flags = map[opcode].flags;
    d->insn->op = (enum insn_op)map[opcode].op;
    uint32_t barred = d->mode == INSN_MODE_64 ? NOT_64 : ONLY_64;
    return d->flags & VALID && !(d->flags & barred) ? INSN_OK : INSN_UNSUPPORTED;
}

enum insn_result insn_decode(const uint8_t *bytes, size_t count, enum insn_mode mode,
                             struct insn *insn)
{
    struct decoder d = {.bytes = bytes, .count = count, .mode = mode, .insn = insn};

    *insn = (struct insn){.base = INSN_NO_REG, .index = INSN_NO_REG, .scale = 1};
    enum insn_result result = decode_opcode(&d);
    if (result != INSN_OK)
        return result;

    insn->address_size = address_size(&d);
    if (d.flags & MODRM)
        result = decode_modrm(&d);
    else if (d.flags & MOFFS)
        result = decode_moffs(&d);
    if (result != INSN_OK)
        return result;

    if (!resolve_group(&d))
        return INSN_UNSUPPORTED;
    settle_sizes(&d);
    settle_operands(&d);
    result = decode_immediate(&d);
    if (result != INSN_OK)
        return result;
    if (d.lock && !lock_allowed(insn))
        return INSN_UNSUPPORTED;
    insn->length = (uint8_t)d.position;
    return INSN_OK;
}
