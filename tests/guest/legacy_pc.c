/* SPDX-License-Identifier: BSD-2-Clause */
// legacy: on
// testdev: on
// vcpus: 2
// apic: yes
/* The PC's timer and pair of 8259s: external interrupts at LINT0 past IRR and priorities, and the
   same lines at the I/O APIC. Sources: Intel 8254 and 8259A data sheets; SDM Vol 3A, "Local
   Vector Table"; MultiProcessor Specification 1.4, "Interrupt Modes". */
#include "tests/guest/guest.h"
#include "tests/guest/lib/smp.h"

enum {
    PIT_HZ = 1193182,
    MASTER = 0x20,
    SLAVE = 0xa0,
    EOI = 0x20,
    BASE = 0x30,
    SLAVE_BASE = 0x38,
    TIMER_VECTOR = 0xa0,
    IPI_VECTOR = 0x55,
    LINE_OF_PIT = 2,
    LINES = 0x2000, /* of the test device */
    IMCR_EXTINT = 7 << 8,
};

static volatile uint32_t irr_within, isr_within, ppr_within;

static void on_line(struct trap_frame *frame)
{
    count_trap(frame);
    irr_within = lapic_bit(LAPIC_IRR, (unsigned)frame->vector);
    isr_within = lapic_bit(LAPIC_ISR, (unsigned)frame->vector);
    ppr_within = lapic_read(LAPIC_PPR);
    if (frame->vector >= SLAVE_BASE)
        outb(SLAVE, EOI);
    outb(MASTER, EOI);
}

/* Without any end of interrupt: the spurious ones. */
static void on_spurious(struct trap_frame *frame)
{
    count_trap(frame);
}

static void on_apic_vector(struct trap_frame *frame)
{
    count_trap(frame);
    lapic_eoi();
}

static void chips(uint8_t mask, uint8_t slave_mask)
{
    outb(MASTER, 0x11);
    outb(MASTER + 1, BASE);
    outb(MASTER + 1, 1 << 2);
    outb(MASTER + 1, 1);
    outb(SLAVE, 0x11);
    outb(SLAVE + 1, SLAVE_BASE);
    outb(SLAVE + 1, 2);
    outb(SLAVE + 1, 1);
    outb(MASTER + 1, mask);
    outb(SLAVE + 1, slave_mask);
}

static void pit(unsigned mode, unsigned count)
{
    outb(0x43, (uint8_t)(0x30 | mode << 1));
    outb(0x40, (uint8_t)count);
    outb(0x40, (uint8_t)(count >> 8));
}

static void line(unsigned n, bool level)
{
    outb((uint16_t)(LINES + n), level);
}

static unsigned taken(unsigned vector, unsigned ms)
{
    trap_count[vector] = 0;
    sti();
    delay_us(1000 * ms);
    cli();
    return trap_count[vector];
}

static void as_firmware_leaves_it(void)
{
    is_u64(lapic_read(LAPIC_SVR) & SVR_ENABLE, SVR_ENABLE, "the local APIC is enabled");
    is_u64(lapic_read(LAPIC_LVT_LINT0), IMCR_EXTINT, "LINT0 takes external interrupts");
    is_u64(lapic_read(LAPIC_LVT_LINT1), 4 << 8, "LINT1 is NMI");
    is_u64(inb(MASTER + 1), 0xff, "all interrupts are masked at the 8259s");
    is_u64(inb(SLAVE + 1), 0xff, "also at the slave");
}

static void ticks(void)
{
    chips(0xfe, 0xff);
    pit(2, PIT_HZ / 1000);
    in_range(taken(BASE, 50), 48, 52, "mode 2: ticks of 1 ms in 50 ms");
    is_u64(irr_within | isr_within, 0, "the APIC's IRR and ISR know nothing of it");
    pit(3, PIT_HZ / 1000);
    in_range(taken(BASE, 50), 48, 52, "mode 3: the same");
    pit(0, PIT_HZ / 1000);
    is_u64(taken(BASE, 20), 1, "mode 0: one");
    pit(4, PIT_HZ / 1000);
    is_u64(taken(BASE, 20), 1, "mode 4: one");
    trap_count[BASE] = 0;
    pit(2, PIT_HZ / 100);
    for (unsigned i = 0; i < 3; i++)
        asm volatile("sti; hlt; cli");
    is_u64(trap_count[BASE], 3, "each ends a HLT");
}

/* Counter 2 as operating systems measure the TSC with it. */
static void counter_2(void)
{
    outb(0x61, 1);
    outb(0x43, 0xb0);
    outb(0x42, (uint8_t)(PIT_HZ / 100));
    outb(0x42, (uint8_t)(PIT_HZ / 100 >> 8));
    uint64_t start = rdtsc();
    while (!(inb(0x61) & 1 << 5))
        pause();
    in_range((rdtsc() - start) / (tsc_per_ms() / 100), 985, 1015, "counter 2: 10 ms in us * 100");
}

static void interrupt_flag_and_priority(void)
{
    chips(0xfe, 0xff);
    pit(0, PIT_HZ / 1000);
    trap_count[BASE] = 0;
    delay_us(3000);
    is_u64(trap_count[BASE], 0, "held back while interrupts are off");
    is_u64(taken(BASE, 1), 1, "and taken when they are on");
    lapic_write(LAPIC_TPR, 0xff);
    pit(0, PIT_HZ / 1000);
    is_u64(taken(BASE, 3), 1, "the task priority does not hold it back");
    lapic_write(LAPIC_TPR, 0);
}

