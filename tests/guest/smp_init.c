/* SPDX-License-Identifier: BSD-2-Clause */
// vcpus: 4
// time_limit: 60s
// apic: yes
/* INIT and start-up IPIs: what they leave of a processor and its APIC, and when they do nothing.
   SDM Vol 3A, "Processor State After Reset", "Local APIC State After It Receives an INIT Reset" and
   "Interrupt Command Register (ICR)". */
#include "tests/guest/lib/smp.h"

enum {
    CPUS = 4,
    TARGET = 2,
    ONLY_TARGET = 1 << TARGET,
    APS = 0xe,
    VECTOR = 0x61,
    STATE_PAGE = 0x9,
    STATE = 0x9800,
};

/* In the order of asm/smp_init.asm. */
static const struct {
    const char *name;
    uint32_t expected;
} registers[] = {
    {"EAX", 0},
    {"EBX", 0},
    {"ECX", 0},
    {"EDX", 0}, /* the signature: see below */
    {"ESI", 0},
    {"EDI", 0},
    {"EBP", 0},
    {"ESP", 0},
    {"EFLAGS", 2},
    {"CS", STATE_PAGE << 8},
    {"DS", 0},
    {"ES", 0},
    {"SS", 0},
    {"FS", 0},
    {"GS", 0},
    {"CR0", CR0_ET}, /* CD and NW stay as they were: clear */
    {"CR2", 0},
    {"CR3", 0},
    {"CR4", 0},
    {"DR0", 0},
    {"DR1", 0},
    {"DR2", 0},
    {"DR3", 0},
    {"DR6", 0xffff0ff0},
    {"DR7", 0x400},
    {"GDTR limit and base", 0x0000ffff},
    {"GDTR base[31:16]", 0},
    {"IDTR limit and base", 0x0000ffff},
    {"IDTR base[31:16]", 0},
    /* INIT leaves these unchanged. */
    {"x87 control word", 0x077f},
    {"MXCSR", 0x1fa0},
    {"XMM3[31:0]", 0x11111111},
    {"XMM3[63:32]", 0x22222222},
    {"XMM3[95:64]", 0x33333333},
    {"XMM3[127:96]", 0x44444444},
    {"XCR0", 3},
    {"IA32_EFER", 0}, /* but this one has no bit left */
    {"IA32_LSTAR", 0x55555555},
    {"IA32_KERNEL_GS_BASE", 0x66666666},
    {"IA32_SYSENTER_EIP", 0x77777777},
    {"IA32_PAT", 0x00010406},
};

enum { EDX = 3 };

extern const char state_page[], state_page_end[];
_Noreturn void dirty_registers(void);
volatile uint32_t dirty_values[5] = {0x11111111, 0x22222222, 0x33333333, 0x44444444, 0};
#define RUNS (dirty_values[4]) /* counts while dirty_registers() runs */

static const char *mode(void)
{
    return boot_cpu.x2apic ? "x2APIC" : "xAPIC";
}

/* The ICR as it is, without the assert bit that ipi() adds. */
static void icr(uint32_t destination, uint32_t low)
{
    if (boot_cpu.x2apic) {
        wrmsr(MSR_X2APIC + LAPIC_ICR / 16, (uint64_t)destination << 32 | low);
        return;
    }
    lapic_write(LAPIC_ICR_HIGH, destination << 24);
    lapic_write(LAPIC_ICR, low);
}

static uint32_t target_id(void)
{
    return cpus[TARGET]->apic_id;
}

/* ---- State ---- */

static const struct {
    const char *name;
    unsigned offset;
    uint32_t expected;
} apic_registers[] = {
    {"TPR", LAPIC_TPR, 0},
    {"PPR", LAPIC_PPR, 0},
    {"SVR", LAPIC_SVR, 0xff},
    {"ISR", LAPIC_ISR + (VECTOR / 32) * 16, 0},
    {"TMR", LAPIC_TMR + (VECTOR / 32) * 16, 0},
    {"IRR", LAPIC_IRR + (VECTOR / 32) * 16, 0},
    {"ESR", LAPIC_ESR, 0},
    {"ICR", LAPIC_ICR, 0},
    {"LVT timer", LAPIC_LVT_TIMER, LVT_MASKED},
    {"LVT thermal", LAPIC_LVT_THERMAL, LVT_MASKED},
    {"LVT counters", LAPIC_LVT_PMC, LVT_MASKED},
    {"LVT LINT0", LAPIC_LVT_LINT0, LVT_MASKED},
    {"LVT LINT1", LAPIC_LVT_LINT1, LVT_MASKED},
    {"LVT error", LAPIC_LVT_ERROR, LVT_MASKED},
    {"initial count", LAPIC_TIMER_INITIAL, 0},
    {"current count", LAPIC_TIMER_CURRENT, 0},
    {"divider", LAPIC_TIMER_DIVIDE, 0},
};

enum { APIC_REGISTERS = sizeof(apic_registers) / sizeof(*apic_registers) };

