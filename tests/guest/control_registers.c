/* SPDX-License-Identifier: BSD-2-Clause */
// variant: intercepted intercept_exceptions=on
/* Control registers: every bit reads back as the guest wrote it, illegal combinations raise #GP(0).
   SDM Vol 3A, "Control Registers"; Vol 2, "MOV - Move to/from Control Registers". */
#include "tests/guest/guest.h"

enum {
    LEAF1_ECX_PCID = 1 << 17,
    LEAF7_EBX_SMEP = 1 << 7,
    LEAF7_EBX_SMAP = 1 << 20,
    LEAF7_ECX_UMIP = 1 << 2,
    FETCH = 1 << 4, /* of a #PF error code */
};

static struct fault set_cr0(unsigned long value)
{
    return TRY("mov %0, %%cr0", : : "r"(value) : "memory");
}

static struct fault set_cr3(unsigned long value)
{
    return TRY("mov %0, %%cr3", : : "r"(value) : "memory");
}

static struct fault set_cr4(unsigned long value)
{
    return TRY("mov %0, %%cr4", : : "r"(value) : "memory");
}

static void cr0_keeps(unsigned long set, unsigned long clear, const char *name)
{
    unsigned long old = read_cr0();
    unsigned long wanted = (old | set) & ~clear;
    struct fault fault = set_cr0(wanted);
    unsigned long seen = read_cr0();
    write_cr0(old);
    if (is_no_fault(fault, "%s can be written", name))
        is_u64(seen, wanted, "%s reads back", name);
}

static void cr0_refuses(unsigned long value, const char *name)
{
    unsigned long old = read_cr0();
    is_fault(set_cr0(value), GP, 0, "CR0: %s", name);
    is_u64(read_cr0(), old, "CR0: %s, and it is unchanged", name);
}

static void cr0(void)
{
    unsigned long old = read_cr0();
    cr0_keeps(CR0_TS, 0, "CR0.TS set");
    cr0_keeps(CR0_EM, CR0_MP, "CR0.EM set, MP clear");
    cr0_keeps(0, CR0_NE, "CR0.NE clear");
    cr0_keeps(CR0_AM, 0, "CR0.AM set");
    cr0_keeps(0, CR0_WP, "CR0.WP clear");
    cr0_keeps(CR0_CD, 0, "CR0.CD set");
    cr0_keeps(CR0_CD | CR0_NW, 0, "CR0.CD and NW set");
    cr0_refuses(old & ~CR0_PG, "paging off in 64-bit mode");
    cr0_refuses(old & ~(unsigned long)CR0_PE, "protection off with paging on");
    cr0_refuses((old | CR0_NW) & ~(unsigned long)CR0_CD, "NW without CD");
    cr0_refuses(old | 1ul << 32, "bit 32");
    is_no_fault(set_cr0(old & ~(unsigned long)CR0_ET), "CR0.ET can be written 0");
    is_u64(read_cr0(), old, "but reads 1");
    is_no_fault(set_cr0(old | 1 << 6), "a reserved low bit of CR0 can be written");
    is_u64(read_cr0(), old, "but reads 0");
}

static void machine_status_word(void)
{
    unsigned long old = read_cr0(), word;
    asm volatile("smsw %0" : "=r"(word));
    is_u64(word & 0xffff, old & 0xffff, "SMSW gives the low half of CR0");
    asm volatile("lmsw %w0" : : "r"(CR0_PE | CR0_MP | CR0_EM | CR0_TS));
    is_u64(read_cr0(), old | CR0_MP | CR0_EM | CR0_TS, "LMSW sets MP, EM and TS");
    asm volatile("lmsw %w0" : : "r"(CR0_MP));
    is_u64(read_cr0(), (old | CR0_MP) & ~(unsigned long)(CR0_EM | CR0_TS),
           "LMSW clears EM and TS, and leaves PE set");
    uint16_t in_memory = CR0_PE | CR0_TS;
    asm volatile("lmsw %0" : : "m"(in_memory));
    is_u64(read_cr0() & (CR0_MP | CR0_TS), CR0_TS, "LMSW takes a word from memory");
    asm volatile("clts");
    is_u64(read_cr0() & CR0_TS, 0, "CLTS clears TS");
    write_cr0(old);
}

