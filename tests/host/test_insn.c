/* SPDX-License-Identifier: BSD-2-Clause */
/* links: core/emulate/insn.c */
/* The instruction decoder against libzydis: over all opcodes, ModRM bytes and kinds of
 * prefixes in all three modes, each
 * instruction of ours is decoded alike, and nothing else is taken for one. */
#include "core/emulate/insn.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <Zydis/Zydis.h>

enum {
    BYTES = 24, /* more than the longest instruction */
};

struct judge {
    ZydisDecoder decoder;
    ZydisDecodedInstruction insn;
    ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
};

static struct judge judges[3];
static unsigned long accepted, refused;

static int setup(void **state)
{
    (void)state;
    ZydisDecoderInit(&judges[INSN_MODE_16].decoder, ZYDIS_MACHINE_MODE_LONG_COMPAT_16,
                     ZYDIS_STACK_WIDTH_16);
    ZydisDecoderInit(&judges[INSN_MODE_32].decoder, ZYDIS_MACHINE_MODE_LONG_COMPAT_32,
                     ZYDIS_STACK_WIDTH_32);
    ZydisDecoderInit(&judges[INSN_MODE_64].decoder, ZYDIS_MACHINE_MODE_LONG_64,
                     ZYDIS_STACK_WIDTH_64);
    return 0;
}

static uint32_t random_bits(void)
{
    static uint64_t seed = 88172645463325252u;

    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (uint32_t)(seed >> 16);
}

static uint64_t mask(unsigned size)
{
    return size >= 8 ? UINT64_MAX : (1ull << (size * 8)) - 1;
}

/* ---- Which instructions are ours ------------------------------------------------------------- */

static const struct {
    ZydisMnemonic theirs;
    enum insn_op ours;
} operations[] = {
    {ZYDIS_MNEMONIC_ADD, INSN_ADD},      {ZYDIS_MNEMONIC_OR, INSN_OR},
    {ZYDIS_MNEMONIC_ADC, INSN_ADC},      {ZYDIS_MNEMONIC_SBB, INSN_SBB},
    {ZYDIS_MNEMONIC_AND, INSN_AND},      {ZYDIS_MNEMONIC_SUB, INSN_SUB},
    {ZYDIS_MNEMONIC_XOR, INSN_XOR},      {ZYDIS_MNEMONIC_CMP, INSN_CMP},
    {ZYDIS_MNEMONIC_TEST, INSN_TEST},    {ZYDIS_MNEMONIC_NOT, INSN_NOT},
    {ZYDIS_MNEMONIC_NEG, INSN_NEG},      {ZYDIS_MNEMONIC_INC, INSN_INC},
    {ZYDIS_MNEMONIC_DEC, INSN_DEC},      {ZYDIS_MNEMONIC_MOV, INSN_MOV},
    {ZYDIS_MNEMONIC_MOVZX, INSN_MOVZX},  {ZYDIS_MNEMONIC_MOVSX, INSN_MOVSX},
    {ZYDIS_MNEMONIC_MOVSXD, INSN_MOVSX}, {ZYDIS_MNEMONIC_XCHG, INSN_XCHG},
    {ZYDIS_MNEMONIC_XADD, INSN_XADD},    {ZYDIS_MNEMONIC_CMPXCHG, INSN_CMPXCHG},
    {ZYDIS_MNEMONIC_BT, INSN_BT},        {ZYDIS_MNEMONIC_BTS, INSN_BTS},
    {ZYDIS_MNEMONIC_BTR, INSN_BTR},      {ZYDIS_MNEMONIC_BTC, INSN_BTC},
    {ZYDIS_MNEMONIC_PUSH, INSN_PUSH},    {ZYDIS_MNEMONIC_POP, INSN_POP},
    {ZYDIS_MNEMONIC_MOVSB, INSN_MOVS},   {ZYDIS_MNEMONIC_MOVSW, INSN_MOVS},
    {ZYDIS_MNEMONIC_MOVSD, INSN_MOVS},   {ZYDIS_MNEMONIC_MOVSQ, INSN_MOVS},
    {ZYDIS_MNEMONIC_STOSB, INSN_STOS},   {ZYDIS_MNEMONIC_STOSW, INSN_STOS},
    {ZYDIS_MNEMONIC_STOSD, INSN_STOS},   {ZYDIS_MNEMONIC_STOSQ, INSN_STOS},
    {ZYDIS_MNEMONIC_LODSB, INSN_LODS},   {ZYDIS_MNEMONIC_LODSW, INSN_LODS},
    {ZYDIS_MNEMONIC_LODSD, INSN_LODS},   {ZYDIS_MNEMONIC_LODSQ, INSN_LODS},
};

static bool is_string(enum insn_op op)
{
    return op == INSN_MOVS || op == INSN_STOS || op == INSN_LODS;
}