static uint32_t apic_seen[APIC_REGISTERS], ldr_seen, dfr_seen, id_seen;

static void record_apic(void)
{
    for (unsigned i = 0; i < APIC_REGISTERS; i++)
        apic_seen[i] = lapic_read(apic_registers[i].offset);
    ldr_seen = lapic_read(LAPIC_LDR);
    id_seen = lapic_read(LAPIC_ID);
    if (!this_cpu()->x2apic)
        dfr_seen = lapic_read(LAPIC_DFR);
}

/* One vector in service, one requested, errors logged, the timer running. */
static void dirty_apic(void)
{
    for (unsigned i = LAPIC_LVT_THERMAL; i <= LAPIC_LVT_ERROR; i += 16)
        lapic_write(i, VECTOR);
    lapic_write(LAPIC_TIMER_DIVIDE, DIVIDE_BY_1);
    lapic_write(LAPIC_LVT_TIMER, (VECTOR + 1) | LVT_PERIODIC);
    lapic_write(LAPIC_TIMER_INITIAL, 1000000);
    if (!this_cpu()->x2apic) {
        lapic_write(LAPIC_LDR, 0x12000000);
        lapic_write(LAPIC_DFR, 0x0fffffff);
    }
    self_ipi(VECTOR - 1);
    self_ipi(5);
    lapic_write(LAPIC_ESR, 0);
    lapic_write(LAPIC_TPR, 0x50);
}

static void in_service(struct trap_frame *frame)
{
    (void)frame;
    dirty_apic();
    dirty_registers();
}

static void dirty(uintptr_t argument)
{
    (void)argument;
    wrmsr(MSR_LSTAR, 0x55555555);
    wrmsr(MSR_KERNEL_GS_BASE, 0x66666666);
    wrmsr(MSR_SYSENTER_EIP, 0x77777777);
    wrmsr(MSR_PAT, 0x0007040600010406);
    wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_SCE | EFER_NXE);
    asm volatile("xsetbv" : : "c"(0), "a"(3), "d"(0));
    write_cr0(read_cr0() & ~(unsigned long)(CR0_CD | CR0_NW));
    write_cr2(0x1234);
    write_cr4(read_cr4() | CR4_PGE);
    asm volatile("mov %0, %%dr0; mov %0, %%dr1; mov %0, %%dr2; mov %0, %%dr3; mov %1, %%dr6;"
                 "mov %2, %%dr7"
                 :
                 : "r"(0x7777ul), "r"(0xffff4ffful), "r"(0x4fful));
    self_ipi(VECTOR);
}

static void make_dirty(void)
{
    set_handler(VECTOR, in_service);
    cpu_begin(cpus[TARGET], dirty, 0);
    uint32_t before = RUNS;
    if (!WAIT_UNTIL(RUNS != before, 1000))
        bail_out("the target does not run");
}

static void registers_after_init(void)
{
    const volatile uint32_t *seen = (const volatile uint32_t *)STATE;
    for (unsigned i = 0; i < sizeof(registers) / sizeof(*registers); i++)
        is_u64(seen[i], i == EDX ? cpuid(1, 0).eax : registers[i].expected, "%s: %s", mode(),
               registers[i].name);
}

static void apic_after_init(void)
{
    uint32_t id = target_id();
    for (unsigned i = 0; i < APIC_REGISTERS; i++)
        is_u64(apic_seen[i], apic_registers[i].expected, "%s: %s", mode(), apic_registers[i].name);
    if (boot_cpu.x2apic) {
        is_u64(ldr_seen, id >> 4 << 16 | 1u << (id & 15), "LDR in x2APIC mode");
        is_u64(id_seen, id, "the x2APIC ID stays");
    } else {
        is_u64(ldr_seen, 0, "LDR in xAPIC mode");
        is_u64(dfr_seen, 0xffffffff, "DFR");
        is_u64(id_seen, id << 24, "the xAPIC ID stays");
    }
}

static void state(void)
{
    unsigned before = cpus[TARGET]->starts;
    memset((void *)(STATE_PAGE * PAGE_SIZE), 0, PAGE_SIZE);
    memcpy((void *)(STATE_PAGE * PAGE_SIZE), state_page, (size_t)(state_page_end - state_page));
    make_dirty();
    smp_first = record_apic;
    ipi(target_id(), ICR_INIT);
    ipi(target_id(), ICR_STARTUP | STATE_PAGE);
    ok(WAIT_UNTIL(cpus[TARGET]->starts == before + 1, 1000), "%s: a processor that runs restarts",
       mode());
    smp_first = NULL;
    set_handler(VECTOR, count_ipi);
    registers_after_init();
    apic_after_init();
    smp_sync();
    ok(taken_by(VECTOR - 1, 0, 0) && taken_by(VECTOR + 1, 0, 0),
       "%s: nothing of before interrupts it", mode());
}

/* ---- What restarts it and what does not ---- */

static bool runs_on(void)
{
    uint32_t before = RUNS;
    return WAIT_UNTIL(RUNS != before, 1000);
}

