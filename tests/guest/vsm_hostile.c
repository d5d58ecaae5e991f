/* SPDX-License-Identifier: BSD-2-Clause */
/* VTL0 tries all it can think of to reach what is VTL1's: memory, registers, APIC, pages, timers.
   Nothing of VTL1's changes, VTL1 hears of each access to memory, and goes on working. */
// hyperv: on
// vtls: 2
// vcpus: 2
// time_limit: 20s
#include "tests/guest/lib/smp.h"
#include "tests/guest/lib/vsm.h"

enum {
    SELF = HV_VP_SELF,
    VTL1 = HV_USE_TARGET_VTL | 1,
    REG_PENDING_INTERRUPTION = 0x10002,
    REG_RIP = 0x20010,
    REG_PARTITION_CONFIG = 0xd0007,
    CONFIG_ON = 1 | VSM_RWX << 1 | 1 << 5,
    VECTOR = 0x51,
    SECRET = 0x5ec2e700,
};

static uint64_t secret[PAGE_SIZE / 8] __attribute__((aligned(PAGE_SIZE)));
static uint64_t innocent[PAGE_SIZE / 8] __attribute__((aligned(PAGE_SIZE)));
static uint8_t *messages;
static volatile unsigned intercepts, taken, status;

/* Every access is refused: the instruction is skipped over, to where VTL0 says. */
static volatile uint64_t way_out;

static void on_intercept(struct trap_frame *frame)
{
    (void)frame;
    intercepts++;
    vsm_set((uint32_t)SELF, HV_USE_TARGET_VTL, REG_PENDING_INTERRUPTION, 0, 0);
    vsm_set((uint32_t)SELF, HV_USE_TARGET_VTL, REG_RIP, way_out, 0);
    *(volatile uint32_t *)messages = 0;
    lapic_eoi();
}

static void on_interrupt(struct trap_frame *frame)
{
    (void)frame;
    if (vsm_self())
        taken++;
    lapic_eoi();
}

static void start(uintptr_t unused)
{
    (void)unused;
    messages = vsm_use_synic();
    secret[0] = SECRET;
    status = vsm_set((uint32_t)SELF, 0, REG_PARTITION_CONFIG, CONFIG_ON, 0) |
             vsm_protect(secret, 1, VSM_NONE);
}

static volatile uint64_t kept;

static void look(uintptr_t unused)
{
    (void)unused;
    kept = secret[0];
}

/* An access that must not get through: what follows it is where VTL1 sends the processor. */
#define ATTACK(what, template, ...)                                                                \
    do {                                                                                           \
        unsigned before_ = intercepts;                                                             \
        asm volatile(                                                                              \
            "lea 1f(%%rip), %%rax\n\tmov %%rax, way_out\n\t" template "\n1:" __VA_ARGS__);         \
        ok(intercepts == before_ + 1, what ": VTL1 hears of it");                                  \
    } while (0)

static void by_memory(void)
{
    uint64_t value = 0, count = 8;
    void *to = innocent, *from = secret;
    ATTACK("a read", "mov (%1), %0", : "+r"(value) : "r"(secret) : "rax", "memory");
    is_u64(value, 0, "and has read nothing");
    ATTACK("a write", "movq $0, (%0)", : : "r"(secret) : "rax", "memory");
    ATTACK("a locked write", "lock incq (%0)", : : "r"(secret) : "rax", "memory");
    ATTACK("a compare and exchange", "lock cmpxchg %1, (%0)",
           :
           : "r"(secret), "r"(value)
           : "rax", "memory");
    ATTACK("a string copy", "rep movsq", : "+D"(to), "+S"(from), "+c"(count) : : "rax", "memory");
    to = innocent;
    from = (void *)((uintptr_t)secret - 4);
    count = 1;
    ATTACK("a copy that begins before it", "rep movsq",
           : "+D"(to), "+S"(from), "+c"(count)
           :
           : "rax", "memory");
    ATTACK("an XSAVE-like store", "fxsave (%0)", : : "r"(secret) : "rax", "memory");
    ATTACK("a jump", "jmp *%0", : : "r"(secret) : "rax", "memory");
    from = (void *)0xfee00030;
    to = secret;
    ATTACK("a copy from a device", "movsl", : "+D"(to), "+S"(from) : : "rax", "memory");
    from = secret;
    to = (void *)0xfee00080;
    ATTACK("a copy to a device", "movsl", : "+D"(to), "+S"(from) : : "rax", "memory");
    to = secret;
    ATTACK("INS", "insb", : "+D"(to) : "d"(0xea) : "rax", "memory");
    from = secret;
    ATTACK("OUTS", "outsb", : "+S"(from) : "d"(0xea) : "rax", "memory");
    struct table_register idtr;
    asm volatile("sidt %0" : "=m"(idtr));
    const struct table_register there = {0xfff, (uintptr_t)secret};
    ATTACK("a descriptor table there", "lidt %0; int3", : : "m"(there) : "rax", "memory");
    asm volatile("lidt %0" : : "m"(idtr));
}

