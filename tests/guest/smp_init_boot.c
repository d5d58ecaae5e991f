/* SPDX-License-Identifier: BSD-2-Clause */
// vcpus: 3
// time_limit: 30s
// apic: yes
/* INIT to the boot processor, which goes on at the reset vector without a start-up IPI, and NMIs to
   a processor that waits for one, which are blocked until it comes. The test runs on CPU 1.
   SDM Vol 3A, "MP Initialization Protocol Algorithm for MP Systems" and "First Instruction
   Executed"; Vol 3C, "Other Causes of VM Exits", on NMIs in the wait-for-SIPI state.

   There is no memory at the reset vector, so all ones are fetched from it, which is no instruction:
   the exception's vector leads on to the start page. */
#include "tests/guest/lib/smp.h"

enum {
    BOOT = 1 << 0,
    TARGET = 2,
    RESET_CS = 0xf000,
    RESET_IP = 0xfff0,
    RESET_FLAGS = 2,
    STACK_TOP = 0x10000, /* of real mode, as SS and SP are 0 */
    PAGE = 0x9,
    ON_NMI = 0x20, /* as asm/smp_init_boot.asm has them */
    COUNT = 0x30,
    VECTOR = 0x61,
};

extern const char nmi_page[], nmi_page_end[];

/* The boot processor as it comes up again: with the stack of its number, like all others. */
#define REBORN ((struct cpu *)CPU_AREAS)

static volatile bool ready;

static void real_mode_vector(unsigned vector, unsigned segment, unsigned offset)
{
    volatile uint16_t *entry = (volatile uint16_t *)(uintptr_t)(vector * 4);
    asm("" : "+r"(entry)); /* an address that the compiler takes for a null pointer */
    entry[0] = (uint16_t)offset;
    entry[1] = (uint16_t)segment;
}

static const char *mode(void)
{
    return this_cpu()->x2apic ? "x2APIC" : "xAPIC";
}

/* ---- INIT of the boot processor ---- */

static void halt(uintptr_t argument)
{
    (void)argument;
    cli();
    ready = true;
    for (;;)
        asm volatile("hlt");
}

/* With its timer running and an interrupt in service. */
static void on_interrupt(struct trap_frame *frame)
{
    (void)frame;
    lapic_timer_start(VECTOR + 16, 1000);
    ready = true;
    for (;;)
        pause();
}

static void be_busy(uintptr_t argument)
{
    (void)argument;
    self_ipi(VECTOR);
}

static bool clean;
static uint64_t base;

static void look_at_apic(void)
{
    base = rdmsr(MSR_APIC_BASE);
    clean = lapic_read(LAPIC_SVR) == 0xff && lapic_read(LAPIC_LVT_TIMER) == LVT_MASKED &&
            lapic_read(LAPIC_TIMER_CURRENT) == 0;
    for (unsigned word = 0; word < 8; word++)
        clean &= lapic_read(LAPIC_ISR + word * 16) == 0 && lapic_read(LAPIC_IRR + word * 16) == 0;
}

static void goes_on_at_the_reset_vector(const char *state)
{
    const volatile uint16_t *frame = (const volatile uint16_t *)STACK_TOP - 3;
    unsigned before = REBORN->starts;
    uint64_t expected = APIC_BASE_EN | APIC_BASE_BSP | (this_cpu()->x2apic ? APIC_BASE_EXTD : 0);
    memset((void *)frame, 0, 3 * sizeof(*frame));
    clean = false;
    smp_prepare(STARTUP_PAGE);
    smp_first = look_at_apic;
    ipi(boot_cpu.apic_id, ICR_INIT | ICR_LEVEL);
    ipi(boot_cpu.apic_id, ICR_INIT);
    ok(WAIT_UNTIL(REBORN->starts == before + 1, 1000), "%s: INIT restarts it while %s", mode(),
       state);
    smp_first = NULL;
    is_u64(frame[0], RESET_IP, "%s: IP", mode());
    is_u64(frame[1], RESET_CS, "%s: CS", mode());
    is_u64(frame[2], RESET_FLAGS, "%s: FLAGS", mode());
    is_u64(REBORN->at_start.cr0, CR0_ET, "%s: CR0", mode());
    is_u64(REBORN->at_start.signature, cpuid(1, 0).eax, "%s: EDX", mode());
    is_u64(base, LAPIC_BASE | expected, "%s: IA32_APIC_BASE", mode());
    ok(clean, "%s: its APIC is as after reset", mode());
    ipi(boot_cpu.apic_id, ICR_STARTUP | STARTUP_PAGE);
    ok(sent_to(1, boot_cpu.apic_id, VECTOR + 1, BOOT), "%s: it takes interrupts", mode());
    is_u64(REBORN->starts, before + 1, "%s: a start-up IPI has no effect", mode());
}