/* Those whose register operands are general ones, and MOV with a segment register. */
static bool has_other_register_kind(const struct judge *judge)
{
    for (unsigned i = 0; i < judge->insn.operand_count_visible; i++) {
        const ZydisDecodedOperand *operand = &judge->operands[i];
        if (operand->type != ZYDIS_OPERAND_TYPE_REGISTER)
            continue;
        switch (ZydisRegisterGetClass(operand->reg.value)) {
        case ZYDIS_REGCLASS_GPR8:
        case ZYDIS_REGCLASS_GPR16:
        case ZYDIS_REGCLASS_GPR32:
        case ZYDIS_REGCLASS_GPR64:
        case ZYDIS_REGCLASS_SEGMENT:
            break;
        default:
            return true;
        }
    }
    return false;
}

/* The memory operand the instruction was chosen for; of MOVS and LODS the source. */
static const ZydisDecodedOperand *memory_operand(const struct judge *judge, enum insn_op op)
{
    unsigned count = is_string(op) ? judge->insn.operand_count : judge->insn.operand_count_visible;

    for (unsigned i = op == INSN_MOVS ? 1 : 0; i < count; i++) {
        const ZydisDecodedOperand *operand = &judge->operands[i];
        if (operand->type == ZYDIS_OPERAND_TYPE_MEMORY && operand->mem.type == ZYDIS_MEMOP_TYPE_MEM)
            return operand;
    }
    return NULL;
}

static bool is_ours(const struct judge *judge, enum insn_op *op)
{
    bool known = false;

    if (judge->insn.encoding != ZYDIS_INSTRUCTION_ENCODING_LEGACY)
        return false;
    for (unsigned i = 0; i < sizeof operations / sizeof operations[0]; i++) {
        if (operations[i].theirs == judge->insn.mnemonic) {
            *op = operations[i].ours;
            known = true;
        }
    }
    if (!known || has_other_register_kind(judge) || !memory_operand(judge, *op))
        return false;
    /* MOVSD is also an SSE instruction. */
    return !is_string(*op) || judge->insn.opcode_map == ZYDIS_OPCODE_MAP_DEFAULT;
}

/* ---- Comparison ------------------------------------------------------------------------------ */

static uint8_t register_number(ZydisRegister reg, bool *high8)
{
    *high8 = reg >= ZYDIS_REGISTER_AH && reg <= ZYDIS_REGISTER_BH;
    if (reg == ZYDIS_REGISTER_NONE)
        return INSN_NO_REG;
    if (*high8)
        return (uint8_t)(reg - ZYDIS_REGISTER_AH);
    if (reg >= ZYDIS_REGISTER_SPL && reg <= ZYDIS_REGISTER_R15B)
        return (uint8_t)(reg - ZYDIS_REGISTER_SPL + 4);
    return (uint8_t)ZydisRegisterGetId(reg);
}

/* With mod 0, a SIB base of 101b means none whatever REX.B says (SDM Vol 2A, "REX Prefixes",
 * special cases); libzydis 4.0 sees R13D there when the address size is 32. Processors do as the
 * SDM says. */
static bool without_base(const struct judge *judge)
{
    return judge->insn.raw.modrm.mod == 0 && judge->insn.raw.modrm.rm == 4 &&
           judge->insn.raw.sib.base == 5 && judge->insn.address_width == 32;
}

static void compare_memory(const struct judge *judge, const struct insn *ours,
                           const ZydisDecodedOperand *theirs)
{
    bool high8;

    /* The SDM lets MOVSXD with a 16-bit register read 16 bits, libzydis 32. */
    if (judge->insn.mnemonic != ZYDIS_MNEMONIC_MOVSXD || ours->reg_size != 2)
        assert_int_equal(ours->size, theirs->size / 8);
    assert_int_equal(ours->address_size, judge->insn.address_width / 8);
    if (ours->op == INSN_STOS)
        return;
    assert_int_equal(ours->segment, theirs->mem.segment - ZYDIS_REGISTER_ES);
    bool rip = theirs->mem.base == ZYDIS_REGISTER_RIP || theirs->mem.base == ZYDIS_REGISTER_EIP;
    assert_int_equal(ours->rip_relative, rip);
    if (rip || without_base(judge))
        assert_int_equal(ours->base, INSN_NO_REG);
    else
        assert_int_equal(ours->base, register_number(theirs->mem.base, &high8));
    assert_int_equal(ours->index, register_number(theirs->mem.index, &high8));
    if (ours->index != INSN_NO_REG)
        assert_int_equal(ours->scale, theirs->mem.scale ? theirs->mem.scale : 1);
    assert_true(((uint64_t)ours->displacement & mask(ours->address_size)) ==
                ((uint64_t)judge->insn.raw.disp.value & mask(ours->address_size)));
}

