/* SPDX-License-Identifier: BSD-2-Clause */
/* links: core/emulate/emulate.c core/emulate/alu.c core/emulate/insn.c */
/* The emulator against this machine's processor: random instructions on random state must leave
 * the same registers, flags and memory. What 64-bit user code cannot show is tested by hand. */
#define _GNU_SOURCE
#include "core/emulate/alu.h"
#include "core/emulate/emulate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/host/native.h"

enum {
    MEMORY = 4 * NATIVE_PAGE,
    MARGIN = 512, /* operands stay that far inside, so that bit offsets may reach around them */
    RFLAGS_FIXED = 1 << 1 | 1 << 9,
    RFLAGS_RF = 1 << 16,
    NEVER = -1,
};

static uint64_t random_bits(void)
{
    static uint64_t seed = 88172645463325252u;

    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed * 2685821657736338717u;
}

static unsigned below(unsigned limit)
{
    return (unsigned)(random_bits() >> 33) % limit;
}

/* ---- The emulator's memory ------------------------------------------------------------------- */

struct memory {
    uint64_t base;
    uint8_t bytes[MEMORY];
    uint64_t segments[6];
    uint16_t selectors[6];
    int fail_at; /* number of the access that faults */
    int accesses;
    bool updating;     /* the last read announced a write to the same place */
    bool two_operands; /* the instruction reads one place and writes another */
    uint64_t read_at;
};

static struct memory memory;

static uint8_t *reach(struct memory *m, uint64_t linear, unsigned size)
{
    assert_true(linear >= m->base && linear - m->base <= MEMORY - size);
    return m->bytes + (linear - m->base);
}

static bool read_memory(void *ctx, uint64_t linear, unsigned size, enum emulate_access access,
                        uint64_t *value)
{
    struct memory *m = ctx;

    if (m->accesses++ == m->fail_at)
        return false;
    assert_int_not_equal(access, EMULATE_WRITE);
    m->updating = access == EMULATE_UPDATE;
    m->read_at = linear;
    *value = 0xdeadbeefdeadbeef; /* what lies beyond size must not matter */
    memcpy(value, reach(m, linear, size), size);
    return true;
}

static bool write_memory(void *ctx, uint64_t linear, unsigned size, uint64_t value)
{
    struct memory *m = ctx;

    if (m->accesses++ == m->fail_at)
        return false;
    if (!m->two_operands) /* an update was announced, and nothing else is one */
        assert_true(m->updating == (linear == m->read_at));
    m->updating = false;
    memcpy(reach(m, linear, size), &value, size);
    return true;
}

static uint64_t segment_base(void *ctx, enum insn_segment segment)
{
    return ((struct memory *)ctx)->segments[segment];
}

static uint16_t selector(void *ctx, enum insn_segment segment)
{
    return ((struct memory *)ctx)->selectors[segment];
}

static bool load_segment(void *ctx, enum insn_segment segment, uint16_t selector)
{
    struct memory *m = ctx;

    if (m->accesses++ == m->fail_at)
        return false;
    m->selectors[segment] = selector;
    return true;
}

static const struct emulate_env env_64 = {
    .ctx = &memory,
    .mode = INSN_MODE_64,
    .stack_size = 8,
    .segment_base = segment_base,
    .selector = selector,
    .load_segment = load_segment,
    .read = read_memory,
    .write = write_memory,
};

static enum emulate_result run(const struct insn *insn, struct emulate_regs *regs,
                               const struct emulate_env *env, unsigned iterations)
{
    memory.accesses = 0;
    memory.updating = false;
    memory.read_at = UINT64_MAX;
    memory.two_operands = insn->op == INSN_MOVS || insn->op == INSN_PUSH || insn->op == INSN_POP;
    enum emulate_result result = emulate(insn, regs, env, iterations);
    assert_true(result != EMULATE_DONE || !memory.updating);
    return result;
}

/* ---- Random instructions --------------------------------------------------------------------- */

enum {
    LOGIC = ALU_AF, /* undefined after logical operations, and after the BT family */
    BITS = ALU_OF | ALU_SF | ALU_AF | ALU_PF,
};

