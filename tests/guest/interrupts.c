/* SPDX-License-Identifier: BSD-2-Clause */
// apic: yes
/* External interrupts: held while IF is clear or a shadow lasts, then delivered at the first
   possible place, also when the instruction before it leaves the guest. */
#include "tests/guest/guest.h"

enum {
    LOW = 0x41,
    MIDDLE = 0x52,
    HIGH = 0x63,
};

static volatile unsigned order[16];
static volatile unsigned received;
static volatile uintptr_t interrupted_ip;

static void on_interrupt(struct trap_frame *frame)
{
    interrupted_ip = frame->ip;
    if (received < sizeof(order) / sizeof(*order))
        order[received] = (unsigned)frame->vector;
    received++;
    lapic_eoi();
}

static void held_while_masked(void)
{
    received = 0;
    self_ipi(LOW);
    cpuid(0, 0);
    is_u64(received, 0, "an interrupt waits while IF is clear");
    ok(lapic_bit(LAPIC_IRR, LOW), "it is in the IRR");
    sti_nop();
    cli();
    is_u64(received, 1, "it arrives once IF is set");
    ok(!lapic_bit(LAPIC_IRR, LOW), "it is no longer in the IRR");
    ok(!lapic_bit(LAPIC_ISR, LOW), "nor, after the EOI, in the ISR");
}

/* The pending interrupt must arrive exactly behind the instruction in STI's shadow. */
#define IN_SHADOW(instruction)                                                                     \
    do {                                                                                           \
        uintptr_t behind;                                                                          \
        received = 0;                                                                              \
        self_ipi(LOW);                                                                             \
        asm volatile("lea 1f(%%rip), %0; sti; " instruction "; 1: nop; cli"                        \
                     : "=&S"(behind)                                                               \
                     : "a"(0), "c"(MSR_APIC_BASE), "d"(0xea)                                       \
                     : "rbx", "memory");                                                           \
        is_u64(received, 1, "STI; " instruction ": one interrupt");                                \
        is_u64(interrupted_ip, behind, "STI; " instruction ": behind it");                         \
    } while (0)

static void shadow_of_sti(void)
{
    IN_SHADOW("nop");
    IN_SHADOW("cpuid");
    IN_SHADOW("rdmsr");
    IN_SHADOW("inb %%dx, %%al");
    IN_SHADOW("hlt");
    received = 0;
    self_ipi(LOW);
    asm volatile("sti; cli" : : : "memory");
    cpuid(0, 0);
    is_u64(received, 0, "STI; CLI lets nothing in");
    sti_nop();
    cli();
    is_u64(received, 1, "and loses nothing");
}

static void other_ways_to_set_if(void)
{
    uintptr_t behind;
    received = 0;
    self_ipi(LOW);
    asm volatile("lea 1f(%%rip), %0; pushf; orl $0x200, (%%rsp); popf; 1: nop; cli"
                 : "=&r"(behind)
                 :
                 : "memory", "cc");
    is_u64(received, 1, "POPF that sets IF: one interrupt");
    is_u64(interrupted_ip, behind, "POPF has no shadow");
    received = 0;
    self_ipi(LOW);
    asm volatile("lea 1f(%%rip), %0; mov %%rsp, %%rcx; push $0x10; push %%rcx; pushf;"
                 "orl $0x200, (%%rsp); push $8; push %0; iretq; 1: nop; cli"
                 : "=&r"(behind)
                 :
                 : "memory", "cc", "rcx");
    is_u64(received, 1, "IRET that sets IF: one interrupt");
    is_u64(interrupted_ip, behind, "IRET has no shadow");
}

/* An APIC register write is what makes the interrupt deliverable. */
static void lowered_priority(void)
{
    uintptr_t behind;
    received = 0;
    write_cr8(15);
    self_ipi(HIGH);
    sti_nop();
    cpuid(0, 0);
    is_u64(received, 0, "an interrupt waits for the task priority");
    asm volatile("lea 1f(%%rip), %0; mov %1, %%cr8; 1: nop" : "=&r"(behind) : "r"(0ul) : "memory");
    cli();
    is_u64(received, 1, "it arrives when CR8 is lowered");
    is_u64(interrupted_ip, behind, "at once");
}

static void priorities(void)
{
    received = 0;
    self_ipi(LOW);
    self_ipi(HIGH);
    self_ipi(MIDDLE);
    self_ipi(HIGH);
    sti_nop();
    cli();
    is_u64(received, 3, "three vectors wait, one of them sent twice");
    is_u64(order[0], HIGH, "the highest comes first");
    is_u64(order[1], MIDDLE, "then the next");
    is_u64(order[2], LOW, "then the lowest");
}

static void on_nesting(struct trap_frame *frame)
{
    order[received++] = (unsigned)frame->vector;
    if (frame->vector == MIDDLE) {
        self_ipi(LOW);
        self_ipi(HIGH);
        sti_nop();
        cli();
    }
    order[received++] = (unsigned)frame->vector;
    lapic_eoi();
}

static void nesting(void)
{
    static const unsigned expected[] = {MIDDLE, HIGH, HIGH, MIDDLE, LOW, LOW};
    received = 0;
    set_handler(LOW, on_nesting);
    set_handler(MIDDLE, on_nesting);
    set_handler(HIGH, on_nesting);
    self_ipi(MIDDLE);
    sti_nop();
    cli();
    is_u64(received, 6, "a handler that lets interrupts in is interrupted");
    for (unsigned i = 0; i < 6; i++)
        is_u64(order[i], expected[i], "by higher ones only: step %u", i);
}

void test_main(void)
{
    set_handler(LOW, on_interrupt);
    set_handler(MIDDLE, on_interrupt);
    set_handler(HIGH, on_interrupt);
    lapic_enable();
    held_while_masked();
    shadow_of_sti();
    other_ways_to_set_if();
    lowered_priority();
    priorities();
    nesting();
}
