/* SPDX-License-Identifier: BSD-2-Clause */
// worlds: without:bochs_2.7 (VM entry there leaves NMIs blocked by another guest: docs/errata.md)
// vcpus: 4
// time_limit: 60s
// apic: yes
/* NMIs from other processors: to halted, busy and disabled ones, in every shadow, and while another
   is handled. SDM Vol 3A, "Nonmaskable Interrupt (NMI)" and "Handling Multiple NMIs"; Vol 2B,
   "STI". */
#include "tests/guest/lib/smp.h"

enum {
    TARGET = 2,
    VECTOR = 0x61,
    STORM = 300,
    PAIRS = 20,
};

static volatile unsigned taken, entered, interrupts;
static volatile bool hold, stop, ready;
static volatile uintptr_t nmi_ip, interrupt_ip;
static volatile unsigned order[2], ordered;

static void on_nmi(struct trap_frame *frame)
{
    nmi_ip = frame->ip;
    if (ordered < 2)
        order[ordered++] = NMI;
    entered++;
    while (hold)
        pause();
    taken++;
}

static void on_interrupt(struct trap_frame *frame)
{
    interrupt_ip = frame->ip;
    if (ordered < 2)
        order[ordered++] = VECTOR;
    interrupts++;
    lapic_eoi();
}

static void send_nmi(void)
{
    ipi(cpus[TARGET]->apic_id, ICR_NMI);
}

static void begin(cpu_function *function)
{
    taken = entered = interrupts = ordered = 0;
    hold = stop = ready = false;
    cpu_begin(cpus[TARGET], function, 0);
    if (!WAIT_UNTIL(ready, 1000))
        bail_out("the target is not ready");
    delay_us(2000);
}

/* ---- Halted ---- */

static void halt_masked(uintptr_t argument)
{
    (void)argument;
    cli();
    lapic_write(LAPIC_TPR, 0xff);
    ready = true;
    asm volatile("hlt");
    lapic_write(LAPIC_TPR, 0);
    sti();
}

static void wakes(void)
{
    begin(halt_masked);
    ipi(cpus[TARGET]->apic_id, VECTOR);
    delay_us(2000);
    ok(cpus[TARGET]->function, "a masked interrupt does not end HLT");
    send_nmi();
    cpu_wait(cpus[TARGET]);
    is_u64(taken, 1, "an NMI does, with IF clear and the priority at its highest");
    is_u64(interrupts, 1, "the interrupt came later");
    begin(halt_masked);
    send_nmi();
    send_nmi();
    cpu_wait(cpus[TARGET]);
    smp_sync();
    is_u64(taken, 2, "two NMIs to a halted processor");
}

/* ---- While another is handled ---- */

static void spin(uintptr_t argument)
{
    (void)argument;
    ready = true;
    while (!stop)
        pause();
}

static void blocked(unsigned sent, unsigned expected)
{
    begin(spin);
    hold = true;
    send_nmi();
    if (!WAIT_UNTIL(entered == 1, 1000))
        bail_out("the NMI's handler does not begin");
    for (unsigned i = 0; i < sent; i++)
        send_nmi();
    delay_us(2000);
    is_u64(entered, 1, "%u more during the handler do not interrupt it", sent);
    hold = false;
    stop = true;
    cpu_wait(cpus[TARGET]);
    is_u64(taken, 1 + expected, "of %u more during the handler, %u come after it", sent, expected);
}

/* ---- Not running ---- */

static void spin_hard(uintptr_t argument)
{
    (void)argument;
    ready = true;
    while (!stop)
        asm volatile("" : : : "memory");
}

static void send_pairs(uintptr_t argument)
{
    (void)argument;
    for (unsigned i = 1; i <= PAIRS; i++) {
        send_nmi();
        send_nmi();
        WAIT_UNTIL(taken == 2 * i, 50);
        delay_us(700);
    }
    stop = true;
}

/* It shares its real processor with this one: half of them find it waiting for its turn. */
static void pairs(void)
{
    begin(spin_hard);
    cpu_begin(cpus[1], send_pairs, 0);
    spin_hard(0);
    cpu_wait(cpus[1]);
    cpu_wait(cpus[TARGET]);
    smp_sync();
    is_u64(taken, 2 * PAIRS, "pairs of NMIs to a processor that has not always a real one");
}

/* ---- Disabled ---- */

static void spin_disabled(uintptr_t argument)
{
    lapic_write(LAPIC_SVR, 0xff);
    spin(argument);
    lapic_enable();
}

static void disabled(void)
{
    begin(spin_disabled);
    send_nmi();
    ok(WAIT_UNTIL(taken == 1, 1000), "a software-disabled APIC takes an NMI");
    ipi(cpus[TARGET]->apic_id, VECTOR);
    delay_us(1000);
    stop = true;
    cpu_wait(cpus[TARGET]);
    is_u64(interrupts, 0, "but no interrupt");
}

/* ---- In every shadow ---- */

/* Each way to block interrupts for an instruction, in turn with IF clear and set. */
static void shadows(uintptr_t argument)
{
    (void)argument;
    ready = true;
    while (!stop)
        asm volatile("sti; nop; cli; nop; mov %%ss, %%eax; mov %%eax, %%ss; nop; sti; mov %%eax, "
                     "%%ss; nop; pushf; popf; sti; cli"
                     :
                     :
                     : "eax", "memory");
    sti();
}

static void acknowledged_storm(void)
{
    unsigned n = 0;
    begin(shadows);
    while (n < STORM) {
        send_nmi();
        if (n & 1)
            ipi(cpus[TARGET]->apic_id, VECTOR);
        n++;
        if (!WAIT_UNTIL(taken == n && interrupts == n / 2, 1000))
            break;
    }
    stop = true;
    cpu_wait(cpus[TARGET]);
    is_u64(taken, STORM, "NMIs one by one into shadows of STI and MOV SS");
    is_u64(interrupts, STORM / 2, "and interrupts between them");
}

/* The write of the ICR stands in the shadow of STI, an interrupt is pending already. */
static void both_at_once(void)
{
    uintptr_t behind;
    ordered = 0;
    cli();
    self_ipi(VECTOR);
    lapic_write(LAPIC_ICR_HIGH, boot_cpu.apic_id << 24);
    asm volatile("lea 1f(%%rip), %0; sti; movl %1, (%2); 1: nop; cli"
                 : "=&r"(behind)
                 : "r"(ICR_NMI | ICR_ASSERT), "r"(LAPIC_BASE + LAPIC_ICR)
                 : "memory");
    sti();
    is_u64(order[0], NMI, "of an NMI and an interrupt the NMI comes first");
    is_u64(order[1], VECTOR, "then the interrupt");
    is_u64(nmi_ip, behind, "both behind the shadow: the NMI");
    is_u64(interrupt_ip, behind, "and the interrupt");
}

void test_main(void)
{
    smp_start();
    set_handler(NMI, on_nmi);
    set_handler(VECTOR, on_interrupt);
    both_at_once();
    smp_idle(false);
    wakes();
    blocked(1, 1);
    blocked(2, 1);
    blocked(3, 1);
    pairs();
    disabled();
    acknowledged_storm();
    set_handler(NMI, count_nmi);
    ok(sent_to(1, cpus[TARGET]->apic_id, ICR_NMI, 1 << TARGET), "one more from another processor");
}