/* An opcode with a ModRM byte; group is the value of ModRM.reg, or -1 if it names a register. */
struct form {
    uint8_t escape, opcode;
    int8_t group;
    uint8_t immediate; /* bytes; 4 stands for the operand size up to 4 */
    bool byte;
    uint16_t undefined;
};

static const struct form forms[] = {
    {0, 0x00, -1, 0, true, 0},        {0, 0x01, -1, 0, false, 0},
    {0, 0x02, -1, 0, true, 0},        {0, 0x03, -1, 0, false, 0},
    {0, 0x08, -1, 0, true, LOGIC},    {0, 0x09, -1, 0, false, LOGIC},
    {0, 0x0a, -1, 0, true, LOGIC},    {0, 0x0b, -1, 0, false, LOGIC},
    {0, 0x10, -1, 0, true, 0},        {0, 0x11, -1, 0, false, 0},
    {0, 0x12, -1, 0, true, 0},        {0, 0x13, -1, 0, false, 0},
    {0, 0x18, -1, 0, true, 0},        {0, 0x19, -1, 0, false, 0},
    {0, 0x1a, -1, 0, true, 0},        {0, 0x1b, -1, 0, false, 0},
    {0, 0x20, -1, 0, true, LOGIC},    {0, 0x21, -1, 0, false, LOGIC},
    {0, 0x22, -1, 0, true, LOGIC},    {0, 0x23, -1, 0, false, LOGIC},
    {0, 0x28, -1, 0, true, 0},        {0, 0x29, -1, 0, false, 0},
    {0, 0x2a, -1, 0, true, 0},        {0, 0x2b, -1, 0, false, 0},
    {0, 0x30, -1, 0, true, LOGIC},    {0, 0x31, -1, 0, false, LOGIC},
    {0, 0x32, -1, 0, true, LOGIC},    {0, 0x33, -1, 0, false, LOGIC},
    {0, 0x38, -1, 0, true, 0},        {0, 0x39, -1, 0, false, 0},
    {0, 0x3a, -1, 0, true, 0},        {0, 0x3b, -1, 0, false, 0},
    {0, 0x63, -1, 0, false, 0},       {0, 0x80, 0, 1, true, 0},
    {0, 0x80, 1, 1, true, LOGIC},     {0, 0x80, 7, 1, true, 0},
    {0, 0x81, 2, 4, false, 0},        {0, 0x81, 3, 4, false, 0},
    {0, 0x81, 4, 4, false, LOGIC},    {0, 0x81, 5, 4, false, 0},
    {0, 0x83, 0, 1, false, 0},        {0, 0x83, 5, 1, false, 0},
    {0, 0x83, 6, 1, false, LOGIC},    {0, 0x83, 7, 1, false, 0},
    {0, 0x84, -1, 0, true, LOGIC},    {0, 0x85, -1, 0, false, LOGIC},
    {0, 0x86, -1, 0, true, 0},        {0, 0x87, -1, 0, false, 0},
    {0, 0x88, -1, 0, true, 0},        {0, 0x89, -1, 0, false, 0},
    {0, 0x8a, -1, 0, true, 0},        {0, 0x8b, -1, 0, false, 0},
    {0, 0x8f, 0, 0, false, 0},        {0, 0xc6, 0, 1, true, 0},
    {0, 0xc7, 0, 4, false, 0},        {0, 0xf6, 0, 1, true, LOGIC},
    {0, 0xf6, 1, 1, true, LOGIC},     {0, 0xf7, 0, 4, false, LOGIC},
    {0, 0xf6, 2, 0, true, 0},         {0, 0xf7, 2, 0, false, 0},
    {0, 0xf6, 3, 0, true, 0},         {0, 0xf7, 3, 0, false, 0},
    {0, 0xfe, 0, 0, true, 0},         {0, 0xff, 0, 0, false, 0},
    {0, 0xfe, 1, 0, true, 0},         {0, 0xff, 1, 0, false, 0},
    {0, 0xff, 6, 0, false, 0},        {0x0f, 0xa3, -1, 0, false, BITS},
    {0x0f, 0xab, -1, 0, false, BITS}, {0x0f, 0xb3, -1, 0, false, BITS},
    {0x0f, 0xbb, -1, 0, false, BITS}, {0x0f, 0xba, 4, 1, false, BITS},
    {0x0f, 0xba, 5, 1, false, BITS},  {0x0f, 0xba, 6, 1, false, BITS},
    {0x0f, 0xba, 7, 1, false, BITS},  {0x0f, 0xb0, -1, 0, true, 0},
    {0x0f, 0xb1, -1, 0, false, 0},    {0x0f, 0xc0, -1, 0, true, 0},
    {0x0f, 0xc1, -1, 0, false, 0},    {0x0f, 0xb6, -1, 0, false, 0},
    {0x0f, 0xb7, -1, 0, false, 0},    {0x0f, 0xbe, -1, 0, false, 0},
    {0x0f, 0xbf, -1, 0, false, 0},
};

