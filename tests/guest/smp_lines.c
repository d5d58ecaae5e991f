/* SPDX-License-Identifier: BSD-2-Clause */
// vcpus: 4
// testdev: on
// time_limit: 60s
// apic: yes
/* Level-triggered lines to all processors at once: two of each, every rise taken exactly once, with
   EOIs as broadcast and as directed; one vector in service on two processors; and what an I/O APIC
   can send besides. The test device drives the lines. SDM Vol 3A, "EOI" and "Signaling Interrupt
   Servicing Completion"; 82093AA datasheet; ICH datasheets for the EOI register. */
#include "tests/guest/lib/smp.h"

enum {
    CPUS = 4,
    LINES = 0x2000, /* the test device's port for line 0 */
    FIRST = 16,
    EACH = 2, /* lines of a processor */
    COUNT = CPUS * EACH,
    VECTOR = 0x40, /* plus 16 for each: a class of its own */
    SHARED = 0xd1,
    ROUNDS = 40,
    EOI_REGISTER = 0x40,
    REMOTE_IRR = 1 << 14,
    SVR_SUPPRESS = 1 << 12,
    SPURIOUS = 0xff,
    ESR_RECEIVE_ILLEGAL = 1 << 6,
};

static void set_line(unsigned line, bool level)
{
    outb((uint16_t)(LINES + line), level);
}

/* ---- The I/O APIC's two registers, of which there is one pair for all ---- */

static volatile bool taken;

static void lock(void)
{
    cli();
    while (__atomic_test_and_set(&taken, __ATOMIC_ACQUIRE))
        pause();
}

static void unlock(void)
{
    __atomic_clear(&taken, __ATOMIC_RELEASE);
    sti();
}

static void route(unsigned line, uint32_t low, uint32_t destination)
{
    lock();
    ioapic_route(line, low, destination);
    unlock();
}

static void write_low(unsigned line, uint32_t low)
{
    lock();
    ioapic_write(IOAPIC_ENTRY + 2 * line, low);
    unlock();
}

static bool remote_irr(unsigned line)
{
    lock();
    uint32_t low = ioapic_read(IOAPIC_ENTRY + 2 * line);
    unlock();
    return low & REMOTE_IRR;
}

/* ---- All at once ---- */

static volatile bool directed;
static volatile unsigned count[COUNT], last_taker[COUNT];

static void end(unsigned vector)
{
    lapic_eoi();
    if (directed)
        mmio_write32(IOAPIC_BASE + EOI_REGISTER, vector);
}

static void on_line(struct trap_frame *frame)
{
    unsigned n = (unsigned)(frame->vector - VECTOR) >> 4;
    set_line(FIRST + n, false);
    last_taker[n] = this_cpu()->number;
    end((unsigned)frame->vector);
    count[n]++;
}

static unsigned wrong;

/* Raise each own line again and again, to one processor after the other. */
static void drive(uintptr_t argument)
{
    unsigned me = this_cpu()->number;
    (void)argument;
    for (unsigned i = 1; i <= ROUNDS; i++)
        for (unsigned n = me * EACH; n < (me + 1) * EACH; n++) {
            unsigned taker = (me + i + n) % CPUS;
            route(FIRST + n, (VECTOR + 16 * n) | IOAPIC_LEVEL, cpus[taker]->apic_id);
            set_line(FIRST + n, true);
            if (!WAIT_UNTIL(count[n] >= i, 1000) || count[n] != i || last_taker[n] != taker)
                __atomic_fetch_add(&wrong, 1, __ATOMIC_RELAXED);
        }
}

static void write_svr(uintptr_t value)
{
    lapic_write(LAPIC_SVR, (uint32_t)value);
}