static void compare_other(const struct judge *judge, const struct insn *ours, unsigned memory)
{
    const ZydisDecodedOperand *theirs = &judge->operands[memory == 0 ? 1 : 0];
    bool high8;

    if (judge->insn.operand_count_visible == 1) {
        assert_int_equal(ours->other, INSN_OTHER_NONE);
        return;
    }
    if (theirs->type == ZYDIS_OPERAND_TYPE_IMMEDIATE) {
        assert_int_equal(ours->other, INSN_OTHER_IMM);
        unsigned size = ours->op >= INSN_BT && ours->op <= INSN_BTC ? 1 : ours->size;
        assert_true((ours->imm & mask(size)) == (theirs->imm.value.u & mask(size)));
        return;
    }
    if (ZydisRegisterGetClass(theirs->reg.value) == ZYDIS_REGCLASS_SEGMENT) {
        assert_int_equal(ours->other, INSN_OTHER_SEGMENT);
        assert_int_equal(ours->reg.number, theirs->reg.value - ZYDIS_REGISTER_ES);
        return;
    }
    assert_int_equal(ours->other, INSN_OTHER_REG);
    assert_int_equal(ours->reg.number, register_number(theirs->reg.value, &high8));
    assert_int_equal(ours->reg.high8, high8);
    assert_int_equal(ours->reg_size, theirs->size / 8);
}

static void compare(const struct judge *judge, enum insn_op op, const struct insn *ours)
{
    const ZydisDecodedOperand *theirs = memory_operand(judge, op);

    assert_int_equal(ours->op, op);
    assert_int_equal(ours->length, judge->insn.length);
    compare_memory(judge, ours, theirs);
    bool repeats = judge->insn.attributes &
                   (ZYDIS_ATTRIB_HAS_REP | ZYDIS_ATTRIB_HAS_REPNE | ZYDIS_ATTRIB_HAS_REPE);
    assert_int_equal(ours->rep, is_string(op) && repeats);
    if (is_string(op))
        return;
    if (op != INSN_PUSH)
        assert_int_equal(ours->to_memory, theirs == &judge->operands[0]);
    compare_other(judge, ours, (unsigned)(theirs - judge->operands));
}

/* Every shorter prefix of an instruction is cut off, and the decoder keeps to what it is given. */
static void check_truncation(const uint8_t *bytes, enum insn_mode mode, unsigned length)
{
    struct insn insn;

    for (unsigned count = 0; count <= length; count++) {
        uint8_t *exact = malloc(count ? count : 1);
        memcpy(exact, bytes, count);
        assert_int_equal(insn_decode(exact, count, mode, &insn),
                         count == length ? INSN_OK : INSN_TRUNCATED);
        free(exact);
    }
}

static void print_bytes(const uint8_t *bytes, enum insn_mode mode)
{
    print_error("mode %u:", 16u << mode);
    for (unsigned i = 0; i < 15; i++)
        print_error(" %02x", bytes[i]);
    print_error("\n");
}

static void check(const uint8_t *bytes, enum insn_mode mode)
{
    struct judge *judge = &judges[mode];
    struct insn ours;
    enum insn_op op = INSN_ADD;
    ZyanStatus status =
        ZydisDecoderDecodeFull(&judge->decoder, bytes, BYTES, &judge->insn, judge->operands);
    enum insn_result result = insn_decode(bytes, BYTES, mode, &ours);

    if (status == ZYDIS_STATUS_INSTRUCTION_TOO_LONG) {
        if (result != INSN_UNSUPPORTED && result != INSN_TOO_LONG)
            print_bytes(bytes, mode);
        assert_true(result == INSN_UNSUPPORTED || result == INSN_TOO_LONG);
        return;
    }
    bool wanted = ZYAN_SUCCESS(status) && is_ours(judge, &op);
    if (wanted != (result == INSN_OK))
        print_bytes(bytes, mode);
    assert_int_equal(result, wanted ? INSN_OK : INSN_UNSUPPORTED);
    refused += !wanted;
    if (!wanted)
        return;
    accepted++;
    if (ours.length != judge->insn.length || ours.op != op)
        print_bytes(bytes, mode);
    compare(judge, op, &ours);
    if (accepted % 64 == 0)
        check_truncation(bytes, mode, ours.length);
}

/* ---- Generation ------------------------------------------------------------------------------ */

struct prefixes {
    uint8_t count;
    uint8_t bytes[4];
};