struct sample {
    uint8_t bytes[NATIVE_INSN_ROOM];
    unsigned length;
    unsigned displacement; /* offset of a 32-bit displacement in bytes, 0 if there is none */
    struct insn insn;
    struct emulate_regs regs;
    uint16_t undefined;
};

static void put(struct sample *s, unsigned byte)
{
    s->bytes[s->length++] = (uint8_t)byte;
}

static void put_prefixes(struct sample *s, const struct form *form)
{
    static const uint8_t useless[] = {0x2e, 0x36, 0x26, 0x3e, 0x65, 0xf2, 0xf3};

    if (below(4) == 0)
        put(s, useless[below(form->escape ? 5 : sizeof useless)]);
    if (below(4) == 0)
        put(s, 0x67);
    /* MOVSXD to 16 bits differs between vendors. */
    if (below(3) == 0 && form->opcode != 0x63)
        put(s, 0x66);
    if (below(2))
        put(s, 0x40 | below(16));
}

static void put_operand(struct sample *s, const struct form *form)
{
    unsigned mod = below(3), rm = below(8), sib = below(256);
    unsigned reg = form->group >= 0 ? (unsigned)form->group : below(8);

    put(s, mod << 6 | reg << 3 | rm);
    if (rm == 4)
        put(s, sib);
    bool no_base = mod == 0 && (rm == 5 || (rm == 4 && (sib & 7) == 5));
    if (mod == 2 || no_base) {
        s->displacement = s->length;
        for (unsigned i = 0; i < 4; i++)
            put(s, below(256));
    } else if (mod == 1) {
        put(s, below(256));
    }
}

static bool put_form(struct sample *s, const struct form *form)
{
    s->undefined = form->undefined;
    put_prefixes(s, form);
    if (form->escape)
        put(s, form->escape);
    put(s, form->opcode);
    put_operand(s, form);
    unsigned immediate = form->immediate;
    /* The bytes after the operand are still zero, so this decodes and tells the operand size. */
    if (immediate == 4 && insn_decode(s->bytes, 15, INSN_MODE_64, &s->insn) == INSN_OK)
        immediate = s->insn.size < 4 ? s->insn.size : 4;
    for (unsigned i = 0; i < immediate; i++)
        put(s, below(256));
    return insn_decode(s->bytes, s->length, INSN_MODE_64, &s->insn) == INSN_OK &&
           s->insn.length == s->length;
}

/* ---- Random state in which the operand lies inside the memory
 * ------------------------------------ */

static void patch_displacement(struct sample *s, uint64_t value)
{
    int32_t displacement = (int32_t)value;

    memcpy(s->bytes + s->displacement, &displacement, 4);
    insn_decode(s->bytes, s->length, INSN_MODE_64, &s->insn);
}

static uint64_t keep_high(uint64_t random, uint64_t value, unsigned size)
{
    return (random & ~alu_mask(size)) | (value & alu_mask(size));
}

static bool is_bit_test_by_register(const struct insn *insn)
{
    return insn->op >= INSN_BT && insn->op <= INSN_BTC && insn->other == INSN_OTHER_REG;
}

