/* SPDX-License-Identifier: BSD-2-Clause */
/* Fills the IDT and sorts what arrives: NMI, interrupt, bug. */
#include "core/exception.h"

#include "core/bits.h"
#include "core/cpu.h"
#include "core/interrupt.h"
#include "core/panic.h"
#include "core/x86.h"

enum {
    IDT_ENTRIES = 256,
    FIRST_INTERRUPT = 32,
    ISR_STUB_SIZE = 16,
};

#define GATE_PRESENT   BIT(47)
#define GATE_INTERRUPT (0xeull << 40)
#define GATE_IST       MASK(34, 32)
#define GATE_SELECTOR  MASK(31, 16)

struct gate {
    uint64_t low;
    uint64_t high;
};

struct __attribute__((packed)) idt_register {
    uint16_t limit;
    uint64_t base;
};

extern const char isr_stubs[];

static struct gate idt[IDT_ENTRIES];

/* SDM Vol 3A, "64-Bit Mode IDT". */
static struct gate make_gate(vaddr_t handler, unsigned int ist)
{
    uint64_t low = GATE_PRESENT | GATE_INTERRUPT | (handler & MASK(15, 0));
    low = field_set(low, GATE_SELECTOR, SELECTOR_CODE);
    low = field_set(low, GATE_IST, ist);
    low = field_set(low, MASK(63, 48), handler >> 16);
    return (struct gate){low, handler >> 32};
}

static unsigned int ist_of(unsigned int vector)
{
    switch (vector) {
    case EXCEPTION_NMI:
        return CPU_STACK_NMI;
    case EXCEPTION_DF:
        return CPU_STACK_DOUBLE_FAULT;
    case EXCEPTION_MC:
        return CPU_STACK_MACHINE_CHECK;
    default:
        return 0;
    }
}

void exception_init(void)
{
    for (unsigned int vector = 0; vector < IDT_ENTRIES; vector++)
        idt[vector] = make_gate((vaddr_t)isr_stubs + vector * ISR_STUB_SIZE, ist_of(vector));
}

void exception_init_cpu(void)
{
    struct idt_register idtr = {sizeof(idt) - 1, (vaddr_t)idt};
    __asm__ volatile("lidt %0" : : "m"(idtr));
}

vaddr_t cpu_idt_base(void)
{
    return (vaddr_t)idt;
}

void exception_dispatch(struct trap_frame *frame)
{
    if (frame->vector == EXCEPTION_NMI) {
        interrupt_nmi();
        return;
    }
    if (frame->vector >= FIRST_INTERRUPT) {
        interrupt_dispatch((uint8_t)frame->vector);
        return;
    }
    panic_exception(frame);
}