static const struct prefixes prefixes[] = {
    {0, {0}},
    {1, {0x66}},
    {1, {0x67}},
    {2, {0x66, 0x67}},
    {1, {0xf0}},
    {2, {0xf0, 0x66}},
    {1, {0xf2}},
    {1, {0xf3}},
    {2, {0xf3, 0x67}},
    {2, {0xf2, 0xf0}},
    {1, {0x26}},
    {1, {0x2e}},
    {1, {0x36}},
    {1, {0x3e}},
    {1, {0x64}},
    {1, {0x65}},
    {2, {0x64, 0x2e}},
    {2, {0x3e, 0x65}},
    {2, {0x65, 0x64}},
    /* REX prefixes in 64-bit mode, INC and DEC elsewhere */
    {1, {0x40}},
    {1, {0x41}},
    {1, {0x42}},
    {1, {0x44}},
    {1, {0x48}},
    {1, {0x4f}},
    {2, {0x66, 0x48}},
    {2, {0x67, 0x47}},
    {2, {0x48, 0x66}}, /* too early to count */
    {2, {0x48, 0x41}},
    {3, {0xf0, 0x65, 0x4c}},
    {4, {0x67, 0xf3, 0x66, 0x49}},
};

static void check_opcode(const struct prefixes *prefix, int escape, unsigned opcode)
{
    uint8_t bytes[BYTES];

    /* Every ModRM byte, SIB and the rest at random. */
    for (unsigned modrm = 0; modrm < 256; modrm++) {
        for (unsigned i = 0; i < BYTES; i++)
            bytes[i] = (uint8_t)random_bits();
        unsigned at = prefix->count;
        memcpy(bytes, prefix->bytes, at);
        if (escape >= 0)
            bytes[at++] = (uint8_t)escape;
        bytes[at++] = (uint8_t)opcode;
        bytes[at] = (uint8_t)modrm;
        for (unsigned mode = INSN_MODE_16; mode <= INSN_MODE_64; mode++)
            check(bytes, (enum insn_mode)mode);
    }
}

static void agrees_with_zydis(void **state)
{
    (void)state;
    for (unsigned p = 0; p < sizeof prefixes / sizeof prefixes[0]; p++) {
        for (unsigned opcode = 0; opcode < 256; opcode++) {
            check_opcode(&prefixes[p], -1, opcode);
            check_opcode(&prefixes[p], 0x0f, opcode);
        }
    }
    assert_true(accepted > 100000 && refused > 100000);
}

static void all_sib_bytes(void **state)
{
    uint8_t bytes[BYTES] = {0};

    (void)state;
    for (unsigned rex = 0x40; rex < 0x50; rex++) {
        for (unsigned mod = 0; mod < 3; mod++) {
            for (unsigned sib = 0; sib < 256; sib++) {
                memcpy(bytes,
                       (uint8_t[]){(uint8_t)rex, 0x89, (uint8_t)(mod << 6 | 4), (uint8_t)sib, 0x80,
                                   0x81, 0x82, 0x83},
                       8);
                check(bytes, INSN_MODE_64);
                check(bytes + 1, INSN_MODE_32);
            }
        }
    }
}

static void random_bytes(void **state)
{
    uint8_t bytes[BYTES];

    (void)state;
    for (unsigned n = 0; n < 300000; n++) {
        for (unsigned i = 0; i < BYTES; i++)
            bytes[i] = (uint8_t)random_bits();
        check(bytes, (enum insn_mode)(n % 3));
    }
}

static void fifteen_bytes_at_most(void **state)
{
    uint8_t bytes[BYTES];
    struct insn insn;

    (void)state;
    memset(bytes, 0x2e, sizeof bytes);
    memcpy(bytes + 13, (uint8_t[]){0x88, 0x00}, 2); /* mov [rax], al */
    assert_int_equal(insn_decode(bytes, BYTES, INSN_MODE_64, &insn), INSN_OK);
    assert_int_equal(insn.length, 15);
    memset(bytes, 0x2e, sizeof bytes);
    memcpy(bytes + 14, (uint8_t[]){0x88, 0x00}, 2);
    assert_int_equal(insn_decode(bytes, BYTES, INSN_MODE_64, &insn), INSN_TOO_LONG);
    assert_int_equal(insn_decode(bytes, 15, INSN_MODE_64, &insn), INSN_TOO_LONG);
    memset(bytes, 0x66, sizeof bytes);
    assert_int_equal(insn_decode(bytes, BYTES, INSN_MODE_32, &insn), INSN_TOO_LONG);
    assert_int_equal(insn_decode(bytes, 14, INSN_MODE_32, &insn), INSN_TRUNCATED);
    memset(bytes, 0x2e, sizeof bytes);
    memcpy(bytes + 6, (uint8_t[]){0xc7, 0x84, 0x05}, 3); /* mov dword [rbp + rax + d32], i32 */
    assert_int_equal(insn_decode(bytes, BYTES, INSN_MODE_64, &insn), INSN_TOO_LONG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_zydis),
        cmocka_unit_test(all_sib_bytes),
        cmocka_unit_test(random_bytes),
        cmocka_unit_test(fifteen_bytes_at_most),
    };
    return cmocka_run_group_tests_name("instruction decoder", tests, setup, NULL);
}
