/* SPDX-License-Identifier: BSD-2-Clause */
// apic: yes
/* The instructions that reach a device, in each mode of a 32-bit processor: the local APIC's timer
   count is a plain 32-bit register while the timer is masked, and memory is the judge. Long mode is
   in mmio_forms.c, compatibility mode in compat_mode.c. */
#include "tests/guest/guest.h"

enum {
    FLAGS_STATUS = 0x8d5, /* OF, SF, ZF, AF, PF, CF */
    LARGE_PRESENT = PAGE_LARGE | PAGE_WRITE | PAGE_PRESENT,
};

#define CODE_16_FLAT 0x008f9b000000ffffull /* 16 bits, 4 GiB */

static const uintptr_t device = LAPIC_BASE + LAPIC_TIMER_INITIAL;
static uint32_t memory, other;
static const char *mode;

static uint32_t directory[1024] __attribute__((aligned(4096)));
static uint64_t pae_directories[4][512] __attribute__((aligned(4096)));
static uint64_t pae_pointers[4] __attribute__((aligned(32)));

struct outcome {
    uint32_t a, target, other, flags;
};

/* What surrounds an instruction so that it runs in the mode: nothing; a trip to a 16-bit segment;
   in it, also out of protected mode. The assembler then makes 16-bit code of it. */
#define FLAT_32(instruction) instruction
#define CODE_16(instruction)                                                                       \
    "ljmp $0x50, $771f; .code16; 771: " instruction "; ljmpl $0x08, $772f; .code32; 772:"
#define REAL_16(instruction)                                                                       \
    CODE_16("pushl %%eax; movl %%cr0, %%eax; andb $0xfe, %%al; movl %%eax, %%cr0; popl %%eax; "    \
            "" instruction "; pushfl; pushl %%eax; movl %%cr0, %%eax; orb $1, %%al; "              \
            "movl %%eax, %%cr0; popl %%eax; popfl")

/* One instruction with its memory operand at (%edi), on the device and on memory. */
#define COMPARE(WRAP, instruction, first, operand)                                                 \
    do {                                                                                           \
        struct outcome seen[2];                                                                    \
        for (unsigned i = 0; i < 2; i++) {                                                         \
            uintptr_t at = i ? device : (uintptr_t)&memory, from = (uintptr_t)&other;              \
            mmio_write32(at, first);                                                               \
            other = 0x0badcafe;                                                                    \
            seen[i].a = operand;                                                                   \
            uint32_t count = 1;                                                                    \
            asm volatile("push $0x2; popf; " WRAP(instruction) "; pushf; pop %1"                   \
                         : "+a"(seen[i].a), "=b"(seen[i].flags), "+D"(at), "+S"(from), "+c"(count) \
                         : "d"(5)                                                                  \
                         : "memory", "cc");                                                        \
            seen[i].target = mmio_read32(i ? device : (uintptr_t)&memory);                         \
            seen[i].other = other;                                                                 \
        }                                                                                          \
        ok(seen[0].target == seen[1].target && seen[0].a == seen[1].a &&                           \
               seen[0].other == seen[1].other &&                                                   \
               ((seen[0].flags ^ seen[1].flags) & FLAGS_STATUS) == 0,                              \
           "%s: %s # device %x, memory %x", mode, instruction, seen[1].target, seen[0].target);    \
    } while (0)

