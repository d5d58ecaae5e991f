/* SPDX-License-Identifier: BSD-2-Clause */
// variant: intercepted intercept_exceptions=on
/* Exceptions that the guest raises reach the guest, with the error code and address of the SDM
   (Vol 3A, "Interrupt and Exception Handling"). */
#include "tests/guest/guest.h"

enum {
    ERROR_IDT = 1 << 1, /* selector error codes: the index is a vector */
    PF_PRESENT = 1 << 0,
    PF_WRITE = 1 << 1,
    PF_USER = 1 << 2,
    PF_RESERVED = 1 << 3,
    PF_FETCH = 1 << 4,
    GATE_INTERRUPT = 0x8e,
    GATE_ABSENT = 0x0e,
    SOFT_VECTOR = 0x60,
    DATA_ABSENT = SEL_SPARE,
    BEYOND_GDT = 0x1000,
};

static const uintptr_t non_canonical = 1ul << 47;

static uint8_t page[PAGE_SIZE] __attribute__((aligned(4096)));

static void arithmetic(void)
{
    is_fault(TRY("div %0", : : "r"(0), "a"(1), "d"(0)), DE, 0, "division by zero");
    is_fault(TRY("idiv %0", : : "r"(-1), "a"(0x80000000), "d"(-1)), DE, 0, "a quotient too large");
    is_fault(TRY("ud2", :), UD, 0, "UD2");
    is_fault(TRY(".byte 0x06", :), UD, 0, "PUSH ES, which long mode does not have");
}

static void traps(void)
{
    struct fault fault = TRY("int3", :);
    is_fault(fault, BP, 0, "INT3");
    is_u64(fault.offset, 1, "INT3 returns behind itself");
    fault = TRY(".byte 0xf1", :);
    is_fault(fault, DB, 0, "INT1");
    is_u64(fault.offset, 1, "INT1 returns behind itself");
    fault = TRY("int $4", :);
    is_fault(fault, OF, 0, "INT 4");
    is_u64(fault.offset, 2, "INT n returns behind itself");
    fault = TRY("int $0x60", :);
    is_fault(fault, SOFT_VECTOR, 0, "INT 0x60");
    is_u64(fault.offset, 2, "INT n returns behind itself");
}

static void segments(void)
{
    gdt[SEL_SPARE / 8] = 0x00cf13000000ffff; /* data, not present */
    is_fault(TRY("mov %0, %%fs", : : "r"(DATA_ABSENT)), NP, DATA_ABSENT, "an absent segment");
    is_fault(TRY("mov %0, %%ss", : : "r"(DATA_ABSENT)), SS, DATA_ABSENT, "an absent stack");
    is_fault(TRY("mov %0, %%fs", : : "r"(BEYOND_GDT)), GP, BEYOND_GDT, "a selector beyond the GDT");
    is_fault(TRY("mov %0, %%ss", : : "r"(SEL_CODE)), GP, SEL_CODE, "code as a stack");
    is_fault(TRY("mov %0, %%fs", : : "r"(BEYOND_GDT | 4)), GP, BEYOND_GDT | 4, "no LDT");
}

static void addresses(void)
{
    is_fault(TRY("movb (%0), %%al",
                 :
                 : "r"(non_canonical)
                 : "eax"),
             GP, 0, "a non-canonical address");
    /* RBP as the base selects the stack segment; it is restored behind the tried instruction. */
    uintptr_t saved;
    asm volatile("mov %%rbp, %0; mov %1, %%rbp" : "=&r"(saved) : "r"(non_canonical));
    struct fault fault = TRY("movb (%%rbp), %%al", : : : "eax");
    asm volatile("mov %0, %%rbp" : : "r"(saved));
    is_fault(fault, SS, 0, "a non-canonical address in the stack segment");
}

static void gates(void)
{
    uint64_t old[2] = {idt[2 * SOFT_VECTOR], idt[2 * SOFT_VECTOR + 1]};
    set_gate(SOFT_VECTOR, 0, SEL_CODE, GATE_ABSENT, 0);
    is_fault(TRY("int $0x60", :), NP, SOFT_VECTOR << 3 | ERROR_IDT, "INT n, gate not present");
    set_gate(SOFT_VECTOR, 0, 0, GATE_INTERRUPT, 0);
    is_fault(TRY("int $0x60", :), GP, 0, "INT n, gate with a null selector");
    set_gate(SOFT_VECTOR, 0, SEL_DATA, GATE_INTERRUPT, 0);
    is_fault(TRY("int $0x60", :), GP, SEL_DATA, "INT n, gate to a data segment");
    idt[2 * SOFT_VECTOR] = old[0];
    idt[2 * SOFT_VECTOR + 1] = old[1];
    lidt(idt, 0x600 - 1);
    is_fault(TRY("int $0x60", :), GP, SOFT_VECTOR << 3 | ERROR_IDT, "INT n beyond the IDT's limit");
    lidt(idt, 0xfff);
}

