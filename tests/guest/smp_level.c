/* SPDX-License-Identifier: BSD-2-Clause */
// vcpus: 4
// time_limit: 60s
// apic: yes
/* Level-triggered interrupts of the I/O APIC to every processor: remote IRR, TMR and EOI, lines
   that stay asserted, two lines with one vector, EOI broadcast suppression and directed EOI. The
   UART and the clock chip hold their lines until they are read. SDM Vol 3A, "EOI" and "Signaling
   Interrupt Servicing Completion"; 82093AA datasheet; ICH datasheets for the EOI register. */
#include "tests/guest/lib/smp.h"

enum {
    CPUS = 4,
    COM1 = 0x3f8,
    IER = COM1 + 1,
    IIR = COM1 + 2,
    MCR = COM1 + 4,
    LSR = COM1 + 5,
    IER_TRANSMITTER = 1 << 1,
    MCR_OUT2 = 1 << 3,
    LSR_IDLE = 0x60,
    UART_PIN = 4,
    CMOS_INDEX = 0x70,
    CMOS_DATA = 0x71,
    STATUS_A = 10,
    STATUS_B = 11,
    STATUS_C = 12,
    A_FAST = 0x23, /* 8192 Hz */
    A_USUAL = 0x26,
    B_24_HOURS = 1 << 1,
    B_PERIODIC = 1 << 6,
    CLOCK_PIN = 8,
    VECTOR = 0x65,
    LOGICAL = 1 << 11,
    LOWEST = 1 << 8,
    REMOTE_IRR = 1 << 14,
    EOI_REGISTER = 0x40,
    SVR_SUPPRESS = 1 << 12,
    SPURIOUS = 0xff,
    NOBODY = 0xee,
};

/* ---- Sources ---- */

static void raise_uart(void)
{
    while ((inb(LSR) & LSR_IDLE) != LSR_IDLE)
        pause();
    outb(IER, IER_TRANSMITTER);
}

static void lower_uart(void)
{
    outb(IER, 0);
    inb(IIR);
}

static uint8_t cmos(unsigned index)
{
    outb(CMOS_INDEX, (uint8_t)index);
    return inb(CMOS_DATA);
}

static void cmos_write(unsigned index, uint8_t value)
{
    outb(CMOS_INDEX, (uint8_t)index);
    outb(CMOS_DATA, value);
}

static void raise_clock(void)
{
    cmos_write(STATUS_A, A_FAST);
    cmos_write(STATUS_B, B_24_HOURS | B_PERIODIC);
    delay_us(1000);
    cmos_write(STATUS_A, A_USUAL);
}

static void lower_clock(void)
{
    cmos_write(STATUS_B, B_24_HOURS);
    cmos(STATUS_C);
}

/* ---- Taking them ---- */

static volatile unsigned total, ended, lower_uart_at, lower_clock_at, wait_for_takers;
static volatile uint32_t uart_entry, clock_entry;
static volatile bool tmr, isr, irr, hold_eoi;
static volatile unsigned retarget; /* the ID that the handler gives the entry, or NOBODY */

static uint32_t entry(unsigned pin)
{
    return ioapic_read(IOAPIC_ENTRY + 2 * pin);
}

static void on_level(struct trap_frame *frame)
{
    unsigned nth = __atomic_add_fetch(&total, 1, __ATOMIC_SEQ_CST);
    this_cpu()->count[frame->vector]++;
    if (nth <= wait_for_takers)
        while (total < wait_for_takers)
            pause();
    if (nth >= wait_for_takers) {
        uart_entry = entry(UART_PIN);
        clock_entry = entry(CLOCK_PIN);
        tmr = lapic_bit(LAPIC_TMR, VECTOR);
        isr = lapic_bit(LAPIC_ISR, VECTOR);
        irr = lapic_bit(LAPIC_IRR, VECTOR);
        if (retarget != NOBODY)
            ioapic_write(IOAPIC_ENTRY + 2 * UART_PIN + 1, retarget << 24);
        if (nth >= lower_uart_at)
            lower_uart();
        if (nth >= lower_clock_at)
            lower_clock();
        wait_for_takers = 0;
    } else {
        while (wait_for_takers)
            pause();
    }
    lapic_eoi();
    __atomic_fetch_add(&ended, 1, __ATOMIC_SEQ_CST);
}

static void expect_from(unsigned uart_times, unsigned clock_times)
{
    total = ended = 0;
    lower_uart_at = uart_times;
    lower_clock_at = clock_times;
    wait_for_takers = 0;
    retarget = NOBODY;
}

/* Everything has come; exactly those in the mask took so many each. */
static void see_takers(uint64_t mask, unsigned times)
{
    delay_us(500);
    smp_sync();
    smp_right &= taken_by(VECTOR, mask, times);
}

static void see_remote_irr(unsigned pin, bool expected, const char *what)
{
    smp_see(!!(entry(pin) & REMOTE_IRR), expected, what, 0);
}

