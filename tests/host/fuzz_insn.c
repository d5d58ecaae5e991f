/* SPDX-License-Identifier: BSD-2-Clause */
/* links: core/emulate/insn.c core/emulate/emulate.c core/emulate/alu.c */
/* Fuzz target: instruction bytes, and a machine whose memory fails now and then. An instruction
 * that fails has changed nothing, and one that ends has moved RIP behind itself. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/emulate/emulate.h"
#include "core/emulate/insn.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SEEDS = 8, ITERATIONS = 16 };

struct world {
    uint64_t seed;
    uint8_t fails; /* one access in so many, 0: none */
};

static void require(bool condition, const char *what)
{
    if (condition)
        return;
    fprintf(stderr, "%s\n", what);
    abort();
}

static uint64_t next(struct world *world)
{
    world->seed ^= world->seed << 13;
    world->seed ^= world->seed >> 7;
    world->seed ^= world->seed << 17;
    return world->seed;
}

static bool fails(struct world *world)
{
    return world->fails != 0 && next(world) % world->fails == 0;
}

static bool access_is_whole(unsigned size)
{
    return size == 1 || size == 2 || size == 4 || size == 8;
}

static bool read(void *ctx, uint64_t linear, unsigned size, enum emulate_access access,
                 uint64_t *value)
{
    (void)linear, (void)access;
    require(access_is_whole(size), "a read has a size");
    *value = next(ctx);
    return !fails(ctx);
}

static bool write(void *ctx, uint64_t linear, unsigned size, uint64_t value)
{
    (void)linear;
    require(access_is_whole(size) && (size == 8 || value >> size * 8 == 0), "a write has its size");
    return !fails(ctx);
}

static uint64_t segment_base(void *ctx, enum insn_segment segment)
{
    (void)segment;
    return next(ctx);
}

static uint16_t selector(void *ctx, enum insn_segment segment)
{
    require(segment <= INSN_GS, "a segment register is one");
    return (uint16_t)next(ctx);
}

static bool load_segment(void *ctx, enum insn_segment segment, uint16_t selector)
{
    (void)selector;
    require(segment <= INSN_GS && segment != INSN_CS, "MOV loads any segment register but CS");
    return !fails(ctx);
}

static void judge(const struct insn *insn, enum insn_mode mode, struct world *world)
{
    struct emulate_regs before, after;
    struct emulate_env env = {
        .mode = mode,
        .stack_size = mode == INSN_MODE_64 ? 8 : 4,
        .ctx = world,
        .read = read,
        .write = write,
        .segment_base = segment_base,
        .selector = selector,
        .load_segment = load_segment,
    };

    for (unsigned i = 0; i < sizeof(before.gpr) / sizeof(before.gpr[0]); i++)
        before.gpr[i] = next(world);
    before.rip = next(world) & (mode == INSN_MODE_64 ? UINT64_MAX : UINT32_MAX);
    before.rflags = next(world) & 0xcd5;
    after = before;
    switch (emulate(insn, &after, &env, ITERATIONS)) {
    case EMULATE_DONE:
        if (mode == INSN_MODE_64)
            require(after.rip == before.rip + insn->length, "RIP is behind it");
        else
            require(after.rip == (uint32_t)(before.rip + insn->length), "EIP is behind it");
        break;
    case EMULATE_FAULT:
        require(after.rip == before.rip && after.rflags == before.rflags, "a fault moves nothing");
        if (!insn->rep)
            require(memcmp(&after, &before, sizeof(after)) == 0, "and changes no register");
        break;
    case EMULATE_AGAIN:
        require(insn->rep && after.rip == before.rip, "only a repeated one goes on");
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct world world = {.seed = 1};
    struct insn insn;

    if (size < SEEDS + 1)
        return 0;
    memcpy(&world.seed, data, SEEDS);
    world.seed |= 1;
    world.fails = data[SEEDS] % 8;
    size -= SEEDS + 1;
    uint8_t *exact = malloc(size ? size : 1); /* so that a read behind it shows */
    memcpy(exact, data + SEEDS + 1, size);
    for (unsigned mode = INSN_MODE_16; mode <= INSN_MODE_64; mode++) {
        enum insn_result result = insn_decode(exact, size, (enum insn_mode)mode, &insn);
        require(result != INSN_TRUNCATED || size < INSN_MAX_LENGTH, "15 bytes are enough");
        if (result != INSN_OK)
            continue;
        require(insn.length >= 1 && insn.length <= size, "the length is inside");
        judge(&insn, (enum insn_mode)mode, &world);
    }
    free(exact);
    return 0;
}