static void all_at_once(bool suppressed, const char *what)
{
    directed = suppressed;
    wrong = 0;
    for (unsigned n = 0; n < COUNT; n++)
        count[n] = 0;
    cpu_call_all(write_svr, (suppressed ? SVR_SUPPRESS : 0) | SVR_ENABLE | SPURIOUS);
    cpu_call_all(drive, 0);
    smp_sync();
    smp_see(wrong, 0, "rises that were not taken once, of", COUNT * ROUNDS);
    for (unsigned n = 0; n < COUNT; n++) {
        smp_see(count[n], ROUNDS, "interrupts of line", FIRST + n);
        smp_see(remote_irr(FIRST + n), false, "remote IRR of line", FIRST + n);
        route(FIRST + n, IOAPIC_MASKED, 0);
    }
    cpu_call_all(write_svr, SVR_ENABLE | SPURIOUS);
    directed = false;
    smp_done(what);
}

/* ---- Held in service ---- */

static volatile unsigned held, released; /* processors, by number */

static void on_held(struct trap_frame *frame)
{
    unsigned me = this_cpu()->number;
    this_cpu()->count[frame->vector]++;
    __atomic_fetch_or(&held, 1u << me, __ATOMIC_SEQ_CST);
    while (!(released >> me & 1))
        pause();
    end((unsigned)frame->vector);
}

/* Raise the line and wait until handlers run on the processors in the mask. */
static void raise(unsigned line, unsigned mask)
{
    set_line(line, true);
    if (!WAIT_UNTIL(held == mask, 1000))
        bail_out("handlers run on processors 0x%x, expected 0x%x", held, mask);
}

/* Let the handlers of all go on; how often each has begun since. */
static void release(const unsigned times[CPUS])
{
    released = (1 << CPUS) - 1;
    delay_us(500);
    smp_sync();
    for (unsigned n = 0; n < CPUS; n++) {
        smp_see(cpus[n]->count[SHARED], times[n], "interrupts of CPU", n);
        cpus[n]->count[SHARED] = 0;
    }
    held = released = 0;
}

/* An EOI tells nothing but its vector: it ends the interrupt of another processor as well, whose
   line, if it is still asserted, interrupts again. */
static void one_vector_on_two(void)
{
    enum { A = 1, B = 2, LINE_A = FIRST, LINE_B = FIRST + COUNT - 1 };
    route(LINE_A, SHARED | IOAPIC_LEVEL, cpus[A]->apic_id);
    route(LINE_B, SHARED | IOAPIC_LEVEL, cpus[B]->apic_id);
    raise(LINE_A, 1 << A);
    raise(LINE_B, 1 << A | 1 << B);
    set_line(LINE_A, false);
    smp_see(remote_irr(LINE_A), true, "remote IRR in service, of line", LINE_A);
    smp_see(remote_irr(LINE_B), true, "remote IRR in service, of line", LINE_B);
    released = 1 << A;
    WAIT_UNTIL(!remote_irr(LINE_A), 1000);
    smp_see(remote_irr(LINE_A), false, "remote IRR after the EOI, of line", LINE_A);
    smp_see(remote_irr(LINE_B), true, "remote IRR, sent again, of line", LINE_B);
    set_line(LINE_B, false);
    release((const unsigned[CPUS]){0, 1, 2, 0});
    smp_see(remote_irr(LINE_B), false, "remote IRR after all EOIs, of line", LINE_B);
    route(LINE_A, IOAPIC_MASKED, 0);
    route(LINE_B, IOAPIC_MASKED, 0);
    smp_done("an EOI ends its vector wherever it is in service");
}