static void done(const char *what)
{
    lower_uart();
    lower_clock();
    ioapic_route(UART_PIN, IOAPIC_MASKED, 0);
    ioapic_route(CLOCK_PIN, IOAPIC_MASKED, 0);
    smp_done(what);
}

static void route_uart(unsigned n, uint32_t flags)
{
    ioapic_route(UART_PIN, VECTOR | IOAPIC_LEVEL | flags, cpus[n]->apic_id);
}

/* ---- To each processor ---- */

static void each(void)
{
    for (unsigned n = 0; n < CPUS; n++)
        for (unsigned times = 1; times <= 4; times++) {
            expect_from(times, 1);
            route_uart(n, 0);
            raise_uart();
            see_takers(1u << n, times);
            smp_see(!!(uart_entry & REMOTE_IRR), true, "remote IRR in the handler", 0);
            smp_see(tmr, true, "TMR in the handler", 0);
            smp_see(isr, true, "ISR in the handler", 0);
            smp_see(irr, false, "IRR in the handler", 0);
            see_remote_irr(UART_PIN, false, "remote IRR after the last EOI");
        }
    done("one more interrupt after each EOI while the line is asserted");
}

static void raise_and_lower_again(void)
{
    for (unsigned n = 0; n < CPUS; n++) {
        expect_from(1, 1);
        route_uart(n, 0);
        for (unsigned i = 1; i <= 3; i++) {
            raise_uart();
            WAIT_UNTIL(ended == i, 100);
        }
        see_takers(1u << n, 3);
    }
    done("one interrupt for each time that the line is asserted");
}

/* Acceptance makes TMR say how the last one arrived, whoever sent it. */
static void edge_between(void)
{
    for (unsigned n = 0; n < CPUS; n++)
        for (unsigned times = 1; times <= 3; times++) {
            expect_from(1, 1);
            route_uart(n, 0);
            raise_uart();
            see_takers(1u << n, 1);
            smp_see(tmr, true, "TMR in the handler", n);
            ipi(cpus[n]->apic_id, VECTOR);
            see_takers(1u << n, 1);
            smp_see(tmr, false, "TMR in the handler of an edge", n);
        }
    done("an edge of the same vector after each");
}

/* ---- Held back by the target ---- */

static void raise_tpr(uintptr_t priority)
{
    lapic_write(LAPIC_TPR, (uint32_t)priority);
}

static void see_held(uintptr_t argument)
{
    (void)argument;
    WAIT_UNTIL(lapic_bit(LAPIC_IRR, VECTOR), 100);
    smp_see(lapic_bit(LAPIC_IRR, VECTOR), true, "IRR while TPR holds", 0);
    smp_see(lapic_bit(LAPIC_TMR, VECTOR), true, "TMR while TPR holds", 0);
    smp_see(lapic_bit(LAPIC_ISR, VECTOR), false, "ISR while TPR holds", 0);
}

static void held(void)
{
    smp_idle(false);
    for (unsigned n = 0; n < CPUS; n++) {
        expect_from(1, 1);
        route_uart(n, 0);
        cpu_call(cpus[n], raise_tpr, VECTOR & 0xf0);
        raise_uart();
        cpu_call(cpus[n], see_held, 0);
        smp_see(total, 0, "interrupts while TPR holds", 0);
        see_remote_irr(UART_PIN, true, "remote IRR while TPR holds");
        lower_uart();
        see_remote_irr(UART_PIN, true, "remote IRR when the line is released meanwhile");
        cpu_call(cpus[n], raise_tpr, 0);
        see_takers(1u << n, 1);
        see_remote_irr(UART_PIN, false, "remote IRR after the EOI");
    }
    done("what was accepted is delivered though the line was released");
}

/* ---- Changes while in service ---- */

static void changed(void)
{
    for (unsigned n = 0; n < CPUS; n++) {
        expect_from(2, 1);
        unsigned next = (n + 1) % CPUS;
        route_uart(n, 0);
        retarget = cpus[next]->apic_id;
        raise_uart();
        see_takers(1u << n | 1u << next, 1);
    }
    for (unsigned n = 0; n < CPUS; n++) {
        expect_from(2, 1);
        route_uart(n, IOAPIC_MASKED);
        raise_uart();
        see_takers(0, 0);
        see_remote_irr(UART_PIN, false, "remote IRR of a masked line");
        ioapic_write(IOAPIC_ENTRY + 2 * UART_PIN, VECTOR | IOAPIC_LEVEL);
        see_takers(1u << n, 2);
    }
    done("a new destination counts from the next interrupt on; unmasking an asserted line");
}

/* ---- Two lines, one vector ---- */

