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

; What guards an entry and an exit (vmx/mitigations.h)
GUARD_L1D equ 1 << 0
GUARD_IBRS equ 1 << 1
GUARD_VERW equ 1 << 2
GUARD_RSB equ 1 << 3
IA32_SPEC_CTRL equ 0x48
IA32_FLUSH_CMD equ 0x10b
L1D_FLUSH equ 1
SELECTOR_DATA equ 0x10
RETURNS equ 32 ; entries of the largest return stack buffer

extern vmx_guard ; struct vmx_guard_values

; %1: offset in vmx_guard of the value for IA32_SPEC_CTRL
%macro SPEC_CTRL 1
    test byte [vmx_guard], GUARD_IBRS
    jz %%none
    mov ecx, IA32_SPEC_CTRL
    mov eax, [vmx_guard + %1]
    xor edx, edx
    wrmsr
%%none:
%endmacro

; Behind a VM exit, before the first indirect branch. LFENCE: not even in speculation around the WRMSR.
%macro GUARD_EXIT 0
    SPEC_CTRL 4
    lfence
%endmacro

; Before the first return to a caller from before the VM exit.
%macro GUARD_RETURN 0
    test byte [vmx_guard], GUARD_RSB
    jz %%none
    mov ecx, RETURNS
%%fill:
    call %%next
%%trap:
    pause
    lfence
    jmp %%trap
%%next:
    add rsp, 8
    dec ecx
    jnz %%fill
%%none:
    lfence
%endmacro

; Before the guest's registers are loaded.
%macro GUARD_ENTRY 0
    SPEC_CTRL 8
    test byte [vmx_guard], GUARD_L1D
    jz %%none
    mov ecx, IA32_FLUSH_CMD
    mov eax, L1D_FLUSH
    xor edx, edx
    wrmsr
%%none:
%endmacro

; With MD_CLEAR, VERW of memory also clears the buffers; else it takes a few cycles.
%macro GUARD_BUFFERS 0
    verw [verw_selector]
%endmacro

section .rodata
verw_selector: dw SELECTOR_DATA

section .text

extern vmx_exited

; enum enter_result vmx_enter(struct vmx_context *rdi, struct guest_regs *rsi, uint64_t *rdx host_rsp,
;                             uint64_t rcx launched)
; %1: "" or _guarded. %2: 1 with what guards exits and entries.
%macro ENTRIES_AND_EXITS 2
global vmx_enter%1
global vmx_exit_point%1
vmx_enter%1:
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
    jnz vmx_exit_point%1.resume
%if %2
    GUARD_ENTRY
%endif
    LOAD_GUEST
%if %2
    GUARD_BUFFERS
%endif
    vmlaunch
    jmp vmx_exit_point%1.failed

.write_host_rsp:
    mov [rdx], rsp
    mov eax, HOST_RSP
    vmwrite rax, rsp
    ja .host_rsp_is_right
    ud2

; The processor comes here with RSP as it was at entry.
vmx_exit_point%1:
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
%if %2
    GUARD_EXIT
%endif
    mov rdi, [CONTEXT]
    mov rbp, [HOST_RBP]         ; a panic's trace of the stack follows it
    call vmx_exited
    test rax, rax
    jz .left
    mov [CONTEXT], rax
.resume:
%if %2
    GUARD_ENTRY
%endif
    LOAD_GUEST
%if %2
    GUARD_BUFFERS
%endif
    vmresume
.failed:
    mov eax, ENTRY_FAIL_VALID
    mov ecx, ENTRY_FAIL_INVALID
    cmovc eax, ecx
    jmp .return
.left:
%if %2
    GUARD_RETURN
%endif
    mov eax, ENTERED
.return:
    add rsp, LOCALS
    pop rbp
    pop rbx
    pop r12
    pop r13
    pop r14
    pop r15
    ret
%endmacro

; Two of everything, so that processors which need no guards do not pay for asking.
ENTRIES_AND_EXITS , 0
ENTRIES_AND_EXITS _guarded, 1
