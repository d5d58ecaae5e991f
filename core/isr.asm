; SPDX-License-Identifier: BSD-2-Clause
; Entry of exceptions and interrupts: one 16-byte stub per vector, all of which build the
; struct trap_frame of core/exception.h.
bits 64
default rel

global isr_stubs
extern exception_dispatch

ERROR_CODE_VECTORS equ 0x00227d00 ; #DF #TS #NP #SS #GP #PF #AC #CP

section .text

align 16
isr_stubs:
%assign vector 0
%rep 256
    align 16, nop
  %if vector >= 32
    push qword 0
  %elif ((ERROR_CODE_VECTORS >> vector) & 1) == 0
    push qword 0
  %endif
    push qword vector
    jmp near isr_common
  %assign vector vector + 1
%endrep

; The processor aligned RSP to 16 before its five pushes, so that RSP is aligned at the call.
align 16
isr_common:
    push rax
    push rbx
    push rcx
    push rdx
    push rsi
    push rdi
    push rbp
    push r8
    push r9
    push r10
    push r11
    push r12
    push r13
    push r14
    push r15
    cld
    mov rdi, rsp
    call exception_dispatch
    pop r15
    pop r14
    pop r13
    pop r12
    pop r11
    pop r10
    pop r9
    pop r8
    pop rbp
    pop rdi
    pop rsi
    pop rdx
    pop rcx
    pop rbx
    pop rax
    add rsp, 16
    iretq