#define FORMS(name, WRAP)                                                                          \
    static void name(void)                                                                         \
    {                                                                                              \
        COMPARE(WRAP, "movl %%edx, (%%edi)", 0, 0);                                                \
        COMPARE(WRAP, "movl $0x87654321, (%%edi)", 0, 0);                                          \
        COMPARE(WRAP, "movl (%%edi), %%eax", 0x8badf00d, 0);                                       \
        COMPARE(WRAP, "movb 1(%%edi), %%ah", 0x12345678, 0);                                       \
        COMPARE(WRAP, "movw 2(%%edi), %%ax", 0x12345678, ~0u);                                     \
        COMPARE(WRAP, "movl -8(%%edi,%%edx,2), %%eax; movl %%eax, 0(%%edi)", 5, 0);                \
        COMPARE(WRAP, "movzbl (%%edi), %%eax", 0xff, 0);                                           \
        COMPARE(WRAP, "movzwl 2(%%edi), %%eax", 0xfedc0000, ~0u);                                  \
        COMPARE(WRAP, "movsbl (%%edi), %%eax", 0x80, 0);                                           \
        COMPARE(WRAP, "movswl (%%edi), %%eax", 0x8000, 0);                                         \
        COMPARE(WRAP, "movsbw (%%edi), %%ax", 0x80, 0x11110000);                                   \
        COMPARE(WRAP, "movw (%%edi), %%fs; movl %%fs, %%eax", SEL_DATA, 0);                        \
        COMPARE(WRAP, "movw (%%edi), %%fs; movl %%fs:-256(%%esi), %%eax", SEL_DATA, 0);            \
        COMPARE(WRAP, "andl $0xff00ff, (%%edi)", 0x12345678, 0);                                   \
        COMPARE(WRAP, "orl (%%edi), %%eax", 0x1000, 0xff);                                         \
        COMPARE(WRAP, "xorl %%edx, (%%edi)", 0xffffffff, 0);                                       \
        COMPARE(WRAP, "addl %%edx, (%%edi)", 0xfffffffe, 0);                                       \
        COMPARE(WRAP, "subl (%%edi), %%eax", 5, 3);                                                \
        COMPARE(WRAP, "cmpl %%edx, (%%edi)", 6, 0);                                                \
        COMPARE(WRAP, "cmpw $-1, (%%edi)", 0x1ffff, 0);                                            \
        COMPARE(WRAP, "testl %%edx, (%%edi)", 2, 0);                                               \
        COMPARE(WRAP, "testl $0x80000000, (%%edi)", 0x80000000, 0);                                \
        COMPARE(WRAP, "stc; adcl %%edx, (%%edi)", 0xfffffffa, 0);                                  \
        COMPARE(WRAP, "incl (%%edi)", 0x7fffffff, 0);                                              \
        COMPARE(WRAP, "negl (%%edi)", 0x12345678, 0);                                              \
        COMPARE(WRAP, "btl $5, (%%edi)", 0x20, 0);                                                 \
        COMPARE(WRAP, "btsl %%edx, (%%edi)", 0, 0);                                                \
        COMPARE(WRAP, "lock btrl $5, (%%edi)", 0xff, 0);                                           \
        COMPARE(WRAP, "btcl %%edx, (%%edi)", 0xff, 0);                                             \
        COMPARE(WRAP, "xchgl %%eax, (%%edi)", 0x11112222, 0x33334444);                             \
        COMPARE(WRAP, "lock cmpxchgl %%edx, (%%edi)", 7, 7);                                       \
        COMPARE(WRAP, "pushl (%%edi); popl %%eax", 0x12345678, 0);                                 \
        COMPARE(WRAP, "pushl %%edx; popl (%%edi)", 0, 0);                                          \
        COMPARE(WRAP, "rep stosl %%eax, (%%edi)", 0x11111111, 0x55667788);                         \
        COMPARE(WRAP, "movsl (%%esi), (%%edi)", 0, 0);                                             \
        COMPARE(WRAP, "movl %%edi, %%esi; rep lodsl (%%esi), %%eax", 0x13572468, 0);               \
        COMPARE(WRAP, "xchgl %%esi, %%edi; rep movsl (%%esi), (%%edi)", 0x13572468, 0);            \
    }

FORMS(forms_32, FLAT_32)
FORMS(forms_16, CODE_16)
FORMS(forms_real, REAL_16)

static void set_paging(unsigned long cr3, unsigned long cr4)
{
    write_cr4(cr4);
    write_cr3(cr3);
    write_cr0(read_cr0() | CR0_PG);
}

static void paging_off(void)
{
    write_cr0(read_cr0() & ~(unsigned long)CR0_PG);
}

/* 4 MiB and 2 MiB pages, each at its own address. */
static void make_tables(void)
{
    for (uint32_t i = 0; i < 1024; i++)
        directory[i] = i << 22 | LARGE_PRESENT;
    for (uint64_t i = 0; i < 4 * 512; i++)
        pae_directories[i / 512][i % 512] = i << 21 | LARGE_PRESENT;
    for (unsigned i = 0; i < 4; i++)
        pae_pointers[i] = (uintptr_t)pae_directories[i] | PAGE_PRESENT;
}

void test_main(void)
{
    unsigned long cr4 = read_cr4();

    gdt[SEL_SPARE / 8] = CODE_16_FLAT;
    make_tables();
    lapic_enable();
    lapic_write(LAPIC_LVT_TIMER, LVT_MASKED);
    mode = "protected mode";
    forms_32();
    mode = "16-bit protected mode";
    forms_16();
    mode = "real mode";
    forms_real();
    mode = "32-bit paging";
    set_paging((uintptr_t)directory, cr4 | CR4_PSE);
    forms_32();
    mode = "32-bit paging, 16-bit code";
    forms_16();
    paging_off();
    mode = "PAE paging";
    set_paging((uintptr_t)pae_pointers, cr4 | CR4_PAE);
    forms_32();
    mode = "PAE paging, 16-bit code";
    forms_16();
    paging_off();
    write_cr4(cr4);
}