static void shared(void)
{
    smp_idle(false);
    for (unsigned n = 0; n < CPUS; n++) {
        expect_from(2, 3);
        route_uart(n, IOAPIC_MASKED);
        ioapic_route(CLOCK_PIN, VECTOR | IOAPIC_LEVEL | IOAPIC_MASKED, cpus[n]->apic_id);
        raise_uart();
        raise_clock();
        cpu_call(cpus[n], raise_tpr, VECTOR & 0xf0);
        ioapic_write(IOAPIC_ENTRY + 2 * UART_PIN, VECTOR | IOAPIC_LEVEL);
        ioapic_write(IOAPIC_ENTRY + 2 * CLOCK_PIN, VECTOR | IOAPIC_LEVEL);
        cpu_call(cpus[n], see_held, 0);
        see_remote_irr(UART_PIN, true, "remote IRR of the UART");
        see_remote_irr(CLOCK_PIN, true, "remote IRR of the clock");
        cpu_call(cpus[n], raise_tpr, 0);
        see_takers(1u << n, 3);
        smp_see(!!(uart_entry & REMOTE_IRR), false, "remote IRR of the UART in the third", 0);
        smp_see(!!(clock_entry & REMOTE_IRR), true, "remote IRR of the clock in the third", 0);
        see_remote_irr(CLOCK_PIN, false, "remote IRR of the clock after it");
    }
    done("two lines with one vector: again until both are released");
}

/* ---- Suppression ---- */

static void write_svr(uintptr_t value)
{
    lapic_write(LAPIC_SVR, (uint32_t)value);
}

static void directed_eoi(unsigned vector)
{
    mmio_write32(IOAPIC_BASE + EOI_REGISTER, vector);
}

static void suppressed(void)
{
    smp_see(lapic_read(LAPIC_VERSION) >> 24 & 1, 1, "version bit 24", 0);
    for (unsigned n = 0; n < CPUS; n++) {
        cpu_call(cpus[n], write_svr, SVR_SUPPRESS | SVR_ENABLE | SPURIOUS);
        expect_from(3, 1);
        route_uart(n, 0);
        raise_uart();
        for (unsigned nth = 1; nth <= 3; nth++) {
            see_takers(1u << n, 1);
            smp_see(total, nth, "interrupts until a directed EOI", 0);
            see_remote_irr(UART_PIN, true, "remote IRR after a suppressed EOI");
            directed_eoi(VECTOR + 1);
            see_takers(0, 0);
            see_remote_irr(UART_PIN, true, "remote IRR after an EOI for another vector");
            directed_eoi(VECTOR);
        }
        see_takers(0, 0);
        see_remote_irr(UART_PIN, false, "remote IRR after the directed EOI");
        cpu_call(cpus[n], write_svr, SVR_ENABLE | SPURIOUS);
        expect_from(2, 1);
        raise_uart();
        see_takers(1u << n, 2);
    }
    done("EOI broadcast suppression and directed EOI");
}

/* ---- Other destinations ---- */

static uint32_t logical_id(unsigned n)
{
    return 1u << n; /* in flat mode, and in cluster 0 of x2APIC mode */
}

static void set_logical_id(uintptr_t argument)
{
    (void)argument;
    if (!this_cpu()->x2apic)
        lapic_write(LAPIC_LDR, logical_id(this_cpu()->number) << 24);
}

static void sets(void)
{
    for (unsigned mask = 1; mask < 1 << CPUS; mask++) {
        unsigned takers = 0, rest = mask;
        for (unsigned n = 0; n < CPUS; n++)
            takers += mask >> n & 1;
        expect_from(3, 1);
        ioapic_route(UART_PIN, VECTOR | IOAPIC_LEVEL | LOGICAL | LOWEST, mask);
        raise_uart();
        for (unsigned nth = VECTOR % takers; nth; nth--)
            rest &= rest - 1;
        see_takers(rest & -rest, 3);
        lower_uart();
        expect_from(1, 1);
        wait_for_takers = takers;
        ioapic_route(UART_PIN, VECTOR | IOAPIC_LEVEL | LOGICAL, mask);
        raise_uart();
        see_takers(mask, 1);
        see_remote_irr(UART_PIN, false, "remote IRR after all EOIs");
    }
    done("sets of processors: one of lowest priority, or all");
    expect_from(1, 1);
    wait_for_takers = CPUS;
    ioapic_route(UART_PIN, VECTOR | IOAPIC_LEVEL, 0xff);
    raise_uart();
    see_takers((1 << CPUS) - 1, 1);
    done("broadcast");
    expect_from(1, 1);
    ioapic_route(UART_PIN, VECTOR | IOAPIC_LEVEL, NOBODY);
    raise_uart();
    see_takers(0, 0);
    see_remote_irr(UART_PIN, false, "remote IRR when nobody took it");
    done("an ID that nobody has");
}

static void all(void)
{
    static void (*const tests[])(void) = {
        each, raise_and_lower_again, edge_between, held, changed, shared, suppressed, sets};
    cpu_call_all(set_logical_id, 0);
    for (unsigned i = 0; i < sizeof(tests) / sizeof(*tests); i++) {
        smp_idle(true);
        tests[i]();
    }
    smp_idle(false);
    each();
    edge_between();
}

static void to_x2apic(uintptr_t argument)
{
    (void)argument;
    lapic_enter_x2apic();
}

void test_main(void)
{
    set_handler(VECTOR, on_level);
    smp_start();
    outb(IER, 0);
    outb(MCR, MCR_OUT2);
    all();
    cpu_call_all(to_x2apic, 0);
    all();
}