static void floating_point_traps(void)
{
    unsigned long old = read_cr0();
    write_cr0(old | CR0_TS);
    is_fault(TRY("movups %%xmm0, %%xmm0", :), NM, 0, "SSE with TS set");
    is_fault(TRY("fnop", :), NM, 0, "x87 with TS set");
    asm volatile("clts");
    is_no_fault(TRY("movups %%xmm0, %%xmm0", :), "SSE after CLTS");
    write_cr0((old | CR0_EM) & ~(unsigned long)CR0_MP);
    is_fault(TRY("movups %%xmm0, %%xmm0", :), UD, 0, "SSE with EM set");
    is_fault(TRY("fnop", :), NM, 0, "x87 with EM set");
    write_cr0(old);
}

static void cr2(void)
{
    write_cr2(0x123456789abcdef0);
    cpuid(0, 0);
    is_u64(read_cr2(), 0x123456789abcdef0, "CR2 keeps its value over an exit");
}

static void cr3(void)
{
    unsigned long old = read_cr3();
    unsigned width = cpuid(0x80000008, 0).eax & 0xff;
    is_fault(set_cr3(old | 1ul << width), GP, 0, "CR3: an address beyond MAXPHYADDR");
    is_fault(set_cr3(old | 1ul << 63), GP, 0, "CR3: bit 63 without PCIDs");
    is_no_fault(set_cr3(old | PAGE_PCD | PAGE_PWT), "CR3: PCD and PWT");
    is_u64(read_cr3(), old | PAGE_PCD | PAGE_PWT, "CR3 keeps them");
    write_cr3(old);
}

static void cr3_flushes(void)
{
    static uint64_t one[PAGE_SIZE / 8] __attribute__((aligned(4096))) = {1};
    static uint64_t two[PAGE_SIZE / 8] __attribute__((aligned(4096))) = {2};
    volatile uint64_t *window = one;
    uint64_t *entry = page_entry((uintptr_t)one), old = *entry;
    is_u64(*window, 1, "a mapping before it changes");
    *entry = old - (uintptr_t)one + (uintptr_t)two;
    write_cr3(read_cr3());
    is_u64(*window, 2, "writing CR3 makes a changed mapping seen");
    *entry = old;
    invlpg((uintptr_t)one);
    is_u64(*window, 1, "INVLPG does so as well");
}

static void cr4(void)
{
    unsigned long old = read_cr4();
    static const unsigned keeps[] = {CR4_TSD, CR4_DE, CR4_PSE, CR4_MCE, CR4_PGE, CR4_PCE};
    for (unsigned i = 0; i < sizeof(keeps) / sizeof(*keeps); i++) {
        write_cr4(old ^ keeps[i]);
        is_u64(read_cr4(), old ^ keeps[i], "CR4 with 0x%x changed reads back", keeps[i]);
    }
    write_cr4(old);
    is_fault(set_cr4(old & ~(unsigned long)CR4_PAE), GP, 0, "CR4: PAE off in long mode");
    is_fault(set_cr4(old ^ CR4_LA57), GP, 0, "CR4: LA57 changed in long mode");
    is_fault(set_cr4(old | CR4_VMXE), GP, 0, "CR4: VMXE, which CPUID hides");
    is_fault(set_cr4(old | CR4_SMXE), GP, 0, "CR4: SMXE, which CPUID hides");
    is_fault(set_cr4(old | 1 << 15), GP, 0, "CR4: reserved bit 15");
    is_fault(set_cr4(old | 1ul << 31), GP, 0, "CR4: reserved bit 31");
    is_fault(set_cr4(old | 1ul << 32), GP, 0, "CR4: bit 32");
    is_u64(read_cr4(), old, "CR4 is unchanged after all these");
}