/* Gives registers and displacement values that lead to target. False if that cannot be done. */
static bool aim(struct sample *s, uint64_t target, uint64_t rip)
{
    const struct insn *insn = &s->insn;
    uint64_t *gpr = s->regs.gpr;

    if (is_bit_test_by_register(insn)) {
        uint64_t offset = (uint64_t)((int64_t)below(2048) - 1024);
        if (insn->reg.number == insn->base || insn->reg.number == insn->index)
            return false;
        gpr[insn->reg.number] = keep_high(random_bits(), offset, insn->size);
    }
    if (insn->base != INSN_NO_REG && insn->base == insn->index)
        return false;
    uint64_t indexed = 0;
    if (insn->index != INSN_NO_REG) {
        if (insn->base == INSN_NO_REG)
            gpr[insn->index] = keep_high(random_bits(), below(100000), insn->address_size);
        indexed = gpr[insn->index] * insn->scale;
    }
    if (insn->base != INSN_NO_REG) {
        uint64_t base = target - indexed - (uint64_t)insn->displacement;
        gpr[insn->base] = keep_high(random_bits(), base, insn->address_size);
    } else if (insn->rip_relative) {
        patch_displacement(s, target - (rip + insn->length));
    } else {
        patch_displacement(s, target - (indexed & alu_mask(insn->address_size)));
    }
    return true;
}

static bool stack_inside(const struct sample *s)
{
    uint64_t rsp = s->regs.gpr[EMULATE_RSP];

    return rsp >= memory.base + 16 && rsp < memory.base + MEMORY - 16;
}

static void random_state(struct sample *s)
{
    for (unsigned i = 0; i < EMULATE_GPRS; i++)
        s->regs.gpr[i] = below(3) ? random_bits() : random_bits() >> below(64);
    s->regs.rflags = RFLAGS_FIXED | (random_bits() & (ALU_STATUS | ALU_DF));
    for (unsigned i = 0; i < MEMORY; i += 8) {
        uint64_t word = random_bits();
        memcpy(memory.bytes + i, &word, 8);
    }
}

static bool make_sample(struct sample *s, const struct form *form, uint64_t rip)
{
    *s = (struct sample){0};
    if (!put_form(s, form))
        return false;
    random_state(s);
    bool stack = s->insn.op == INSN_PUSH || s->insn.op == INSN_POP;
    uint64_t target = memory.base + MARGIN + below(MEMORY - 2 * MARGIN);

    if (stack)
        s->regs.gpr[EMULATE_RSP] = memory.base + MARGIN + below(MEMORY - 2 * MARGIN);
    if (!aim(s, target, rip))
        return false;
    if (stack && !stack_inside(s))
        return false;
    s->regs.rip = rip;
    if (s->insn.op == INSN_CMPXCHG && below(2))
        memcpy(memory.bytes + (target - memory.base), &s->regs.gpr[EMULATE_RAX], 8);
    return true;
}

/* ---- The comparison -------------------------------------------------------------------------- */

static void report(const struct sample *s, const struct emulate_regs *ours,
                   const struct emulate_regs *theirs)
{
    for (unsigned i = 0; i < s->length; i++)
        print_error("%02x ", s->bytes[i]);
    print_error("\nflags %lx -> ours %lx, processor %lx\n", s->regs.rflags, ours->rflags,
                theirs->rflags);
    for (unsigned i = 0; i < EMULATE_GPRS; i++)
        print_error("%2u: %016lx -> %016lx %016lx\n", i, s->regs.gpr[i], ours->gpr[i],
                    theirs->gpr[i]);
}

static void compare_with_native(struct native *native, const struct sample *s, unsigned iterations)
{
    struct emulate_regs ours = s->regs, theirs = s->regs;
    uint8_t *real = (uint8_t *)memory.base;
    enum emulate_result result;

    memcpy(real, memory.bytes, MEMORY);
    native_run(native, s->bytes, s->length, &theirs);
    memory.fail_at = NEVER;
    do
        result = run(&s->insn, &ours, &env_64, iterations);
    while (result == EMULATE_AGAIN);
    assert_int_equal(result, EMULATE_DONE);

    uint64_t defined = ~(uint64_t)s->undefined;
    bool same = memcmp(ours.gpr, theirs.gpr, sizeof ours.gpr) == 0 &&
                ((ours.rflags ^ theirs.rflags) & defined) == 0;
    if (!same)
        report(s, &ours, &theirs);
    assert_true(same);
    assert_memory_equal(memory.bytes, real, MEMORY);
    assert_true(ours.rip == s->regs.rip + s->length);
}