static void changed_in_service(void)
{
    for (unsigned n = 1; n < CPUS; n++) {
        unsigned once[CPUS] = {0}, twice[CPUS] = {0};
        once[n] = 1;
        twice[n] = 2;
        route(FIRST, SHARED | IOAPIC_LEVEL, cpus[n]->apic_id);
        raise(FIRST, 1u << n);
        write_low(FIRST, SHARED | IOAPIC_LEVEL | IOAPIC_MASKED);
        smp_see(remote_irr(FIRST), true, "remote IRR of a line that was masked, to CPU", n);
        release(once);
        smp_see(remote_irr(FIRST), false, "remote IRR after the EOI while masked, to CPU", n);
        write_low(FIRST, SHARED | IOAPIC_LEVEL);
        raise(FIRST, 1u << n);
        write_low(FIRST, SHARED | IOAPIC_MASKED);
        smp_see(remote_irr(FIRST), false, "remote IRR of an edge-triggered line, to CPU", n);
        write_low(FIRST, SHARED | IOAPIC_LEVEL);
        smp_see(remote_irr(FIRST), true, "remote IRR of one that was sent anew, to CPU", n);
        set_line(FIRST, false);
        release(twice);
        smp_see(remote_irr(FIRST), false, "remote IRR in the end, to CPU", n);
        route(FIRST, IOAPIC_MASKED, 0);
    }
    smp_done("masked in service, unmasked, made edge-triggered and level-triggered again");
}

/* ---- What else an entry can send ---- */

static uint32_t esr;

static void take_errors(uintptr_t argument)
{
    (void)argument;
    lapic_write(LAPIC_ESR, 0);
    esr = lapic_read(LAPIC_ESR);
}

static void pulse(unsigned n, uint32_t low)
{
    route(FIRST, low | IOAPIC_LEVEL, cpus[n]->apic_id);
    set_line(FIRST, true);
    delay_us(300);
    smp_see(remote_irr(FIRST), false, "remote IRR of what needs no EOI, mode", low >> 8);
    set_line(FIRST, false);
    route(FIRST, IOAPIC_MASKED, 0);
}

static void other_modes(void)
{
    enum { RESERVED_3 = 3 << 8, RESERVED_6 = 6 << 8 };
    unsigned before[CPUS];
    for (unsigned n = 1; n < CPUS; n++) {
        for (unsigned i = 0; i < CPUS; i++)
            before[i] = cpus[i]->starts;
        pulse(n, ICR_NMI | SHARED);
        pulse(n, ICR_NMI);
        smp_sync();
        smp_right &= taken_by(NMI, 1u << n, 2);
        pulse(n, ICR_SMI);
        pulse(n, RESERVED_3 | SHARED);
        pulse(n, RESERVED_6 | STARTUP_PAGE);
        smp_sync();
        smp_right &= taken_by(NMI, 0, 0) & taken_by(SHARED, 0, 0) & started(0, before);
        cpu_call(cpus[n], take_errors, 0);
        pulse(n, 9);
        cpu_call(cpus[n], take_errors, 0);
        smp_see(esr, ESR_RECEIVE_ILLEGAL, "ESR after an illegal vector, of CPU", n);
        pulse(n, ICR_INIT);
        cpus[n]->offline = true;
        smp_sync();
        smp_right &= started(0, before);
        ipi(cpus[n]->apic_id, ICR_STARTUP | STARTUP_PAGE);
        smp_right &= started(1u << n, before);
        cpus[n]->offline = false;
        smp_sync();
    }
    smp_done("entries with NMI, INIT, SMI, reserved modes and an illegal vector");
}

static void in_either_mode(void)
{
    static const bool halts[] = {true, false};
    for (unsigned i = 0; i < 2; i++) {
        smp_idle(halts[i]);
        all_at_once(false, "each rise is taken once");
        all_at_once(true, "and so with directed EOIs");
        one_vector_on_two();
        changed_in_service();
        other_modes();
    }
}

static void to_x2apic(uintptr_t argument)
{
    (void)argument;
    lapic_enter_x2apic();
}

void test_main(void)
{
    for (unsigned n = 0; n < COUNT; n++)
        set_handler(VECTOR + 16 * n, on_line);
    set_handler(SHARED, on_held);
    smp_start();
    in_either_mode();
    cpu_call_all(to_x2apic, 0);
    in_either_mode();
}
