; SPDX-License-Identifier: BSD-2-Clause
; Hypercalls with all registers in view, from 64-bit and from compatibility mode.

global call_with, compat_call_with

SEL_CODE    equ 0x08
SEL_DATA    equ 0x10
SEL_CODE32  equ 0x18

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
    push rbx
    push rbp
    mov [abs saved_rsp], rsp
    mov ebp, edi
    mov eax, SEL_DATA
    mov ds, eax
    mov es, eax
    mov esp, compat_stack
    push qword SEL_CODE32
    mov eax, in_compat
    push rax
    retfq

bits 32
in_compat:
    mov eax, [ebp]
    mov ebx, [ebp + 4]
    mov ecx, [ebp + 8]
    mov edx, [ebp + 12]
    mov esi, [ebp + 16]
    mov edi, [ebp + 20]
    vmcall
    mov [ebp], eax
    mov [ebp + 4], ebx
    mov [ebp + 8], ecx
    mov [ebp + 12], edx
    mov [ebp + 16], esi
    mov [ebp + 20], edi
    jmp SEL_CODE:back

bits 64
back:
    mov rsp, [abs saved_rsp]
    pop rbp
    pop rbx
    ret

section .bss
saved_rsp: resq 1
alignb 16
    resb 4096
compat_stack:
