; SPDX-License-Identifier: BSD-2-Clause
; A start page that writes down the registers as a start-up IPI finds them, behind itself on its page,
; and then goes on to the page of lib/ap.asm. The order is that of `enum` in smp_init.c.

global state_page, state_page_end, dirty_registers
extern dirty_values

STARTUP_SEGMENT equ 0x800           ; STARTUP_PAGE of smp.h
STATE           equ 0x800           ; offset on the page
CR4_OSFXSR_OSXSAVE equ 1 << 9 | 1 << 18
CPUID_XSAVE     equ 1 << 26

section .text
bits 16
state_page:
%assign at STATE
%macro store 1
    mov [cs:at], %1
%assign at at + 4
%endmacro
    store eax
    store ebx
    store ecx
    store edx
    store esi
    store edi
    store ebp
    store esp
    pushfd
    pop eax
    store eax
%macro selector 1
    xor eax, eax
    mov ax, %1
    store eax
%endmacro
    selector cs
    selector ds
    selector es
    selector ss
    selector fs
    selector gs
%macro control 1
    mov eax, %1
    store eax
%endmacro
    control cr0
    control cr2
    control cr3
    control cr4
    control dr0
    control dr1
    control dr2
    control dr3
    control dr6
    control dr7
    o32 sgdt [cs:at]
    o32 sidt [cs:at + 8]
%assign at at + 16
    fnstcw [cs:at]
%assign at at + 4
    mov eax, cr4
    or eax, CR4_OSFXSR_OSXSAVE
    mov cr4, eax
    stmxcsr [cs:at]
    movups [cs:at + 4], xmm3
%assign at at + 20
    xor ecx, ecx
    xgetbv
    store eax
%macro msr 1
    mov ecx, %1
    rdmsr
    store eax
%endmacro
    msr 0xc0000080                  ; EFER
    msr 0xc0000082                  ; LSTAR
    msr 0xc0000102                  ; KERNEL_GS_BASE
    msr 0x176                       ; SYSENTER_EIP
    msr 0x277                       ; PAT
    xor eax, eax
    mov cr4, eax
    jmp STARTUP_SEGMENT:0
state_page_end:

; Fill the registers with what no reset leaves there, and run until somebody stops this processor.
bits 64
dirty_registers:
    fninit
    push 0x077f
    fldcw [rsp]
    push 0x1fa0
    ldmxcsr [rsp]
    movups xmm3, [dirty_values]
    mov eax, 0x12345678
    mov ebx, eax
    mov ecx, eax
    mov edx, eax
    mov esi, eax
    mov edi, eax
    mov ebp, eax
    std
    stc
.running:
    lock inc dword [dirty_values + 16]
    jmp .running
