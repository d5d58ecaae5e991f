/* SPDX-License-Identifier: BSD-2-Clause */
/* The IDT, and what happens to an exception of the hypervisor itself. */
#pragma once

#include "core/types.h"

/* What core/isr.asm and the processor push, from the lowest address on. */
struct trap_frame {
    uint64_t r15, r14, r13, r12, r11, r10, r9, r8;
    uint64_t rbp, rdi, rsi, rdx, rcx, rbx, rax;
    uint64_t vector;
    uint64_t error_code; /* 0 where the processor pushes none */
    uint64_t rip, cs, rflags, rsp, ss;
};
_Static_assert(sizeof(struct trap_frame) == 22 * 8, "core/isr.asm");

/* Fills the IDT that all CPUs share. Once, before the first cpu_init(). */
void exception_init(void);

/* Loads it into the CPU it runs on. */
void exception_init_cpu(void);

/* Entered from core/isr.asm with interrupts disabled, for every vector. */
void exception_dispatch(struct trap_frame *frame);
