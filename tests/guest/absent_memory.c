/* SPDX-License-Identifier: BSD-2-Clause */
/* Physical addresses with nothing behind them read as all-ones and forget what is written, with
   every form of access a guest may use to probe. */
#include "tests/guest/guest.h"

enum {
    FLAGS_ZF = 1 << 6,
    FLAGS_SF = 1 << 7,
};

/* The guest has 64 MiB. */
#define ABSENT 0x10000000ul

static uint8_t buffer[64];
static uint8_t window[PAGE_SIZE] __attribute__((aligned(4096)));

static void loads(void)
{
    uint64_t a = 0x1122334455667788;
    asm volatile("movb (%1), %b0" : "+a"(a) : "r"(ABSENT));
    is_u64(a, 0x11223344556677ff, "MOV r8 changes the low byte only");
    a = 0x1122334455667788;
    asm volatile("movb (%1), %%ah" : "+a"(a) : "r"(ABSENT));
    is_u64(a, 0x112233445566ff88, "MOV AH changes the second byte only");
    asm volatile("movw (%1), %w0" : "+a"(a) : "r"(ABSENT));
    is_u64(a, 0x112233445566ffff, "MOV r16 changes the low half only");
    asm volatile("movl (%1), %k0" : "+a"(a) : "r"(ABSENT));
    is_u64(a, 0xffffffff, "MOV r32 clears the upper half");
    a = 0;
    asm volatile("movq (%1), %0" : "+a"(a) : "r"(ABSENT));
    is_u64(a, UINT64_MAX, "MOV r64");
    asm volatile("movzbl (%1), %k0" : "+a"(a) : "r"(ABSENT));
    is_u64(a, 0xff, "MOVZX from a byte");
    asm volatile("movzwq (%1), %0" : "+a"(a) : "r"(ABSENT));
    is_u64(a, 0xffff, "MOVZX from a word");
    asm volatile("movsbq (%1), %0" : "+a"(a) : "r"(ABSENT));
    is_u64(a, UINT64_MAX, "MOVSX from a byte");
    asm volatile("movswl (%1), %k0" : "+a"(a) : "r"(ABSENT));
    is_u64(a, 0xffffffff, "MOVSX from a word to 32 bits");
    a = 0;
    asm volatile("movslq (%1), %0" : "+a"(a) : "r"(ABSENT));
    is_u64(a, UINT64_MAX, "MOVSXD");
    asm volatile("movabs 0x10000000, %0" : "+a"(a));
    is_u64(a, UINT64_MAX, "MOV RAX from an absolute address");
}

static void stores(void)
{
    is_no_fault(TRY("movb $0, (%0)", : : "r"(ABSENT) : "memory"), "MOV m8, imm");
    is_no_fault(TRY("movw $0, (%0)", : : "r"(ABSENT) : "memory"), "MOV m16, imm");
    is_no_fault(TRY("movl $0, (%0)", : : "r"(ABSENT) : "memory"), "MOV m32, imm");
    is_no_fault(TRY("movq $0, (%0)", : : "r"(ABSENT) : "memory"), "MOV m64, imm");
    is_no_fault(TRY("movw %%ss, (%0)", : : "r"(ABSENT) : "memory"), "MOV m16, SS");
    is_no_fault(TRY("movb %b1, (%0)", : : "r"(ABSENT), "r"(0) : "memory"), "MOV m8, r");
    is_no_fault(TRY("movw %w1, (%0)", : : "r"(ABSENT), "r"(0) : "memory"), "MOV m16, r");
    is_no_fault(TRY("movl %k1, (%0)", : : "r"(ABSENT), "r"(0) : "memory"), "MOV m32, r");
    is_no_fault(TRY("movq %q1, (%0)", : : "r"(ABSENT), "r"(0ul) : "memory"), "MOV m64, r");
    is_u64(mmio_read32(ABSENT), 0xffffffff, "nothing of it was kept");
}

