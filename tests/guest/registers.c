/* SPDX-License-Identifier: BSD-2-Clause */
/* All general registers, RFLAGS, and all of XSAVE's state survive every kind of exit; only what the
   instruction itself changes is different. */
#include "tests/guest/guest.h"

enum {
    RAX,
    RCX,
    RDX,
    RBX,
    RSP,
    RBP,
    RSI,
    RDI,
    R8,
    R9,
    R11 = R8 + 3,
    R13 = R8 + 5,
    R14,
    RFLAGS = 16,
    STATE_WORDS,

    VECTOR = 0x50,
    PORT = 0xea,
    FLAGS_PATTERN = 0x8d7, /* OF, SF, ZF, AF, PF, CF and the fixed bit */
    LEGACY_END = 416,      /* bytes behind it in the legacy area are not saved */
    MXCSR_MASK = 28,
    XSTATE_BV = 512,
    HEADER_END = 576,
};

extern uint64_t registers_before[STATE_WORDS], registers_after[STATE_WORDS], xstate_mask;
extern uint8_t vectors_before[4096], vectors_after[4096];

#define OPERATION(name) void across_##name(void);
OPERATION(cpuid)
OPERATION(in)
OPERATION(out)
OPERATION(rdmsr)
OPERATION(wrmsr)
OPERATION(hlt)
OPERATION(mmio_read)
OPERATION(mmio_write)
OPERATION(cr4)
OPERATION(cr0)
OPERATION(wbinvd)
OPERATION(xsetbv)
OPERATION(rep_outs)
OPERATION(interrupt)

static void put_u16(unsigned offset, uint16_t value)
{
    memcpy(vectors_before + offset, &value, sizeof(value));
}

/* A state that differs in every byte from the initial one, and is legal. */
static void fill(unsigned seed)
{
    for (unsigned i = 0; i < STATE_WORDS; i++)
        registers_before[i] = 0x1111111111111111u * (i + 1) + seed;
    registers_before[RFLAGS] = FLAGS_PATTERN;
    for (unsigned i = 0; i < sizeof(vectors_before); i++)
        vectors_before[i] = (uint8_t)(i * 13 + (i >> 8) * 7 + seed);
    memset(vectors_before + XSTATE_BV, 0, HEADER_END - XSTATE_BV);
    memcpy(vectors_before + XSTATE_BV, &xstate_mask, sizeof(xstate_mask));
    put_u16(0, 0x0a7f);       /* FCW: round up, all masked */
    put_u16(2, 0x3800);       /* FSW: top 7 */
    vectors_before[4] = 0xff; /* FTW: all in use */
    vectors_before[5] = 0;
    put_u16(24, 0x5fc1); /* MXCSR: round up, some flags */
    put_u16(26, 0);
    for (unsigned i = 32; i < 160; i += 16) /* above the 80 bits of ST(n) */
        memset(vectors_before + i + 10, 0, 6);
    memset(vectors_before + 6, 0, 18); /* FOP, FIP, FDP: some processors do not keep them */
}

static unsigned differing_bytes(unsigned from, unsigned to)
{
    unsigned count = 0;
    for (unsigned i = from; i < to; i++)
        count += vectors_before[i] != vectors_after[i];
    return count;
}

static void check_vectors(const char *name)
{
    memcpy(vectors_after + MXCSR_MASK, vectors_before + MXCSR_MASK, 4);
    is_u64(differing_bytes(0, LEGACY_END), 0, "%s: x87 and SSE state", name);
    for (unsigned component = 2; component < 10; component++) {
        if (!(xstate_mask >> component & 1))
            continue;
        struct cpuid leaf = cpuid(0xd, component);
        is_u64(differing_bytes(leaf.ebx, leaf.ebx + leaf.eax), 0, "%s: XSAVE component %u", name,
               component);
    }
}

/* `changed` has a bit for each register that the instruction may change. */
static void check(const char *name, void (*operation)(void), unsigned changed)
{
    operation();
    unsigned wrong = 0;
    for (unsigned i = 0; i < STATE_WORDS; i++)
        if (!(changed >> i & 1) && registers_after[i] != registers_before[i])
            wrong |= 1u << i;
    is_u64(wrong, 0, "%s: general registers and flags, as bits", name);
    check_vectors(name);
}

#define CHECK(name, changed) check(#name, across_##name, changed)

static void on_timer(struct trap_frame *frame)
{
    count_trap(frame);
    lapic_eoi();
}

static void start_timer(void)
{
    trap_count[VECTOR] = 0;
    lapic_timer_start(VECTOR, 300);
}

static void with_operands(uint64_t rax, uint64_t rcx, uint64_t rdx)
{
    static unsigned seed;
    fill(seed += 3);
    registers_before[RAX] = rax;
    registers_before[RCX] = rcx;
    registers_before[RDX] = rdx;
}

static void all_exits(void)
{
    uint64_t pat = rdmsr(MSR_PAT);
    with_operands(0, 0, 1);
    CHECK(cpuid, 1 << RAX | 1 << RCX | 1 << RDX | 1 << RBX);
    with_operands(0x55, 1, PORT);
    CHECK(in, 1 << RAX);
    with_operands(0x55, 1, PORT);
    CHECK(out, 0);
    with_operands(1, MSR_APIC_BASE, 2);
    CHECK(rdmsr, 1 << RAX | 1 << RDX);
    with_operands((uint32_t)pat, MSR_PAT, pat >> 32);
    CHECK(wrmsr, 0);
    with_operands(1, 2, 3);
    registers_before[R9] = LAPIC_BASE;
    CHECK(mmio_read, 1 << R11);
    with_operands(1, 2, 3);
    registers_before[R9] = LAPIC_BASE;
    CHECK(mmio_write, 0);
    with_operands(1, 2, 3);
    registers_before[R13] = read_cr4();
    CHECK(cr4, 0);
    with_operands(1, 2, 3);
    registers_before[R14] = read_cr0();
    CHECK(cr0, 0);
    with_operands(1, 2, 3);
    CHECK(wbinvd, 0);
    with_operands(xstate_mask, 0, 0);
    CHECK(xsetbv, 0);
    with_operands(1, 5, PORT);
    registers_before[RSI] = (uintptr_t)vectors_before;
    CHECK(rep_outs, 1 << RCX | 1 << RSI);
    is_u64(registers_after[RSI], (uintptr_t)vectors_before + 5, "rep_outs: RSI");

    with_operands(1, 2, 3);
    registers_before[RFLAGS] |= FLAGS_IF;
    start_timer();
    CHECK(hlt, 0);
    for (unsigned i = 0; i < 5; i++) {
        with_operands(1, 2, 3);
        registers_before[RFLAGS] |= FLAGS_IF;
        start_timer();
        CHECK(interrupt, 1 << RFLAGS);
    }
}

void test_main(void)
{
    struct cpuid leaf = cpuid(0xd, 0);
    xstate_mask = xgetbv(0);
    printf("# XCR0 0x%llx, area of %u bytes\n", (unsigned long long)xstate_mask, leaf.ebx);
    if (leaf.ebx > sizeof(vectors_before))
        bail_out("the XSAVE area is larger than this test");
    set_handler(VECTOR, on_timer);
    lapic_enable();
    lapic_ticks_per_ms();
    all_exits();
}
