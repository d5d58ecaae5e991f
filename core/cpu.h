/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The per-CPU area, reached through GS, and what every processor is set up with.
 *
 * The hypervisor runs with interrupts disabled; only cpu_wait() and cpu_take_interrupts() open
 * them. So a handler never interrupts other hypervisor code, and locks need not mask interrupts.
 */
#pragma once

#include "core/types.h"

/* Segment selectors, the same on every CPU. */
enum {
    SELECTOR_CODE = 0x08,
    SELECTOR_DATA = 0x10,
    SELECTOR_TSS = 0x18, /* takes two descriptors */
    GDT_ENTRIES = 5,
};

enum cpu_stack {
    CPU_STACK_MAIN = 0,
    CPU_STACK_NMI = 1, /* these three are also the IST indices */
    CPU_STACK_DOUBLE_FAULT = 2,
    CPU_STACK_MACHINE_CHECK = 3,
    CPU_STACKS,
};

/* SDM Vol 3A, "Task Management in 64-bit Mode". */
struct tss {
    uint32_t reserved0;
    uint32_t rsp[6];
    uint32_t reserved1[2];
    uint32_t ist[14]; /* seven 64-bit pointers at 4-byte alignment */
    uint32_t reserved2[2];
    uint16_t reserved3;
    uint16_t io_map_base;
};
_Static_assert(sizeof(struct tss) == 104, "64-bit TSS layout");

struct trace_buffer;
struct vcpu;
struct vmx_cpu;

struct cpu {
    struct cpu *self; /* at offset 0 of GS: this_cpu() */
    uint32_t index;   /* 0 .. cpu_count() - 1; the BSP is 0 */
    uint32_t apic_id; /* 32-bit host APIC ID */

    struct vcpu *vcpu;   /* the one whose run loop this CPU is in, or NULL; core's */
    struct vmx_cpu *vmx; /* vmx/'s data of this CPU */
    uint64_t deadline;   /* what the timer is set to, 0: it is not known; core/timer.c's */

    struct trace_buffer *trace; /* NULL: nothing is traced; core/trace.c's */

    vaddr_t stack_top[CPU_STACKS];
    uint64_t gdt[GDT_ENTRIES];
    struct tss tss;
};

static inline struct cpu *this_cpu(void)
{
    struct cpu *cpu;
    __asm__("movq %%gs:0, %0" : "=r"(cpu));
    return cpu;
}

/* Processors that run. Grows only while smp_start_all() works. */
uint32_t cpu_count(void);

/* By index below cpu_count(). */
struct cpu *cpu_get(uint32_t index);

/* Base of the IDT that all CPUs share: for the VMCS host state. */
vaddr_t cpu_idt_base(void);

/*
 * With interrupts disabled: enables them, waits for one, has it handled, disables them again. A
 * wake-up that became pending before the call is not lost. Returns after any interrupt.
 */
void cpu_wait(void);

/* The same without waiting: has those handled that are pending. */
void cpu_take_interrupts(void);

/* For start-up code: allocates an area with its stacks; NULL when memory is short. */
struct cpu *cpu_create(uint32_t apic_id);

/* Loads GDT, TSS, IDT, GS base, control registers, PAT and EFER of the CPU it runs on. */
void cpu_init(struct cpu *cpu);

/* Whether all of [address, address + size) lies on a stack this CPU may be running on. */
bool cpu_on_stack(vaddr_t address, uint64_t size);

/* Makes a CPU that has run cpu_init() visible to cpu_get(). */
void cpu_set_online(struct cpu *cpu);
