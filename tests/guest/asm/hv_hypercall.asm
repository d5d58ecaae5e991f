; SPDX-License-Identifier: BSD-2-Clause
; Hypercalls with all registers in view, from 64-bit and from compatibility mode.

%include "tests/guest/lib/call32.inc"
%include "tests/guest/lib/compat.inc"

global call_with, compat_call_with

%define REG(n) [r15 + 8 * n]

section .text
bits 64
; void call_with(uint64_t regs[15]): RAX RCX RDX RBX RBP RSI RDI R8 .. R14 in this order; and back
call_with:
    push rbx
    push rbp
    push r12
    push r13
    push r14
    push r15
    mov r15, rdi
    mov rax, REG(0)
    mov rcx, REG(1)
    mov rdx, REG(2)
    mov rbx, REG(3)
    mov rbp, REG(4)
    mov rsi, REG(5)
    mov rdi, REG(6)
    mov r8, REG(7)
    mov r9, REG(8)
    mov r10, REG(9)
    mov r11, REG(10)
    mov r12, REG(11)
    mov r13, REG(12)
    mov r14, REG(13)
    vmcall
    mov REG(0), rax
    mov REG(1), rcx
    mov REG(2), rdx
    mov REG(3), rbx
    mov REG(4), rbp
    mov REG(5), rsi
    mov REG(6), rdi
    mov REG(7), r8
    mov REG(8), r9
    mov REG(9), r10
    mov REG(10), r11
    mov REG(11), r12
    mov REG(12), r13
    mov REG(13), r14
    pop r15
    pop r14
    pop r13
    pop r12
    pop rbp
    pop rbx
    ret

; void compat_call_with(uint32_t regs[6]): EAX EBX ECX EDX ESI EDI; and back. Interrupts are off.
compat_call_with:
    jmp go_to_compat

bits 32
in_compat:
    VMCALL_WITH
    BACK