static void by_paging(void)
{
    /* Its page as a page table, and another address for it. */
    uint64_t value = 0, *entry = page_entry(0x10000000), old = *entry;
    *entry = (uintptr_t)secret | PAGE_PRESENT | PAGE_WRITE;
    write_cr3(read_cr3());
    ATTACK("another address of it", "mov (%1), %0",
           : "+r"(value)
           : "r"(0x10000000ul)
           : "rax", "memory");
    *entry = old;
    write_cr3(read_cr3());
    is_u64(value, 0, "and has read nothing");
}

static void by_hypercall(void)
{
    uint64_t value[2] = {0};
    unsigned before = intercepts;
    is_u64(vsm_get((uint32_t)SELF, VTL1, REG_RIP, value), HV_ACCESS_DENIED, "reading its RIP");
    is_u64(vsm_set((uint32_t)SELF, VTL1, REG_RIP, 0, 0), HV_ACCESS_DENIED, "writing its RIP");
    is_u64(vsm_set((uint32_t)SELF, VTL1, REG_PARTITION_CONFIG, 0, 0), HV_ACCESS_DENIED,
           "its configuration");
    is_u64(vsm_set((uint32_t)SELF, 0, REG_PARTITION_CONFIG, 0, 0), HV_INVALID_PARAMETER,
           "the same as VTL0's own");
    is_u64(vsm_protect(secret, 1, VSM_RWX), HV_INVALID_PARAMETER, "giving itself the page");
    is_u64(hv_call(0x0b | HV_FAST, VECTOR | (uint64_t)VTL1 << 32, 1) & 0xffff, HV_ACCESS_DENIED,
           "a PV IPI");
    is_u64(intercepts, before, "none of these was an access");
    asm volatile("lea 1f(%%rip), %%rax\n\tmov %%rax, way_out\n\t"
                 "mov %0, %%rdx; mov %1, %%r8; movabs $0x100000050, %%rcx; vmcall\n1:"
                 :
                 : "r"(secret), "r"(innocent)
                 : "rax", "rcx", "rdx", "r8", "memory");
    is_u64(intercepts, before + 1, "its page as a hypercall's input");
    asm volatile("lea 1f(%%rip), %%rax\n\tmov %%rax, way_out\n\t"
                 "mov %0, %%rdx; mov %1, %%r8; movabs $0x100000050, %%rcx; vmcall\n1:"
                 :
                 : "r"(innocent), "r"(secret)
                 : "rax", "rcx", "rdx", "r8", "memory");
    is_u64(intercepts, before + 2, "its page as a hypercall's output");
    struct hv_vp_context *parameters = page_alloc();
    vsm_fill_context(parameters, 0, 1);
    is_u64(vsm_enable_vp(parameters), HV_ACCESS_DENIED, "VTL1 anew, with a context of VTL0's");
    vsm_fill_context(parameters, 1, 1);
    is_u64(vsm_enable_vp(parameters), HV_ACCESS_DENIED, "and on another processor");
}

static void by_overlay(void)
{
    static const uint32_t pages[] = {HV_MSR_HYPERCALL, HV_MSR_REFERENCE_TSC, HV_MSR_VP_ASSIST_PAGE,
                                     HV_MSR_SIMP, HV_MSR_SIEFP};
    uint64_t value = 0;
    for (unsigned i = 0; i < sizeof(pages) / sizeof(pages[0]); i++) {
        wrmsr(pages[i], (uintptr_t)secret | 1);
        if (i > 0)
            secret[1] = 1;
        wrmsr(pages[i], 0);
        ATTACK("an overlay that came and went", "mov (%1), %0",
               : "+r"(value)
               : "r"(secret)
               : "rax", "memory");
    }
    is_u64(value, 0, "and nothing was read");
}

static void arm(uintptr_t unused)
{
    (void)unused;
    lapic_timer_start(VECTOR, 2000);
}

static void by_apic(void)
{
    taken = 0;
    vsm_run(arm, 0);
    lapic_timer_stop();
    lapic_write(LAPIC_TPR, 0xff);
    lapic_write(LAPIC_SVR, 0xff);
    wrmsr(MSR_APIC_BASE, rdmsr(MSR_APIC_BASE) & ~(uint64_t)APIC_BASE_EN);
    wait_for(&taken, 1, 100);
    is_u64(taken, 1, "VTL0 turns its own APIC and timer off: VTL1's timer goes on");
    wrmsr(MSR_APIC_BASE, rdmsr(MSR_APIC_BASE) | APIC_BASE_EN);
    lapic_enable();
    ipi(0, ICR_ALL | VECTOR);
    self_ipi(VECTOR);
    sti_nop();
    cli();
    is_u64(taken, 1, "VTL0's IPIs do not get to VTL1");
}

void test_main(void)
{
    set_handler(VSM_INTERCEPT_VECTOR, on_intercept);
    set_handler(VECTOR, on_interrupt);
    smp_start();
    cli();
    vsm_begin();
    lapic_ticks_per_ms();
    vsm_enable(1);
    vsm_run(start, 0);
    is_u64(status, HV_SUCCESS, "VTL1 has a secret");
    by_memory();
    by_paging();
    by_hypercall();
    by_overlay();
    by_apic();
    vsm_run(look, 0);
    is_u64(kept, SECRET, "the secret is as it was");
}