static void after(cpu_function *work)
{
    ready = false;
    cpu_begin(REBORN, work, 0);
    if (!WAIT_UNTIL(ready, 1000))
        bail_out("the boot processor does not begin its work");
    delay_us(1000);
}

/* ---- NMIs to who waits for a start-up IPI ---- */

static void in_nmi(struct trap_frame *frame)
{
    (void)frame;
    ready = true;
    for (;;)
        pause();
}

static unsigned nmis_taken(unsigned before, unsigned meanwhile)
{
    const volatile uint16_t *count = (const volatile uint16_t *)(PAGE * PAGE_SIZE + COUNT);
    struct cpu *cpu = cpus[TARGET];
    unsigned starts = cpu->starts;
    memset((void *)(PAGE * PAGE_SIZE), 0, PAGE_SIZE);
    memcpy((void *)(PAGE * PAGE_SIZE), nmi_page, (size_t)(nmi_page_end - nmi_page));
    cpu->offline = true;
    smp_sync();
    while (before--)
        ipi(cpu->apic_id, ICR_NMI);
    ipi(cpu->apic_id, ICR_INIT);
    while (meanwhile--) {
        delay_us(500);
        ipi(cpu->apic_id, ICR_NMI);
    }
    delay_us(500);
    is_u64(*count, 0, "%s: nothing runs before the start-up IPI", mode());
    ipi(cpu->apic_id, ICR_STARTUP | PAGE);
    if (!WAIT_UNTIL(cpu->starts == starts + 1, 1000))
        bail_out("CPU %u does not start", cpu->number);
    cpu->offline = false;
    smp_sync();
    return *count;
}

static void blocked_nmis(void)
{
    real_mode_vector(NMI, PAGE << 8, ON_NMI);
    for (unsigned sent = 0; sent <= 3; sent++)
        is_u64(nmis_taken(0, sent), sent > 0, "%s: NMIs after the start, of %u sent before it",
               mode(), sent);
    is_u64(nmis_taken(2, 0), 0, "%s: none of before the INIT", mode());
    is_u64(nmis_taken(2, 1), 1, "%s: but of after it", mode());
    set_handler(NMI, in_nmi);
    ready = false;
    ipi(cpus[TARGET]->apic_id, ICR_NMI);
    ok(WAIT_UNTIL(ready, 1000), "%s: an NMI's handler is running", mode());
    is_u64(nmis_taken(1, 1), 1, "%s: INIT ends the blocking of NMIs by a handler", mode());
    set_handler(NMI, count_nmi);
    cpus[TARGET]->count[NMI] = 0;
    ok(sent_to(1, cpus[TARGET]->apic_id, ICR_NMI, 1 << TARGET), "%s: then NMIs as always", mode());
}

/* ---- INIT of everybody ---- */

static unsigned starts_before[TARGET + 1];

/* The boot processor alone is there, and starts the others. */
static void take_over(void)
{
    if (this_cpu() != REBORN)
        return;
    smp_first = NULL;
    delay_us(2000);
    ok(started(0, starts_before), "%s: INIT of all including self: the others wait", mode());
    ipi(0, ICR_OTHERS | ICR_STARTUP | STARTUP_PAGE);
    ok(started(1 << 1 | 1 << TARGET, starts_before), "%s: the boot processor starts them", mode());
    finish();
}

static void to_x2apic(uintptr_t argument)
{
    (void)argument;
    lapic_enter_x2apic();
}

static void drive(uintptr_t argument)
{
    (void)argument;
    if (!WAIT_UNTIL(ready, 1000))
        bail_out("the boot processor does not begin its work");
    for (unsigned x2apic = 0; x2apic < 2; x2apic++) {
        if (x2apic)
            cpu_call_all(to_x2apic, 0);
        goes_on_at_the_reset_vector(x2apic ? "idle" : "halted with IF clear");
        after(be_busy);
        goes_on_at_the_reset_vector("in a handler");
        after(halt);
        goes_on_at_the_reset_vector("halted once more");
        blocked_nmis();
    }
    for (unsigned n = 0; n <= TARGET; n++)
        starts_before[n] = cpus[n]->starts;
    smp_first = take_over;
    ipi(0, ICR_ALL | ICR_INIT);
    bail_out("CPU 1 goes on after INIT");
}

void test_main(void)
{
    real_mode_vector(UD, STARTUP_PAGE << 8, 0);
    set_handler(VECTOR, on_interrupt);
    set_handler(VECTOR + 1, count_ipi);
    set_handler(VECTOR + 16, count_ipi);
    smp_start();
    memset(REBORN, 0, sizeof(*REBORN));
    cpus[0] = REBORN;
    cpu_begin(cpus[1], drive, 0);
    halt(0);
}
