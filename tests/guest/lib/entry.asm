; SPDX-License-Identifier: BSD-2-Clause
; The entry points of all 256 vectors, for both start-ups: each builds a struct trap_frame and calls
; trap_dispatch(). Long mode also has the way to CPL 3 and back.

global trap_stubs
extern trap_dispatch

; Vectors that push an error code: DF, TS, NP, SS, GP, PF, AC, CP, VC, SX.
HAS_ERROR equ (1 << 8) | (1 << 10) | (1 << 11) | (1 << 12) | (1 << 13) | (1 << 14) \
            | (1 << 17) | (1 << 21) | (1 << 29) | (1 << 30)
STUB_SIZE equ 16
SEL_DATA  equ 0x10

%ifidn __OUTPUT_FORMAT__, elf64

bits 64
section .text
save_and_dispatch:
    push rax
    push rcx
    push rdx
    push rbx
    push rbp
    push rsi
    push rdi
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
    mov rbx, rsp
    and rsp, -16
    call trap_dispatch
    mov rsp, rbx
    pop r15
    pop r14
    pop r13
    pop r12
    pop r11
    pop r10
    pop r9
    pop r8
    pop rdi
    pop rsi
    pop rbp
    pop rbx
    pop rdx
    pop rcx
    pop rax
    add rsp, 16
    iretq

SEL_USER_DATA equ 0x33
SEL_USER_CODE equ 0x3b
TSS_RSP0      equ 4

global run_user, user_return
extern tss

; void run_user(void (*function)(uintptr_t), uintptr_t argument)
; Comes back through user_return(), which the trap dispatcher jumps to.
run_user:
    push rbx
    push rbp
    push r12
    push r13
    push r14
    push r15
    pushfq
    mov [return_sp], rsp
    mov [tss + TSS_RSP0], rsp
    pushfq
    pop rax
    mov qword [user_stack_top - 8], user_done
    push SEL_USER_DATA
    push user_stack_top - 8
    push rax
    push SEL_USER_CODE
    push rdi
    mov rdi, rsi
    iretq

user_return:
    mov rsp, [return_sp]
    mov eax, SEL_DATA
    mov ss, eax
    popfq
    pop r15
    pop r14
    pop r13
    pop r12
    pop rbp
    pop rbx
    ret

user_done:
    int 0x81

section .bss
return_sp:
    resq 1
alignb 16
    resb 16384
user_stack_top:

%else

bits 32
section .text
save_and_dispatch:
    push eax
    push ecx
    push edx
    push ebx
    push ebp
    push esi
    push edi
    mov eax, SEL_DATA               ; null after virtual-8086 mode
    mov ds, eax
    mov es, eax
    cld
    mov ebx, esp
    and esp, -16
    sub esp, 12
    push ebx
    call trap_dispatch
    mov esp, ebx
    pop edi
    pop esi
    pop ebp
    pop ebx
    pop edx
    pop ecx
    pop eax
    add esp, 8
    iretd

%endif

section .text
align STUB_SIZE
trap_stubs:
%assign vector 0
%rep 256
    align STUB_SIZE
%if vector >= 32 || !(HAS_ERROR & (1 << vector))
    push byte 0
%endif
    push strict dword vector
    jmp near save_and_dispatch
%assign vector vector + 1
%endrep