/* With each of its accesses failing in turn, the instruction must leave no trace. */
static void check_faults(const struct sample *s)
{
    static uint8_t before[MEMORY];

    memcpy(before, memory.bytes, MEMORY);
    for (memory.fail_at = 0; memory.fail_at < 2; memory.fail_at++) {
        struct emulate_regs regs = s->regs;
        enum emulate_result result = run(&s->insn, &regs, &env_64, 1);
        if (result != EMULATE_FAULT) { /* it has fewer accesses than that */
            assert_int_equal(memory.accesses, memory.fail_at);
            break;
        }
        assert_memory_equal(&regs, &s->regs, sizeof regs);
        assert_memory_equal(memory.bytes, before, MEMORY);
    }
    memcpy(memory.bytes, before, MEMORY);
}

static struct native native;

static int setup(void **state)
{
    (void)state;
    native_init(&native);
    void *real =
        mmap(NULL, MEMORY, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
    memory.base = (uint64_t)real;
    return real == MAP_FAILED;
}

static void agrees_with_the_processor(void **state)
{
    const unsigned rounds = 400;
    unsigned done = 0;

    (void)state;
    for (unsigned f = 0; f < sizeof forms / sizeof forms[0]; f++) {
        for (unsigned i = 0; i < rounds; i++) {
            struct sample sample;
            if (!make_sample(&sample, &forms[f], native_insn_address(&native)))
                continue;
            check_faults(&sample);
            compare_with_native(&native, &sample, 1);
            done++;
        }
    }
    assert_true(done > rounds * sizeof forms / sizeof forms[0] / 2);
}

static void absolute_addresses(void **state)
{
    static const uint8_t opcodes[] = {0xa0, 0xa1, 0xa2, 0xa3};

    (void)state;
    for (unsigned i = 0; i < 400; i++) {
        struct sample s = {0};
        uint64_t target = memory.base + below(MEMORY - 8);
        unsigned address = 8;

        random_state(&s);
        if (below(2)) {
            put(&s, 0x67);
            address = 4;
        }
        if (below(2))
            put(&s, below(2) ? 0x66 : 0x48);
        put(&s, opcodes[i % 4]);
        memcpy(s.bytes + s.length, &target, address);
        s.length += address;
        s.regs.rip = native_insn_address(&native);
        assert_int_equal(insn_decode(s.bytes, s.length, INSN_MODE_64, &s.insn), INSN_OK);
        check_faults(&s);
        compare_with_native(&native, &s, 1);
    }
}

static void string_sample(struct sample *s, uint8_t opcode)
{
    static const uint8_t repeats[] = {0xf2, 0xf3};

    *s = (struct sample){0};
    random_state(s);
    if (below(4) == 0)
        put(s, 0x67);
    if (below(3))
        put(s, repeats[below(2)]);
    if (below(2))
        put(s, below(2) ? 0x66 : 0x48);
    put(s, opcode);
    s->regs.rip = native_insn_address(&native);
    assert_int_equal(insn_decode(s->bytes, s->length, INSN_MODE_64, &s->insn), INSN_OK);
    uint64_t middle = memory.base + MEMORY / 2;
    unsigned size = s->insn.address_size;
    s->regs.gpr[EMULATE_RSI] = keep_high(random_bits(), middle + below(64), size);
    s->regs.gpr[EMULATE_RDI] = keep_high(random_bits(), middle + below(64), size);
    /* At least one element: whether a count of zero clears upper halves differs between vendors. */
    if (s->insn.rep)
        s->regs.gpr[EMULATE_RCX] = keep_high(random_bits(), 1 + below(20), size);
}

static void strings(void **state)
{
    static const uint8_t opcodes[] = {0xa4, 0xa5, 0xaa, 0xab, 0xac, 0xad};

    (void)state;
    for (unsigned i = 0; i < 3000; i++) {
        struct sample sample;
        string_sample(&sample, opcodes[i % 6]);
        check_faults(&sample);
        compare_with_native(&native, &sample, 1 + below(8));
    }
}

/* ---- By hand --------------------------------------------------------------------------------- */

static struct insn decode(const char *bytes, size_t length, enum insn_mode mode)
{
    struct insn insn;

    assert_int_equal(insn_decode((const uint8_t *)bytes, length, mode, &insn), INSN_OK);
    assert_int_equal(insn.length, length);
    return insn;
}

#define DECODE(mode, bytes) decode(bytes, sizeof bytes - 1, mode)

/* A memory that begins at linear address base, in a mode other than 64-bit. */
static struct emulate_env env_at(uint64_t base, enum insn_mode mode, uint8_t stack_size)
{
    struct emulate_env env = env_64;

    memset(&memory, 0, sizeof memory);
    memory.base = base;
    memory.fail_at = NEVER;
    env.mode = mode;
    env.stack_size = stack_size;
    return env;
}

static void sixteen_bit_addresses_wrap(void **state)
{
    struct emulate_env env = env_at(0x10000, INSN_MODE_16, 2);
    struct insn insn = DECODE(INSN_MODE_16, "\x89\x00"); /* mov [bx+si], ax */
    struct emulate_regs regs = {.gpr = {0x12345678, 0, 0, 0x1fff0}, .rip = 0x7c00};

    (void)state;
    regs.gpr[EMULATE_RSI] = 0x50030;
    memory.segments[INSN_DS] = 0x10100;
    assert_int_equal(run(&insn, &regs, &env, 1), EMULATE_DONE);
    assert_memory_equal(memory.bytes + 0x120, "\x78\x56\0", 3);
    assert_int_equal(regs.rip, 0x7c02);
}

static void segments_by_mode_and_prefix(void **state)
{
    static const struct {
        enum insn_mode mode;
        const char *bytes;
        size_t length;
        unsigned expected; /* number of the base in hundreds */
    } cases[] = {
        {INSN_MODE_32, "\x88\x00", 2, 4},         /* [eax]: DS */
        {INSN_MODE_32, "\x88\x45\x00", 3, 3},     /* [ebp]: SS */
        {INSN_MODE_32, "\x88\x04\x24", 3, 3},     /* [esp]: SS */
        {INSN_MODE_32, "\x26\x88\x45\x00", 4, 1}, /* es:[ebp] */
        {INSN_MODE_32, "\x2e\x88\x00", 3, 2},     /* cs:[eax] */
        {INSN_MODE_32, "\x65\x88\x00", 3, 6},     /* gs:[eax] */
        {INSN_MODE_16, "\x88\x02", 2, 3},         /* [bp+si]: SS */
        {INSN_MODE_16, "\x88\x07", 2, 4},         /* [bx]: DS */
        {INSN_MODE_64, "\x88\x00", 2, 0},         /* flat */
        {INSN_MODE_64, "\x88\x45\x00", 3, 0},     {INSN_MODE_64, "\x26\x88\x00", 3, 0},
        {INSN_MODE_64, "\x64\x88\x00", 3, 5}, /* fs:[rax] */
        {INSN_MODE_64, "\x65\x88\x00", 3, 6}, /* gs:[rax] */
    };

    (void)state;
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct emulate_env env = env_at(0, cases[i].mode, 4);
        struct insn insn = decode(cases[i].bytes, cases[i].length, cases[i].mode);
        struct emulate_regs regs = {.gpr = {0}};

        for (unsigned s = 0; s < 6; s++)
            memory.segments[s] = (s + 1) * 0x100;
        memset(memory.bytes, 0xcc, MEMORY);
        assert_int_equal(run(&insn, &regs, &env, 1), EMULATE_DONE);
        assert_int_equal(memory.bytes[cases[i].expected * 0x100], 0);
        assert_int_equal(memory.bytes[(cases[i].expected + 1) * 0x100], 0xcc);
    }
}

