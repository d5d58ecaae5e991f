/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Host interrupts: who handles which vector, how a CPU is poked, and the host APICs behind it.
 * Interrupts reach interrupt_dispatch() from the IDT (in cpu_wait()) or from a VM exit.
 */
#pragma once

#include "core/types.h"

struct cpu;
struct handover;

enum interrupt_vector {
    VECTOR_PIC_FIRST = 0x20, /* the masked legacy PICs can still raise spurious ones */
    VECTOR_PIC_LAST = 0x2f,
    VECTOR_DEBUGGER = 0xf6, /* something was received at the second serial port */
    VECTOR_WAKE = 0xf7,     /* something was posted to a vCPU of this CPU that does not run */
    VECTOR_REMOTE = 0xf8,   /* another CPU asks for something: core/remote.h */
    VECTOR_CONSOLE = 0xf9,
    VECTOR_POSTED = 0xfa, /* posted-interrupt notification: nothing to do in root mode */
    VECTOR_KICK = 0xfb,   /* makes a CPU leave its guest or cpu_wait(); no work of its own */
    VECTOR_TIMER = 0xfc,
    VECTOR_APIC_ERROR = 0xfe,
    VECTOR_SPURIOUS = 0xff,
};

typedef void (*interrupt_handler)(void);

/* Once per vector (0x30 or above), before the interrupt can come. Handlers run on any CPU. */
void interrupt_register(uint8_t vector, interrupt_handler handler);

/*
 * Runs the handler of `vector` and signals EOI to the host APIC. Called by the IDT stubs, and by
 * vmx/ after an external-interrupt exit that acknowledged the interrupt. Interrupts disabled.
 */
void interrupt_dispatch(uint8_t vector);

/* To be called for every NMI, from the IDT or a VM exit: halts for good when a CPU panics. */
void interrupt_nmi(void);

/* Pokes one CPU, or sends it any vector. Not lost when the CPU is just about to wait or enter. */
void interrupt_kick(const struct cpu *cpu);
void interrupt_send(const struct cpu *cpu, uint8_t vector);

/* NMI to every CPU that runs but this one. */
void interrupt_send_nmi_others(void);

/*
 * Masks the PICs, finds and masks the I/O APICs, chooses the local APIC's mode, and sets up this
 * CPU. Once, on the BSP, after time_init().
 */
void interrupt_init(const struct handover *handover);

/* Enables the local APIC of the CPU it runs on, if it is not the BSP. */
void interrupt_init_cpu(void);

/*
 * Routes an ISA interrupt (0..15) to a CPU at VECTOR_*, with polarity and trigger of the MADT.
 * False when no I/O APIC serves it or the CPU's ID does not fit its 8-bit destination.
 */
bool interrupt_route_isa(uint8_t irq, const struct cpu *cpu, uint8_t vector);