static void pages(void)
{
    uint64_t *entry = page_entry((uintptr_t)page), present = *entry;
    uintptr_t address = (uintptr_t)page + 0x123;

    map_page(address, 0);
    struct fault fault = TRY("movb (%0), %%al", : : "r"(address) : "eax");
    is_fault(fault, PF, 0, "reading an absent page");
    is_u64(fault.address, address, "CR2 is its address");
    is_fault(TRY("movb $0, (%0)",
                 :
                 : "r"(address)
                 : "memory"),
             PF, PF_WRITE, "writing an absent page");
    map_page(address, present & ~(uint64_t)PAGE_WRITE);
    is_fault(TRY("movb $0, (%0)",
                 :
                 : "r"(address)
                 : "memory"),
             PF, PF_PRESENT | PF_WRITE, "writing a read-only page");
    write_cr0(read_cr0() & ~(unsigned long)CR0_WP);
    is_no_fault(TRY("movb $0, (%0)", : : "r"(address) : "memory"), "the same with WP clear");
    write_cr0(read_cr0() | CR0_WP);
    map_page(address, present | 1ull << 51);
    is_fault(TRY("movb (%0), %%al",
                 :
                 : "r"(address)
                 : "eax"),
             PF, PF_PRESENT | PF_RESERVED, "a reserved bit in a page-table entry");
    map_page(address, present | 1ull << 63);
    is_fault(TRY("movb (%0), %%al",
                 :
                 : "r"(address)
                 : "eax"),
             PF, PF_PRESENT | PF_RESERVED, "NX with EFER.NXE clear");
    map_page(address, present);
}

static void fetch_page(uintptr_t address)
{
    ((void (*)(void))address)();
}

static void read_page(uintptr_t address)
{
    (void)*(volatile uint8_t *)address;
}

static void user_pages(void)
{
    uint64_t *entry = page_entry((uintptr_t)page), present = *entry;
    uintptr_t address = (uintptr_t)page;
    page[0] = 0xc3;
    is_no_fault(enter_user(fetch_page, address), "user code in a user page");
    wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_NXE);
    map_page(address, *entry | 1ull << 63);
    is_fault(enter_user(fetch_page, address), PF, PF_PRESENT | PF_USER | PF_FETCH,
             "fetching from a page with NX");
    map_page(address, present & ~(uint64_t)PAGE_USER);
    is_fault(enter_user(read_page, address), PF, PF_PRESENT | PF_USER,
             "user code reads a supervisor page");
    map_page(address, present);
    wrmsr(MSR_EFER, rdmsr(MSR_EFER) & ~(uint64_t)EFER_NXE);
}

static void misaligned(uintptr_t flags)
{
    asm volatile("pushf; or %0, (%%rsp); popf; movl 1(%%rsp), %%eax"
                 :
                 : "r"(flags)
                 : "eax", "memory", "cc");
}

static void soft_interrupt(uintptr_t unused)
{
    (void)unused;
    asm volatile("int $0x60");
}

static void user_only(void)
{
    is_no_fault(enter_user(misaligned, FLAGS_AC), "a misaligned access with CR0.AM clear");
    write_cr0(read_cr0() | CR0_AM);
    is_fault(enter_user(misaligned, FLAGS_AC), AC, 0, "a misaligned access with AM and AC set");
    is_no_fault(enter_user(misaligned, 0), "a misaligned access with AC clear");
    write_cr0(read_cr0() & ~(unsigned long)CR0_AM);
    is_fault(enter_user(soft_interrupt, 0), GP, SOFT_VECTOR << 3 | ERROR_IDT,
             "INT n at CPL 3 through a gate for CPL 0");
}

static void floating_point(void)
{
    uint16_t control = 0x037f & ~(1 << 2);
    asm volatile("fninit; fldcw %0; fldz; fld1; fdivp" : : "m"(control));
    is_fault(TRY("fwait", :), MF, 0, "x87 division by zero, unmasked");
    asm volatile("fninit");
    uint32_t mxcsr = 0x1f80 & ~(1 << 9);
    asm volatile("ldmxcsr %0; xorps %%xmm1, %%xmm1" : : "m"(mxcsr));
    uint32_t one = 0x3f800000;
    is_fault(TRY("movss %0, %%xmm0; divss %%xmm1, %%xmm0",
                 :
                 : "m"(one)),
             XM, 0, "SSE division by zero, unmasked");
    mxcsr = 0x1f80;
    asm volatile("ldmxcsr %0" : : "m"(mxcsr));
    is_fault(TRY("ldmxcsr %0", : : "m"((uint32_t){0xffffffff})), GP, 0, "a reserved MXCSR bit");
}

/* A fault whose own gate is absent: two contributory exceptions make a double fault. */
static void double_fault(void)
{
    uint64_t old[2] = {idt[2 * DE], idt[2 * DE + 1]};
    set_gate(DE, 0, SEL_CODE, GATE_ABSENT, 0);
    is_fault(TRY("div %0", : : "r"(0), "a"(1), "d"(0)), DF, 0, "#DE whose gate is absent");
    idt[2 * DE] = old[0];
    idt[2 * DE + 1] = old[1];
}

void test_main(void)
{
    arithmetic();
    traps();
    segments();
    addresses();
    gates();
    pages();
    allow_user();
    user_pages();
    user_only();
    floating_point();
    double_fault();
}
