; SPDX-License-Identifier: BSD-2-Clause
; Loads every register from one state, runs one instruction, stores every register to another.
; The two states are at fixed addresses below 4 GiB, so that no register is needed to reach them.

global across_cpuid, across_in, across_out, across_rdmsr, across_wrmsr, across_hlt
global across_mmio_read, across_mmio_write, across_cr4, across_cr0, across_wbinvd, across_xsetbv
global across_interrupt, across_rep_outs
global registers_before, registers_after, vectors_before, vectors_after, xstate_mask

; Order of the general registers in a state; RFLAGS is the seventeenth.
%define REGISTERS rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15

%macro load 1-*
%assign slot 0
%rep %0
%ifnidn %1, rsp
    mov %1, [abs registers_before + 8 * slot]
%endif
%assign slot slot + 1
%rotate 1
%endrep
%endmacro

%macro store 1-*
%assign slot 0
%rep %0
    mov [abs registers_after + 8 * slot], %1
%assign slot slot + 1
%rotate 1
%endrep
%endmacro

; RSP cannot point anywhere: an interrupt may come. Its value before is recorded instead.
%macro across 2+
across_%1:
    push rbx
    push rbp
    push r12
    push r13
    push r14
    push r15
    mov eax, [abs xstate_mask]
    mov edx, [abs xstate_mask + 4]
    xrstor64 [abs vectors_before]
    push qword [abs registers_before + 8 * 16]
    popfq
    mov [abs registers_before + 8 * 4], rsp
    load REGISTERS
    %2
    store REGISTERS
    pushfq
    pop qword [abs registers_after + 8 * 16]
    cld
    mov eax, [abs xstate_mask]
    mov edx, [abs xstate_mask + 4]
    xsave64 [abs vectors_after]
    cli
    pop r15
    pop r14
    pop r13
    pop r12
    pop rbp
    pop rbx
    ret
%endmacro

; The exit takes whatever moment it likes.
%macro spin_until_interrupted 0
%%spin:
    cmp dword [abs trap_count + 4 * 0x50], 0
    je %%spin
%endmacro

section .text
bits 64
across cpuid, cpuid
across in, in al, dx
across out, out dx, al
across rdmsr, rdmsr
across wrmsr, wrmsr
across hlt, hlt
across mmio_read, mov r11d, [r9 + 0x30]
across mmio_write, mov [r9 + 0x380], r11d
across cr4, mov cr4, r13
across cr0, mov cr0, r14
across wbinvd, wbinvd
across xsetbv, xsetbv
across rep_outs, rep outsb
across interrupt, spin_until_interrupted

extern trap_count

section .bss
alignb 64
registers_before: resq 17
registers_after: resq 17
xstate_mask: resq 1
alignb 64
vectors_before: resb 4096
vectors_after: resb 4096