static void linear_addresses_have_32_bits_outside_of_64_bit_mode(void **state)
{
    struct emulate_env env = env_at(0, INSN_MODE_32, 4);
    struct insn insn = DECODE(INSN_MODE_32, "\x88\x00"); /* mov [eax], al */
    struct emulate_regs regs = {.gpr = {0x1000}, .rip = 0xfffffffe};

    (void)state;
    memory.segments[INSN_DS] = 0xfffff800;
    regs.gpr[0] = 0x1055;
    assert_int_equal(run(&insn, &regs, &env, 1), EMULATE_DONE);
    assert_int_equal(memory.bytes[0x855], 0x55);
    assert_int_equal(regs.rip, 0);
}

static void full_64_bit_addresses(void **state)
{
    struct emulate_env env = env_at(0xffff800000000000, INSN_MODE_64, 8);
    struct insn insn = DECODE(INSN_MODE_64, "\x64\x88\x00"); /* mov fs:[rax], al */
    struct emulate_regs regs = {.gpr = {0x42}, .rip = 0xfffffffe};

    (void)state;
    memory.segments[INSN_FS] = 0xffff800000000000;
    assert_int_equal(run(&insn, &regs, &env, 1), EMULATE_DONE);
    assert_int_equal(memory.bytes[0x42], 0x42);
    assert_true(regs.rip == 0x100000001);
}