static void ignored(void)
{
    unsigned before = cpus[TARGET]->starts;
    make_dirty();
    ipi(target_id(), ICR_STARTUP | STARTUP_PAGE);
    ok(runs_on(), "%s: a start-up IPI does not stop who runs", mode());
    icr(target_id(), ICR_INIT | ICR_LEVEL);
    icr(0, ICR_INIT | ICR_LEVEL | ICR_ALL);
    ok(runs_on(), "%s: nor does INIT level de-assert", mode());
    is_u64(cpus[TARGET]->starts, before, "%s: neither starts it again", mode());
    icr(target_id(), ICR_INIT);
    delay_us(100);
    uint32_t stopped = RUNS;
    delay_us(2000);
    is_u64(RUNS, stopped, "%s: INIT stops it", mode());
    is_u64(cpus[TARGET]->starts, before, "%s: it waits", mode());
    ipi(target_id(), VECTOR);
    ipi(target_id(), ICR_INIT);
    delay_us(2000);
    is_u64(cpus[TARGET]->starts, before, "%s: not for an interrupt nor another INIT", mode());
    smp_prepare(STARTUP_PAGE);
    smp_prepare(STARTUP_PAGE + 8);
    ipi(target_id(), ICR_STARTUP | (STARTUP_PAGE + 8));
    ipi(target_id(), ICR_STARTUP | STARTUP_PAGE);
    ok(WAIT_UNTIL(cpus[TARGET]->starts == before + 1, 1000), "%s: but for a start-up IPI", mode());
    smp_sync();
    is_u64(cpus[TARGET]->starts, before + 1, "%s: the first of two", mode());
    is_u64(cpus[TARGET]->at_start.cs, (STARTUP_PAGE + 8) << 8, "%s: and its vector", mode());
    ok(taken_by(VECTOR, 0, 0), "%s: a waiting APIC accepted no interrupt", mode());
}

static void halt(uintptr_t with_interrupts)
{
    cpus[TARGET]->argument = 1;
    cli();
    if (with_interrupts)
        sti_hlt();
    else
        asm volatile("hlt");
    bail_out("the target woke up");
}

static void halted(void)
{
    for (unsigned with_interrupts = 0; with_interrupts < 2; with_interrupts++) {
        smp_idle(false);
        cpu_begin(cpus[TARGET], halt, with_interrupts);
        delay_us(3000);
        ok(smp_restart(target_id(), 0, ONLY_TARGET, STARTUP_PAGE),
           "%s: INIT of a halted one, IF %u", mode(), with_interrupts);
        smp_idle(true);
        delay_us(3000);
    }
    ok(smp_restart(target_id(), 0, ONLY_TARGET, STARTUP_PAGE), "%s: INIT of an idle one", mode());
    ok(smp_restart(target_id(), ICR_LEVEL, ONLY_TARGET, STARTUP_PAGE),
       "%s: whatever the trigger bit says", mode());
}

static void init_self(uintptr_t argument)
{
    (void)argument;
    ipi(0, ICR_INIT | ICR_SELF);
    for (;;)
        RUNS++;
}

/* docs/errata.md, "Shorthand self". */
static void self(void)
{
    unsigned before = cpus[TARGET]->starts;
    cpu_begin(cpus[TARGET], init_self, 0);
    delay_us(3000);
    uint32_t stopped = RUNS;
    delay_us(2000);
    is_u64(RUNS, stopped, "%s: INIT to itself", mode());
    ipi(target_id(), ICR_STARTUP | STARTUP_PAGE);
    ok(WAIT_UNTIL(cpus[TARGET]->starts == before + 1, 1000), "%s: start after it", mode());
    smp_sync();
}

static void broadcast(void)
{
    for (unsigned page = 0x10; page <= 0x90; page += 0x40) {
        ok(smp_restart(0, ICR_OTHERS, APS, page), "%s: start of all others at page 0x%x", mode(),
           page);
        for (unsigned n = 1; n < CPUS; n++) {
            is_u64(cpus[n]->at_start.cs, page << 8, "%s: CPU %u: CS", mode(), n);
            is_u64(cpus[n]->at_start.cr0, n == TARGET ? CR0_ET : CR0_CD | CR0_NW | CR0_ET,
                   "%s: CPU %u: CR0", mode(), n);
            is_u64(cpus[n]->at_start.signature, cpuid(1, 0).eax, "%s: CPU %u: EDX", mode(), n);
        }
    }
}

static void in_either_mode(void)
{
    state();
    ignored();
    halted();
    self();
    broadcast();
}

static void to_x2apic(uintptr_t argument)
{
    (void)argument;
    lapic_enter_x2apic();
}

void test_main(void)
{
    set_handler(VECTOR, count_ipi);
    set_handler(VECTOR - 1, count_ipi);
    set_handler(VECTOR + 1, count_ipi);
    smp_start();
    in_either_mode();
    cpu_call_all(to_x2apic, 0);
    in_either_mode();
}
