/* SPDX-License-Identifier: BSD-2-Clause */
// apic: yes
/* MOV to a segment register from a device: the local APIC's timer count holds the selector, and the
   same instruction on memory is the judge. Other modes are in pm_mmio.c, stores in
   absent_memory.c. */
#include "tests/guest/guest.h"

enum {
    VECTOR = 0x61,
    SEL_NOT_PRESENT = SEL_SPARE,
    SEL_FRESH = SEL_SPARE + 8,
    SEL_SYSTEM = SEL_SPARE + 16,
    SEL_EXECUTE_ONLY = SEL_SPARE + 24,
    SEL_BEYOND = 0xfff0,
    DESCRIPTOR_ACCESSED = 1, /* in the upper half's bits 15:8 */
};

#define FLAT          0x00cf920000000000ull /* data, not accessed */
#define PRESENT       0x0000800000000000ull
#define BASE          0x0000003400000000ull /* 340000h */
#define ACCESSED(sel) (gdt[(sel) / 8] >> 40 & DESCRIPTOR_ACCESSED)
#define LIMIT_4G      0x000f00000000ffffull

static const uintptr_t device = LAPIC_BASE + LAPIC_TIMER_INITIAL;
static uint32_t memory;
static uintptr_t taken_at;

static void put(uintptr_t at, uint32_t selector)
{
    mmio_write32(at, selector);
}

/* The fault, if any, and what the register holds afterwards. SS keeps what the handlers need. */
#define LOAD(name, selector)                                                                       \
    do {                                                                                           \
        struct fault faults[2];                                                                    \
        unsigned seen[2];                                                                          \
        for (unsigned i = 0; i < 2; i++) {                                                         \
            uintptr_t at = i ? device : (uintptr_t)&memory;                                        \
            put(at, selector);                                                                     \
            asm volatile("mov %0, %%" name : : "r"(SEL_DATA));                                     \
            faults[i] = TRY("movw (%0), %%" name, : : "r"(at) : "memory");                         \
            asm volatile("mov %%" name ", %0" : "=r"(seen[i]));                                    \
            asm volatile("mov %0, %%" name : : "r"(SEL_DATA));                                     \
        }                                                                                          \
        is_u64(seen[1], seen[0], "%s, %x: the selector", name, selector);                          \
        is_fault(faults[1], faults[0].vector, faults[0].error, "%s, %x: fault", name, selector);   \
    } while (0)

#define LOAD_DATA(selector)                                                                        \
    do {                                                                                           \
        LOAD("es", selector);                                                                      \
        LOAD("ds", selector);                                                                      \
        LOAD("fs", selector);                                                                      \
        LOAD("gs", selector);                                                                      \
    } while (0)

static void data_segments(void)
{
    LOAD_DATA(SEL_USER_DATA);
    LOAD_DATA(0);
    LOAD_DATA(3);
    LOAD_DATA(SEL_CODE);
    LOAD_DATA(SEL_EXECUTE_ONLY);
    LOAD_DATA(SEL_NOT_PRESENT);
    LOAD_DATA(SEL_SYSTEM);
    LOAD_DATA(SEL_DATA | 3);
    LOAD_DATA(SEL_BEYOND);
    LOAD_DATA(SEL_DATA | 4); /* there is no LDT */
}

static void stack_segment(void)
{
    LOAD("ss", SEL_DATA16);
    LOAD("ss", 0);
    LOAD("ss", 3);
    LOAD("ss", SEL_USER_DATA);
    LOAD("ss", SEL_CODE);
    LOAD("ss", SEL_NOT_PRESENT);
    LOAD("ss", SEL_BEYOND);
}

static void what_is_loaded(void)
{
    uint64_t base = rdmsr(MSR_FS_BASE);

    gdt[SEL_FRESH / 8] = FLAT | PRESENT | LIMIT_4G | BASE;
    put(device, SEL_FRESH);
    asm volatile("movw (%0), %%fs" : : "r"(device) : "memory");
    is_u64(ACCESSED(SEL_FRESH), 1, "the descriptor is marked as accessed");
    is_u64(rdmsr(MSR_FS_BASE), 0x340000, "the base is the descriptor's");
    asm volatile("mov %0, %%fs" : : "r"(0));
    wrmsr(MSR_FS_BASE, base);
}

static void on_interrupt(struct trap_frame *frame)
{
    taken_at = frame->ip;
    lapic_eoi();
}

/* STI holds interrupts back for one instruction, which here is one that does so itself. */
static void holds_interrupts_back(void)
{
    uintptr_t behind;

    set_handler(VECTOR, on_interrupt);
    put(device, SEL_DATA);
    self_ipi(VECTOR);
    asm volatile("sti; movw (%1), %%ss; nop; 1: nop; cli; lea 1b(%%rip), %0"
                 : "=r"(behind)
                 : "r"(device)
                 : "memory");
    is_u64(taken_at, behind, "an interrupt waits for the instruction behind MOV SS");
}

void test_main(void)
{
    gdt[SEL_NOT_PRESENT / 8] = FLAT | LIMIT_4G;
    gdt[SEL_SYSTEM / 8] = 0x0000820000000067ull; /* an LDT's */
    gdt[SEL_EXECUTE_ONLY / 8] = 0x00af990000000000ull | LIMIT_4G;
    lapic_enable();
    lapic_write(LAPIC_LVT_TIMER, LVT_MASKED);
    data_segments();
    stack_segment();
    what_is_loaded();
    holds_interrupts_back();
}