static void sixteen_bit_stack_wraps(void **state)
{
    struct emulate_env env = env_at(0x20000 - MEMORY, INSN_MODE_32, 2);
    struct insn push = DECODE(INSN_MODE_32, "\xff\x30"); /* push dword [eax] */
    struct insn pop = DECODE(INSN_MODE_32, "\x8f\x00");  /* pop dword [eax] */
    struct emulate_regs regs = {.gpr = {0xf000}};

    (void)state;
    memory.segments[INSN_SS] = memory.segments[INSN_DS] = 0x10000;
    memcpy(memory.bytes + MEMORY - 0x1000, "\x11\x22\x33\x44", 4);
    regs.gpr[EMULATE_RSP] = 0xabcd0000;
    assert_int_equal(run(&push, &regs, &env, 1), EMULATE_DONE);
    assert_int_equal(regs.gpr[EMULATE_RSP], 0xabcdfffc);
    assert_memory_equal(memory.bytes + MEMORY - 4, "\x11\x22\x33\x44", 4);
    regs.gpr[EMULATE_RAX] = 0xf010;
    assert_int_equal(run(&pop, &regs, &env, 1), EMULATE_DONE);
    assert_int_equal(regs.gpr[EMULATE_RSP], 0xabcd0000);
    assert_memory_equal(memory.bytes + MEMORY - 0x1000 + 0x10, "\x11\x22\x33\x44", 4);
}

static void sixteen_bit_repeat_wraps(void **state)
{
    struct emulate_env env = env_at(0x20000 - MEMORY, INSN_MODE_16, 2);
    struct insn insn = DECODE(INSN_MODE_16, "\xf3\xab"); /* rep stosw */
    struct emulate_regs regs = {.gpr = {0xbeef}, .rip = 0x100};

    (void)state;
    memory.segments[INSN_ES] = 0x10000;
    regs.gpr[EMULATE_RCX] = 0x70002;
    regs.gpr[EMULATE_RDI] = 0x5fffc;
    assert_int_equal(run(&insn, &regs, &env, 10), EMULATE_DONE);
    assert_memory_equal(memory.bytes + MEMORY - 6, "\0\0\xef\xbe\xef\xbe", 6);
    assert_int_equal(regs.gpr[EMULATE_RCX], 0x70000); /* upper halves stay */
    assert_int_equal(regs.gpr[EMULATE_RDI], 0x50000);
}

