/* SPDX-License-Identifier: BSD-2-Clause */
// apic: yes
/* Instructions that read, write and modify a device register in memory: the local APIC's timer
   count, a plain 32-bit register while the timer is masked. */
#include "tests/guest/guest.h"

enum {
    FLAGS_STATUS = 0x8d5, /* OF, SF, ZF, AF, PF, CF */
};

static const uintptr_t device = LAPIC_BASE + LAPIC_TIMER_INITIAL;
static uint32_t memory;

struct outcome {
    uint64_t a;
    uint32_t target;
    unsigned long flags;
};

/* One instruction with its memory operand at (%rdi), on the device and on memory: memory is the
   judge. */
#define COMPARE(instruction, first, operand)                                                       \
    do {                                                                                           \
        struct outcome seen[2];                                                                    \
        for (unsigned i = 0; i < 2; i++) {                                                         \
            uintptr_t at = i ? device : (uintptr_t)&memory;                                        \
            mmio_write32(at, first);                                                               \
            seen[i].a = operand;                                                                   \
            asm volatile("push $0x202; popf; cli; " instruction "; pushf; pop %1"                  \
                         : "+a"(seen[i].a), "=r"(seen[i].flags), "+D"(at)                          \
                         : "c"(0x12345678), "d"(5), "S"(&memory)                                   \
                         : "memory", "cc");                                                        \
            seen[i].target = mmio_read32(i ? device : (uintptr_t)&memory);                         \
        }                                                                                          \
        is_u64(seen[1].target, seen[0].target, "%s: the device", instruction);                     \
        is_u64(seen[1].a, seen[0].a, "%s: RAX", instruction);                                      \
        is_u64(seen[1].flags &FLAGS_STATUS, seen[0].flags &FLAGS_STATUS, "%s: flags",              \
               instruction);                                                                       \
    } while (0)

static void moves(void)
{
    COMPARE("movl %%ecx, (%%rdi)", 0, 0);
    COMPARE("movl $0x87654321, (%%rdi)", 0, 0);
    COMPARE("movl (%%rdi), %%eax", 0x8badf00d, ~0ull);
    COMPARE("movslq (%%rdi), %%rax", 0x8badf00d, 0);
    COMPARE("stosl", 0x11111111, 0x55667788);
    COMPARE("xchgl %%eax, (%%rdi)", 0x11112222, 0xffffffff33334444);
}

static void arithmetic(void)
{
    COMPARE("addl %%ecx, (%%rdi)", 0xf0000000, 0);
    COMPARE("addl (%%rdi), %%eax", 0xf0000000, 0x10000000);
    COMPARE("orl $0x80, (%%rdi)", 0x1000, 0);
    COMPARE("orl (%%rdi), %%eax", 0x1000, 0xff);
    COMPARE("stc; adcl %%ecx, (%%rdi)", 0xffffffff, 0);
    COMPARE("stc; sbbl $1, (%%rdi)", 1, 0);
    COMPARE("andl $0xff00ff, (%%rdi)", 0x12345678, 0);
    COMPARE("andl (%%rdi), %%eax", 0x12345678, 0xffff);
    COMPARE("subl %%ecx, (%%rdi)", 0x12345678, 0);
    COMPARE("subl (%%rdi), %%eax", 5, 3);
    COMPARE("xorl %%ecx, (%%rdi)", 0xffffffff, 0);
    COMPARE("cmpl %%ecx, (%%rdi)", 0x12345678, 0);
    COMPARE("cmpl (%%rdi), %%eax", 0x12345678, 7);
    COMPARE("testl %%ecx, (%%rdi)", 0x80000000, 0);
    COMPARE("testl $0x80000000, (%%rdi)", 0x80000000, 0);
    COMPARE("incl (%%rdi)", 0x7fffffff, 0);
    COMPARE("decl (%%rdi)", 0x80000000, 0);
    COMPARE("notl (%%rdi)", 0x12345678, 0);
    COMPARE("negl (%%rdi)", 0x12345678, 0);
}

static void locked(void)
{
    COMPARE("lock; orl %%ecx, (%%rdi)", 0x1000, 0);
    COMPARE("lock; xaddl %%eax, (%%rdi)", 0x1000, 0x234);
    COMPARE("lock; cmpxchgl %%ecx, (%%rdi)", 0x1000, 0x1000);
    COMPARE("lock; cmpxchgl %%ecx, (%%rdi)", 0x1000, 0x1001);
}

static void bits(void)
{
    COMPARE("btl $5, (%%rdi)", 0x20, 0);
    COMPARE("btsl %%edx, (%%rdi)", 0, 0);
    COMPARE("btrl $5, (%%rdi)", 0xff, 0);
    COMPARE("btcl %%edx, (%%rdi)", 0xff, 0);
}

static void strings(void)
{
    uint64_t from = device, to = (uintptr_t)&memory;
    mmio_write32(device, 0xabcdef01);
    memory = 0;
    asm volatile("movsl" : "+S"(from), "+D"(to) : : "memory");
    is_u64(memory, 0xabcdef01, "MOVSD from the device");
    memory = 0x10203040;
    from = (uintptr_t)&memory, to = device;
    asm volatile("movsl" : "+S"(from), "+D"(to) : : "memory");
    is_u64(mmio_read32(device), 0x10203040, "MOVSD to the device");
    is_u64(to, device + 4, "and RDI is behind it");
}

static void addressing(void)
{
    mmio_write32(LAPIC_BASE + LAPIC_TIMER_INITIAL, 0x00345678);
    uint32_t high;
    asm volatile("mov %1, %%rcx; movl (%%rcx), %0" : "=r"(high) : "r"(device) : "rcx");
    is_u64(high, 0x00345678, "through RCX");
    asm volatile("mov %1, %%r13; movl (%%r13), %0" : "=r"(high) : "r"(device) : "r13");
    is_u64(high, 0x00345678, "through R13, which needs a displacement");
    asm volatile("mov %1, %%r12; movl (%%r12), %0" : "=r"(high) : "r"(device) : "r12");
    is_u64(high, 0x00345678, "through R12, which needs a SIB byte");
    asm volatile("mov %1, %%r15; movl (%%r15), %%r14d; mov %%r14d, %0"
                 : "=r"(high)
                 : "r"(device)
                 : "r14", "r15");
    is_u64(high, 0x00345678, "into R14D");
    asm volatile("addr32 movl 0x380(%k1), %0" : "=r"(high) : "r"(LAPIC_BASE));
    is_u64(high, 0x00345678, "with a 32-bit address");
}

void test_main(void)
{
    lapic_write(LAPIC_TIMER_DIVIDE, 0xa);
    lapic_write(LAPIC_LVT_TIMER, LVT_MASKED);
    moves();
    arithmetic();
    locked();
    bits();
    strings();
    addressing();
    lapic_timer_stop();
}