static void strings(void)
{
    uint64_t from = ABSENT, to = (uintptr_t)buffer, count = 8;
    memset(buffer, 0, sizeof(buffer));
    asm volatile("rep movsl" : "+S"(from), "+D"(to), "+c"(count) : : "memory");
    unsigned ones = 0;
    for (unsigned i = 0; i < sizeof(buffer); i++)
        ones += buffer[i] == 0xff;
    is_u64(ones, 32, "REP MOVSD from absent memory");
    is_u64(from, ABSENT + 32, "moves RSI");
    is_u64(to, (uintptr_t)buffer + 32, "and RDI");
    is_u64(count, 0, "and ends with RCX 0");
    from = (uintptr_t)buffer, to = ABSENT, count = 16;
    asm volatile("rep movsb" : "+S"(from), "+D"(to), "+c"(count) : : "memory");
    is_u64(to, ABSENT + 16, "REP MOVSB to absent memory");
    to = ABSENT, count = 4;
    asm volatile("rep stosq" : "+D"(to), "+c"(count) : "a"(0ul) : "memory");
    is_u64(to, ABSENT + 32, "REP STOSQ to absent memory");
    from = ABSENT;
    uint64_t a = 0;
    asm volatile("lodsl" : "+S"(from), "+a"(a));
    is_u64(a, 0xffffffff, "LODSD from absent memory");
}

/* The flags are those of an operand of all ones. */
static void arithmetic(void)
{
    unsigned long flags, a = 1;
    asm volatile("cmpl $-1, (%1); pushf; pop %0" : "=r"(flags) : "r"(ABSENT) : "memory", "cc");
    is_u64(flags & FLAGS_ZF, FLAGS_ZF, "CMP with all-ones is equal");
    asm volatile("testl %k2, (%1); pushf; pop %0"
                 : "=r"(flags)
                 : "r"(ABSENT), "r"(0x80000000)
                 : "memory", "cc");
    is_u64(flags & (FLAGS_ZF | FLAGS_SF), FLAGS_SF, "TEST of the sign bit");
    asm volatile("addl (%1), %k0" : "+a"(a) : "r"(ABSENT) : "memory", "cc");
    is_u64(a, 0, "ADD of all-ones to 1");
    asm volatile("orl $1, (%1); pushf; pop %0" : "=r"(flags) : "r"(ABSENT) : "memory", "cc");
    is_u64(flags & FLAGS_SF, FLAGS_SF, "OR to absent memory");
    a = 5;
    asm volatile("xchgl %k0, (%1)" : "+a"(a) : "r"(ABSENT) : "memory");
    is_u64(a, 0xffffffff, "XCHG with absent memory");
}

static void addressing(void)
{
    uint64_t a = 0, index = 0x1000;
    asm volatile("movl 0x40(%1,%2,8), %k0" : "+a"(a) : "r"(ABSENT), "r"(index));
    is_u64(a, 0xffffffff, "base, scaled index and displacement");
    a = 0;
    wrmsr(MSR_FS_BASE, ABSENT);
    asm volatile("movl %%fs:0x10, %k0" : "+a"(a));
    wrmsr(MSR_FS_BASE, 0);
    is_u64(a, 0xffffffff, "a segment base");
    a = 0;
    asm volatile("mov %%rsp, %%rcx; mov %1, %%rsp; movl (%%rsp), %k0; mov %%rcx, %%rsp"
                 : "+a"(a)
                 : "r"(ABSENT)
                 : "rcx");
    is_u64(a, 0xffffffff, "RSP as the base");
    a = 0;
    uint64_t *entry = page_entry((uintptr_t)window), old = *entry;
    map_page((uintptr_t)window, 0x800000000 | PAGE_PRESENT | PAGE_WRITE);
    a = mmio_read32((uintptr_t)window);
    map_page((uintptr_t)window, old);
    is_u64(a, 0xffffffff, "beyond 4 GiB");
    uint32_t across = 0;
    asm volatile("movl (%1), %0" : "=r"(across) : "r"(ABSENT + PAGE_SIZE - 2));
    is_u64(across, 0xffffffff, "across a page boundary");
}

void test_main(void)
{
    loads();
    stores();
    strings();
    arithmetic();
    addressing();
}