static void lint0(void)
{
    lapic_write(LAPIC_LVT_LINT0, IMCR_EXTINT | LVT_MASKED);
    pit(0, PIT_HZ / 1000);
    is_u64(taken(BASE, 3), 0, "LINT0 masked: nothing");
    lapic_write(LAPIC_LVT_LINT0, IMCR_EXTINT);
    is_u64(taken(BASE, 1), 1, "unmasked: the level still asks");
    lapic_write(LAPIC_LVT_LINT0, TIMER_VECTOR);
    pit(0, PIT_HZ / 1000);
    is_u64(taken(TIMER_VECTOR, 3), 1, "LINT0 with a vector: the APIC's interrupt");
    outb(MASTER, 0x0c);
    is_u64(inb(MASTER), 0x80, "and the 8259 has not been asked: polling finds its request");
    outb(MASTER, EOI);
    lapic_write(LAPIC_LVT_LINT0, IMCR_EXTINT);
}

static void without_apic(void)
{
    uint64_t base = rdmsr(0x1b);
    wrmsr(0x1b, base & ~(uint64_t)APIC_BASE_EN);
    pit(0, PIT_HZ / 1000);
    is_u64(taken(BASE, 3), 1, "with the APIC off LINT0 is the processor's interrupt pin");
    wrmsr(0x1b, base);
    lapic_enable();
    lapic_write(LAPIC_LVT_LINT0, IMCR_EXTINT);
}

static void both_chips(void)
{
    chips(0x00, 0x00);
    line(3, true);
    line(12, true);
    sti();
    delay_us(100);
    cli();
    is_u64(trap_count[BASE + 3], 1, "line 3 of the master");
    is_u64(trap_count[SLAVE_BASE + 4], 1, "line 12 of the slave");
    line(3, false);
    line(12, false);
    trap_count[BASE + 7] = 0;
    outb(MASTER, 0x0b);
    is_u64(inb(MASTER), 0, "nothing is in service");
}

/* A request that the APIC has seen and that goes before the processor asks the 8259 for it. */
static void spurious(void)
{
    lapic_write(LAPIC_LVT_LINT0, IMCR_EXTINT | LVT_MASKED);
    ioapic_route(0, IMCR_EXTINT, lapic_read(LAPIC_ID) >> 24); /* latches the request */
    line(5, true);
    line(5, false);
    is_u64(taken(BASE + 7, 1), 1, "a request that went away: the spurious vector");
    is_u64(trap_count[BASE + 5], 0, "not its own");
    outb(MASTER, 0x0b);
    is_u64(inb(MASTER), 0, "and nothing in service");
    line(5, true);
    is_u64(taken(BASE + 5, 1), 1, "virtual wire through the I/O APIC's line 0");
    line(5, false);
    ioapic_route(0, IOAPIC_MASKED, 0);
    lapic_write(LAPIC_LVT_LINT0, IMCR_EXTINT);
}

static void io_apic(void)
{
    chips(0xff, 0xff);
    ioapic_route(LINE_OF_PIT, TIMER_VECTOR, lapic_read(LAPIC_ID) >> 24);
    pit(2, PIT_HZ / 1000);
    in_range(taken(TIMER_VECTOR, 50), 48, 52, "the I/O APIC's line 2: ticks of 1 ms in 50 ms");
    ioapic_route(LINE_OF_PIT, IOAPIC_MASKED, 0);
    pit(0, 1);
}

/* Ticks while interrupts of the APIC come by the thousand. */
static void together(void)
{
    chips(0xfe, 0xff);
    pit(2, PIT_HZ / 2000);
    trap_count[BASE] = 0;
    trap_count[IPI_VECTOR] = 0;
    unsigned sent = 0;
    for (uint64_t end = rdtsc() + 50 * tsc_per_ms(); rdtsc() < end; sent++) {
        self_ipi(IPI_VECTOR);
        sti();
        while (trap_count[IPI_VECTOR] <= sent)
            pause();
        cli();
    }
    is_u64(trap_count[IPI_VECTOR], sent, "every IPI is taken beside the ticks");
    in_range(trap_count[BASE], 95, 102, "and every tick beside the IPIs");
    pit(0, 1);
}

/* The other processor has no wire to the 8259s, but can be sent to them. */
static void to_the_other(uintptr_t unused)
{
    (void)unused;
    lapic_enable();
    lapic_write(LAPIC_LVT_LINT0, IMCR_EXTINT);
    sti();
    while (trap_count[BASE + 6] == 0)
        pause();
    cli();
}

static void other_processor(void)
{
    chips(0x00, 0xff);
    lapic_write(LAPIC_LVT_LINT0, IMCR_EXTINT | LVT_MASKED);
    trap_count[BASE + 6] = 0;
    smp_start();
    cli();
    cpu_begin(cpus[1], to_the_other, 0);
    line(6, true);
    delay_us(2000);
    is_u64(trap_count[BASE + 6], 0, "LINT0 of the other processor: not wired");
    line(6, false);
    ioapic_route(0, IMCR_EXTINT, cpus[1]->apic_id);
    line(6, true);
    ok(wait_for(&trap_count[BASE + 6], 1, 100), "an ExtINT message reaches the other processor");
    cpu_wait(cpus[1]);
    line(6, false);
}

void test_main(void)
{
    for (unsigned i = 0; i < 16; i++)
        set_handler(BASE + i, i == 7 ? on_spurious : on_line);
    set_handler(TIMER_VECTOR, on_apic_vector);
    set_handler(IPI_VECTOR, on_apic_vector);
    as_firmware_leaves_it();
    lapic_write(LAPIC_TPR, 0);
    ticks();
    counter_2();
    interrupt_flag_and_priority();
    lint0();
    without_apic();
    both_chips();
    spurious();
    io_apic();
    together();
    other_processor();
}