static void cr4_features_follow_cpuid(void)
{
    static const struct {
        unsigned leaf;
        char reg;
        unsigned feature;
        unsigned cr4;
        const char *name;
    } bits[] = {
        {7, 'b', 1 << 0, CR4_FSGSBASE, "FSGSBASE"}, {1, 'c', 1 << 17, CR4_PCIDE, "PCIDE"},
        {7, 'b', 1 << 7, CR4_SMEP, "SMEP"},         {7, 'b', 1 << 20, CR4_SMAP, "SMAP"},
        {7, 'c', 1 << 2, CR4_UMIP, "UMIP"},         {7, 'c', 1 << 3, CR4_PKE, "PKE"},
    };
    unsigned long old = read_cr4();
    for (unsigned i = 0; i < sizeof(bits) / sizeof(*bits); i++) {
        struct cpuid leaf = cpuid(bits[i].leaf, 0);
        bool offered = (bits[i].reg == 'b' ? leaf.ebx : leaf.ecx) & bits[i].feature;
        struct fault fault = set_cr4(old | bits[i].cr4);
        write_cr4(old);
        if (offered)
            is_no_fault(fault, "CR4.%s, which CPUID offers", bits[i].name);
        else
            is_fault(fault, GP, 0, "CR4.%s, which CPUID hides", bits[i].name);
    }
}

static void pcid(void)
{
    if (!(cpuid(1, 0).ecx & LEAF1_ECX_PCID)) {
        skip("PCIDs", "CPUID does not offer them");
        return;
    }
    unsigned long old_cr3 = read_cr3(), old_cr4 = read_cr4();
    write_cr3(old_cr3 | PAGE_PCD);
    is_fault(set_cr4(old_cr4 | CR4_PCIDE), GP, 0, "CR4: PCIDE with CR3[11:0] not zero");
    write_cr3(old_cr3);
    write_cr4(old_cr4 | CR4_PCIDE);
    is_no_fault(set_cr3(old_cr3 | 0x123), "CR3 with a PCID");
    is_u64(read_cr3(), old_cr3 | 0x123, "CR3 keeps the PCID");
    is_no_fault(set_cr3(old_cr3 | 0x123 | 1ul << 63), "CR3 with bit 63");
    is_u64(read_cr3(), old_cr3 | 0x123, "bit 63 is not kept");
    write_cr3(old_cr3);
    write_cr4(old_cr4);
}

static void cr8(void)
{
    for (unsigned long priority = 0; priority < 16; priority += 5) {
        write_cr8(priority);
        is_u64(read_cr8(), priority, "CR8 keeps %lu", priority);
        is_u64(lapic_read(LAPIC_TPR), priority << 4, "and the APIC's TPR is that class");
    }
    lapic_write(LAPIC_TPR, 0x73);
    is_u64(read_cr8(), 7, "CR8 follows the TPR");
    write_cr8(0);
    is_fault(TRY("mov %0, %%cr8", : : "r"(16ul)), GP, 0, "CR8: 16");
    is_fault(TRY("mov %0, %%cr8", : : "r"(1ul << 63)), GP, 0, "CR8: bit 63");
}

/* The exit names the general register by a number that the hypervisor has to look up. */
static void through_every_register(void)
{
    unsigned long old = read_cr4(), wanted = old ^ CR4_TSD;
#define THROUGH(register)                                                                                                 \
    do {                                                                                                                  \
        unsigned long seen8;                                                                                              \
        write_cr4(old);                                                                                                   \
        write_cr8(9);                                                                                                     \
        asm volatile(                                                                                                     \
            "push %%" register "; mov %1, %%" register "; mov %%" register ", %%cr4;"                                     \
                                                                           "mov %%cr8, "                                  \
                                                                           "%%" register "; xchg "                        \
                                                                                         "%"                              \
                                                                                         "%" register ", (%%rsp); pop %0" \
            : "=&r"(seen8)                                                                                                \
            : "c"(wanted)                                                                                                 \
            : "memory");                                                                                                  \
        is_u64(read_cr4(), wanted, "CR4 written from " register);                                                         \
        is_u64(seen8, 9, "CR8 read into " register);                                                                      \
    } while (0)
    THROUGH("rbx");
    THROUGH("rdx");
    THROUGH("rsi");
    THROUGH("rdi");
    THROUGH("rbp");
    THROUGH("r8");
    THROUGH("r9");
    THROUGH("r10");
    THROUGH("r11");
    THROUGH("r12");
    THROUGH("r13");
    THROUGH("r14");
    THROUGH("r15");
    unsigned long saved, seen8, seen4;
    asm volatile("mov %%rsp, %0; mov %3, %%rsp; mov %%rsp, %%cr4; mov %%cr8, %%rsp;"
                 "mov %%rsp, %1; mov %%cr4, %%rsp; mov %%rsp, %2; mov %0, %%rsp"
                 : "=&r"(saved), "=&r"(seen8), "=&r"(seen4)
                 : "r"(old)
                 : "memory");
    is_u64(seen4, old, "CR4 written from and read into RSP");
    is_u64(seen8, 9, "CR8 read into RSP");
    write_cr8(0);
    write_cr4(old);
}