static void repeat_stops_at_a_fault_and_goes_on(void **state)
{
    struct emulate_env env = env_at(0x1000, INSN_MODE_64, 8);
    struct insn insn = DECODE(INSN_MODE_64, "\xf3\xa4"); /* rep movsb */
    struct emulate_regs regs = {.rip = 0x100, .rflags = RFLAGS_FIXED | RFLAGS_RF};

    (void)state;
    memcpy(memory.bytes, "abcdef", 6);
    regs.gpr[EMULATE_RCX] = 6;
    regs.gpr[EMULATE_RSI] = 0x1000;
    regs.gpr[EMULATE_RDI] = 0x1100;
    memory.fail_at = 5; /* the write of the third element */
    assert_int_equal(run(&insn, &regs, &env, 100), EMULATE_FAULT);
    assert_int_equal(regs.gpr[EMULATE_RCX], 4);
    assert_int_equal(regs.gpr[EMULATE_RSI], 0x1002);
    assert_int_equal(regs.gpr[EMULATE_RDI], 0x1102);
    assert_int_equal(regs.rip, 0x100);
    memory.fail_at = NEVER;
    assert_int_equal(run(&insn, &regs, &env, 3), EMULATE_AGAIN);
    assert_int_equal(regs.gpr[EMULATE_RCX], 1);
    assert_int_equal(regs.rip, 0x100);
    assert_int_equal(regs.rflags, RFLAGS_FIXED | RFLAGS_RF);
    assert_int_equal(run(&insn, &regs, &env, 3), EMULATE_DONE);
    assert_int_equal(regs.rip, 0x102);
    assert_int_equal(regs.rflags, RFLAGS_FIXED);
    assert_memory_equal(memory.bytes + 0x100, "abcdef", 7);
}

static void repeat_of_nothing_touches_nothing(void **state)
{
    struct emulate_env env = env_at(0x1000, INSN_MODE_64, 8);
    struct insn insn = DECODE(INSN_MODE_64, "\xf3\xa4");
    struct emulate_regs regs = {.rip = 0x100};

    (void)state;
    memory.fail_at = 0;
    assert_int_equal(run(&insn, &regs, &env, 1), EMULATE_DONE);
    assert_int_equal(memory.accesses, 0);
    assert_int_equal(regs.rip, 0x102);
}

static void segment_registers(void **state)
{
    struct emulate_env env = env_at(0x1000, INSN_MODE_64, 8);
    struct insn load = DECODE(INSN_MODE_64, "\x48\x8e\x23"); /* mov fs, [rbx] */
    struct insn save = DECODE(INSN_MODE_64, "\x48\x8c\x23"); /* mov [rbx], fs */
    struct emulate_regs regs = {.gpr = {[EMULATE_RBX] = 0x1008}, .rip = 0x100};

    (void)state;
    memcpy(memory.bytes + 8, "\x34\x12\xff", 3);
    memory.fail_at = 1;
    assert_int_equal(run(&load, &regs, &env, 1), EMULATE_FAULT);
    assert_int_equal(regs.rip, 0x100);
    memory.fail_at = NEVER;
    assert_int_equal(run(&load, &regs, &env, 1), EMULATE_DONE);
    assert_int_equal(memory.selectors[INSN_FS], 0x1234);
    assert_int_equal(regs.rip, 0x103);
    memset(memory.bytes, 0x55, 16);
    assert_int_equal(run(&save, &regs, &env, 1), EMULATE_DONE);
    assert_memory_equal(memory.bytes + 8, "\x34\x12\x55", 3);
    assert_int_equal(regs.rip, 0x106);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_the_processor),
        cmocka_unit_test(absolute_addresses),
        cmocka_unit_test(strings),
        cmocka_unit_test(segment_registers),
        cmocka_unit_test(sixteen_bit_addresses_wrap),
        cmocka_unit_test(segments_by_mode_and_prefix),
        cmocka_unit_test(linear_addresses_have_32_bits_outside_of_64_bit_mode),
        cmocka_unit_test(full_64_bit_addresses),
        cmocka_unit_test(sixteen_bit_stack_wraps),
        cmocka_unit_test(sixteen_bit_repeat_wraps),
        cmocka_unit_test(repeat_stops_at_a_fault_and_goes_on),
        cmocka_unit_test(repeat_of_nothing_touches_nothing),
    };
    return cmocka_run_group_tests_name("emulator", tests, setup, NULL);
}
