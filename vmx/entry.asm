; SPDX-License-Identifier: BSD-2-Clause
; VM entries and VM exits: swap the general registers, all but RSP, which the VMCS holds.

bits 64
default rel

HOST_RSP equ 0x6c14
ENTERED equ 0
ENTRY_FAIL_INVALID equ 1
ENTRY_FAIL_VALID equ 2

; struct guest_regs, numbered as instructions encode them (vmx/vmx.h)
%define GUEST(n) rdi + 8 * n
RAX_ equ 0
RCX_ equ 1
RDX_ equ 2
RBX_ equ 3
RBP_ equ 5
RSI_ equ 6
RDI_ equ 7

; The stack while the guest runs, from HOST_RSP on
%define REGS rsp
%define CONTEXT rsp + 8
%define HOST_RBP rsp + 16
LOCALS equ 16

; Leaves the flags alone.
%macro LOAD_GUEST 0
    mov rdi, [REGS]
    mov rax, [GUEST(RAX_)]
    mov rcx, [GUEST(RCX_)]
    mov rdx, [GUEST(RDX_)]
    mov rbx, [GUEST(RBX_)]
    mov rbp, [GUEST(RBP_)]
    mov rsi, [GUEST(RSI_)]
    mov r8, [GUEST(8)]
    mov r9, [GUEST(9)]
    mov r10, [GUEST(10)]
    mov r11, [GUEST(11)]
    mov r12, [GUEST(12)]
    mov r13, [GUEST(13)]
    mov r14, [GUEST(14)]
    mov r15, [GUEST(15)]
    mov rdi, [GUEST(RDI_)]
%endmacro

section .text

global vmx_enter
global vmx_exit_point
extern vmx_exited

; enum enter_result vmx_enter(struct vmx_context *rdi, struct guest_regs *rsi, uint64_t *rdx host_rsp,
;                             uint64_t rcx launched)
vmx_enter:
    push r15
    push r14
    push r13
    push r12
    push rbx
    push rbp
    push rdi
    push rsi
    cmp rsp, [rdx]
    jne .write_host_rsp
.host_rsp_is_right:
    test rcx, rcx
    jnz resume
    LOAD_GUEST
    vmlaunch
    jmp failed

.write_host_rsp:
    mov [rdx], rsp
    mov eax, HOST_RSP
    vmwrite rax, rsp
    ja .host_rsp_is_right
    ud2

; The processor comes here with RSP as it was at entry.
vmx_exit_point:
    push rdi
    mov rdi, [REGS + 8]
    mov [GUEST(RAX_)], rax
    mov [GUEST(RCX_)], rcx
    mov [GUEST(RDX_)], rdx
    mov [GUEST(RBX_)], rbx
    mov [GUEST(RBP_)], rbp
    mov [GUEST(RSI_)], rsi
    mov [GUEST(8)], r8
    mov [GUEST(9)], r9
    mov [GUEST(10)], r10
    mov [GUEST(11)], r11
    mov [GUEST(12)], r12
    mov [GUEST(13)], r13
    mov [GUEST(14)], r14
    mov [GUEST(15)], r15
    pop qword [GUEST(RDI_)]
    mov rdi, [CONTEXT]
    mov rbp, [HOST_RBP]         ; a panic's trace of the stack follows it
    call vmx_exited
    test rax, rax
    jz left
    mov [CONTEXT], rax
resume:
    LOAD_GUEST
    vmresume
failed:
    mov eax, ENTRY_FAIL_VALID
    mov ecx, ENTRY_FAIL_INVALID
    cmovc eax, ecx
    jmp return
left:
    mov eax, ENTERED
return:
    add rsp, LOCALS
    pop rbp
    pop rbx
    pop r12
    pop r13
    pop r14
    pop r15
    ret