static void user_rdtsc(uintptr_t unused)
{
    (void)unused;
    asm volatile("rdtsc" : : : "eax", "edx");
}

static void user_smsw(uintptr_t unused)
{
    unsigned long word;
    (void)unused;
    asm volatile("smsw %0" : "=r"(word));
}

static void user_clts(uintptr_t unused)
{
    (void)unused;
    asm volatile("clts");
}

static void effects(void)
{
    unsigned long old = read_cr4();
    allow_user();
    is_no_fault(enter_user(user_rdtsc, 0), "RDTSC at CPL 3");
    write_cr4(old | CR4_TSD);
    is_fault(enter_user(user_rdtsc, 0), GP, 0, "RDTSC at CPL 3 with TSD set");
    write_cr4(old);
    is_fault(enter_user(user_clts, 0), GP, 0, "CLTS at CPL 3");
    is_no_fault(enter_user(user_smsw, 0), "SMSW at CPL 3");
    if (cpuid(7, 0).ecx & LEAF7_ECX_UMIP) {
        write_cr4(old | CR4_UMIP);
        is_fault(enter_user(user_smsw, 0), GP, 0, "SMSW at CPL 3 with UMIP set");
        write_cr4(old);
    }
}

static volatile unsigned long fetch_error;

/* Go back as if the called function had returned. */
static void on_fetch_fault(struct trap_frame *frame)
{
    fetch_error = frame->error;
    frame->ip = *(unsigned long *)frame->sp;
    frame->sp += sizeof(unsigned long);
}

/* A page of its own for user code, called or read by the supervisor. */
static void supervisor_protection(void)
{
    static uint8_t user_page[PAGE_SIZE] __attribute__((aligned(4096))) = {0xc3};
    unsigned long old = read_cr4();
    for (uintptr_t page = 0x100000; page < (uintptr_t)image_end; page += PAGE_SIZE)
        *page_entry(page) &= ~(uint64_t)PAGE_USER;
    *page_entry((uintptr_t)user_page) |= PAGE_USER;
    write_cr3(read_cr3());
    if (cpuid(7, 0).ebx & LEAF7_EBX_SMEP) {
        write_cr4(old | CR4_SMEP);
        set_handler(PF, on_fetch_fault);
        asm volatile("call *%0" : : "r"(user_page) : "memory");
        set_handler(PF, NULL);
        write_cr4(old);
        is_u64(fetch_error, PAGE_PRESENT | FETCH, "supervisor code in a user page with SMEP");
    }
    if (cpuid(7, 0).ebx & LEAF7_EBX_SMAP) {
        write_cr4(old | CR4_SMAP);
        struct fault fault = TRY("movb (%0), %%al", : : "r"(user_page) : "eax", "memory");
        write_cr4(old);
        is_fault(fault, PF, PAGE_PRESENT, "supervisor data in a user page with SMAP");
    }
}

void test_main(void)
{
    cr0();
    machine_status_word();
    floating_point_traps();
    cr2();
    cr3();
    cr3_flushes();
    cr4();
    cr4_features_follow_cpuid();
    pcid();
    cr8();
    through_every_register();
    effects();
    supervisor_protection();
}
