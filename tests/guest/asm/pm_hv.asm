; SPDX-License-Identifier: BSD-2-Clause
; Hypercalls of 32-bit code, and VMCALL in real mode: the code there is copied to REAL_CODE.

global call_with, real_code, real_code_size, real_mode_vmcall

REAL_CODE  equ 0x8000
RESULT     equ 0x9000
STACK_TOP  equ 0x7c00
SEL_CODE   equ 0x08
SEL_DATA   equ 0x10
SEL_CODE16 equ 0x20
SEL_DATA16 equ 0x28

%define AT(label) (REAL_CODE + (label) - real_code)

section .text
bits 32
; void call_with(uint32_t regs[6]): EAX EBX ECX EDX ESI EDI, and back
call_with:
    push ebx
    push ebp
    push esi
    push edi
    mov ebp, [esp + 20]
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
    pop edi
    pop esi
    pop ebp
    pop ebx
    ret

; void real_mode_vmcall(void): sets the doubleword at RESULT to 1 if it raises #UD, else to 2.
real_mode_vmcall:
    push ebx
    push ebp
    push esi
    push edi
    pushfd
    cli
    mov [protected_esp], esp
    sidt [protected_idt]
    jmp SEL_CODE16:REAL_CODE

back_in_flat:
    mov eax, SEL_DATA
    mov ds, eax
    mov es, eax
    mov ss, eax
    mov fs, eax
    mov gs, eax
    mov esp, [protected_esp]
    lidt [protected_idt]
    popfd
    pop edi
    pop esi
    pop ebp
    pop ebx
    ret

bits 16
real_code:
    mov ax, SEL_DATA16
    mov ds, ax
    mov es, ax
    mov ss, ax
    lidt [AT(real_idt)]
    mov eax, cr0
    and al, 0xfe
    mov cr0, eax
    jmp 0:AT(.real)
.real:
    xor ax, ax
    mov ds, ax
    mov es, ax
    mov ss, ax
    mov esp, STACK_TOP
    mov word [6 * 4], AT(on_undefined)
    mov word [6 * 4 + 2], 0
    xor edx, edx
    mov eax, 0x10008                ; a notification in registers
    xor ebx, ebx
    xor ecx, ecx
    vmcall
    mov dword [RESULT], 2
    jmp leave_real
on_undefined:
    mov dword [RESULT], 1
leave_real:
    mov eax, cr0
    or al, 1
    mov cr0, eax
    jmp dword SEL_CODE:back_in_flat

real_idt:
    dw 0x3ff
    dd 0
real_code_end:

section .data
real_code_size: dd real_code_end - real_code

section .bss
protected_esp: resd 1
protected_idt: resb 6
