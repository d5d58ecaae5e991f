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

static unsigned by_memory_list(uint64_t call, const void *parameters, unsigned size)
{
    static uint8_t list[2][PAGE_SIZE] __attribute__((aligned(PAGE_SIZE)));
    memcpy(list[0], parameters, size);
    return hv_call(call, (uintptr_t)list[0], (uintptr_t)list[1]) & 0xffff;
}

/* Every call that can name a VTL. */
static void by_naming_vtl1(void)
{
    static const uint32_t names[] = {0x4,     0x10002, 0x10003, 0x10004, 0x10007, 0x20000, 0x20010,
                                     0x30000, 0x40000, 0x40002, 0x40004, 0x50005, 0x60001, 0x70000,
                                     0x80001, 0x80003, 0x80010, 0x80095, 0x84802, 0x84808, 0x90001,
                                     0x90013, 0xa0000, 0xa0013, 0xb0000, 0xd0002, 0xd0005, 0xd0007,
                                     0xd0010, 0xd0020, 0xe0000, 0x12345};
    unsigned denied = 0, n = sizeof(names) / sizeof(names[0]);
    uint64_t value[2];
    for (unsigned i = 0; i < n; i++) {
        denied += vsm_get((uint32_t)SELF, VTL1, names[i], value) == HV_ACCESS_DENIED;
        denied += vsm_set((uint32_t)SELF, VTL1, names[i], 0, 0) == HV_ACCESS_DENIED;
    }
    is_u64(denied, 2 * n, "each of its registers, to read and to write");

    const uint64_t address[] = {HV_SELF, (uint32_t)SELF, 1 | (uint64_t)VTL1 << 56, 0x100};
    is_u64(by_memory_list(HV_CALL_TRANSLATE_VA, address, sizeof(address)), HV_ACCESS_DENIED,
           "an address of it");
    is_u64(by_memory_list(0xac, address, sizeof(address)), HV_ACCESS_DENIED, "in the longer form");
    const uint64_t mask[] = {HV_SELF, VSM_RWX | (uint64_t)VTL1 << 32, (uintptr_t)secret / 4096};
    is_u64(by_memory_list(HV_CALL_MODIFY_PROTECTION | HV_REPS(1), mask, sizeof(mask)),
           HV_ACCESS_DENIED, "the page, in its name");
    const uint64_t index[] = {HV_SELF, 1, 0};
    is_u64(by_memory_list(0x9a | HV_REPS(1), index, sizeof(index)), HV_ACCESS_DENIED,
           "its processor's index");
    const uint64_t ipi_ex[] = {VECTOR | (uint64_t)VTL1 << 32, 1, 0};
    is_u64(by_memory_list(0x15, ipi_ex, sizeof(ipi_ex)), HV_ACCESS_DENIED, "a PV IPI to all");
    const uint64_t message[32] = {0x10, 1};
    is_u64(by_memory_list(0x5c, message, sizeof(message)), HV_ACCESS_DENIED, "a message");
    is_u64(hv_call(0x5d | HV_FAST, 0x10, 0) & 0xffff, HV_ACCESS_DENIED, "an event");
    is_u64(hv_call(HV_CALL_ENABLE_PARTITION_VTL | HV_FAST, HV_SELF, 1) & 0xffff,
           HV_INVALID_VTL_STATE, "enabling it again");
    is_u64(hv_call(0x0e | HV_FAST, HV_SELF, 1) & 0xffff, HV_INVALID_HYPERCALL_CODE,
           "disabling it for the partition");
    is_u64(hv_call(0x10 | HV_FAST, HV_SELF, 1ul << 32) & 0xffff, HV_INVALID_HYPERCALL_CODE,
           "and on the processor");
    struct hv_vp_context *parameters = page_alloc();
    vsm_fill_context(parameters, 1, 1);
    is_u64(by_memory_list(HV_CALL_START_VP, parameters, sizeof(*parameters)), HV_ACCESS_DENIED,
           "starting a processor in it");
    is_fault(TRY("vmcall", : : "a"(0ul), "c"(0x12ul) : "memory"), UD, 0, "VTL return from VTL0");
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

static void arm(uintptr_t us)
{
    lapic_timer_start(VECTOR, (uint32_t)us);
}

static void arm_synthetic(uintptr_t us)
{
    wrmsr(HV_MSR_STIMER0_CONFIG, 0);
    wrmsr(HV_MSR_STIMER0_COUNT, rdmsr(HV_MSR_TIME_REF_COUNT) + 10 * us);
    wrmsr(HV_MSR_STIMER0_CONFIG, 1 << 12 | VECTOR << 4 | 1);
}

/* VTL0 moves time, and takes its own timers and SynIC away. */
static void by_time(void)
{
    uint64_t adjust = rdmsr(MSR_TSC_ADJUST);
    taken = 0;
    vsm_run(arm, 2000);
    wrmsr(MSR_TSC, 0);
    wrmsr(MSR_TSC_DEADLINE, 0);
    WAIT_UNTIL(taken >= 1, 100);
    is_u64(taken, 1, "VTL0 sets the clock back: VTL1's timer goes on");
    vsm_run(arm_synthetic, 2000);
    wrmsr(MSR_TSC_ADJUST, adjust);
    wrmsr(HV_MSR_STIMER0_CONFIG, 0);
    wrmsr(HV_MSR_STIMER0_COUNT, 0);
    wrmsr(HV_MSR_SCONTROL, 0);
    for (unsigned i = 0; i < 16; i++)
        wrmsr(HV_MSR_SINT0 + i, 0x10000);
    WAIT_UNTIL(taken >= 2, 100);
    is_u64(taken, 2, "VTL0 turns its SynIC and timers off: VTL1's synthetic timer goes on");
}

static void by_apic(void)
{
    taken = 0;
    vsm_run(arm, 2000);
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
    lapic_enter_x2apic();
    lapic_enable();
    self_ipi(VECTOR);
    wrmsr(MSR_X2APIC + 0x3f, VECTOR);
    wrmsr(HV_MSR_ICR, (uint64_t)0 << 32 | ICR_SELF | VECTOR);
    sti_nop();
    cli();
    is_u64(taken, 1, "in x2APIC mode neither");
    lapic_enter_xapic();
    lapic_enable();
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
    by_naming_vtl1();
    by_overlay();
    by_apic();
    by_time();
    vsm_run(look, 0);
    is_u64(kept, SECRET, "the secret is as it was");
}
