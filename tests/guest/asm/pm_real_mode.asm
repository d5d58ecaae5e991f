; SPDX-License-Identifier: BSD-2-Clause
; A trip to real mode: the code is copied to REAL_CODE, its results go to an array in low memory.

global real_code, real_code_size, real_mode_trip

REAL_CODE    equ 0x8000
RESULTS      equ 0x9000             ; doublewords, in the order of enum result in pm_real_mode.c
STRING       equ 0x9800
STACK_TOP    equ 0x7c00
SEL_CODE     equ 0x08
SEL_DATA     equ 0x10
SEL_CODE16   equ 0x20
SEL_DATA16   equ 0x28
ABSENT_PORT  equ 0xea
SCRATCH_PORT equ 0x3ff
SOFT_VECTOR  equ 0x60
TIMER_VECTOR equ 0x50
LAPIC        equ 0xfee00000

%define AT(label) (REAL_CODE + (label) - real_code)

section .text
bits 32
; void real_mode_trip(void): with interrupts off. FS keeps its 4 GiB limit throughout.
real_mode_trip:
    push ebx
    push ebp
    push esi
    push edi
    pushfd
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
; Store EAX as the next result; BX points there, segment 0.
%macro result 0
    mov [bx], eax
    add bx, 4
%endmacro

%macro vector 2
    mov word [%1 * 4], AT(%2)
    mov word [%1 * 4 + 2], 0
%endmacro

real_code:
    mov ax, SEL_DATA16
    mov ds, ax
    mov es, ax
    mov ss, ax
    mov gs, ax
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
    mov bx, RESULTS
    vector 0, on_divide
    vector 6, on_undefined
    vector 13, on_protection
    vector SOFT_VECTOR, on_soft
    vector TIMER_VECTOR, on_timer
    cld

    mov eax, cr0                    ; is protection off
    and eax, 1
    result
    mov ax, 0x1234                  ; segments shift by 4: 0x1234:0x10 is 0x12350
    mov ds, ax
    mov dword [0x10], 0x5eaf00d
    xor ax, ax
    mov ds, ax
    mov ax, 0x1235
    mov es, ax
    mov eax, [es:0]
    result
    xor ax, ax
    mov es, ax
    xor eax, eax                    ; exits
    push bx
    cpuid
    mov ecx, ebx
    pop bx
    mov eax, ecx
    result
    xor eax, eax
    mov dx, ABSENT_PORT
    in al, dx
    result
    mov al, 0x5a
    mov dx, SCRATCH_PORT
    out dx, al
    xor eax, eax
    in al, dx
    result
    mov di, STRING
    mov cx, 3
    mov dword [STRING], 0
    rep insb
    mov eax, [STRING]
    result
    movzx eax, di
    result
    mov ax, STRING / 16             ; a segment other than 0, and its offset wraps nowhere
    mov ds, ax
    mov byte [7], 0x77
    mov si, 7
    outsb
    xor ax, ax
    mov ds, ax
    xor eax, eax
    in al, dx
    result
    mov ecx, 0x1b                   ; IA32_APIC_BASE
    rdmsr
    result
    mov eax, [fs:dword LAPIC + 0x30] ; beyond 64 KiB, on a device
    result
    xor eax, eax                    ; interrupts through the vector table
    int SOFT_VECTOR
    result
    xor cx, cx
    xor eax, eax
    div cx
    result
    xor eax, eax
    ud2
    result
    xor eax, eax
    mov cx, [0xffff]                ; a word beyond the limit: 4 bytes long
    result
    xor eax, eax
    sti
    hlt
    cli
    result
    mov eax, cr4                    ; control registers are written in real mode as well
    or eax, 1 << 3
    mov cr4, eax
    mov eax, cr4
    and eax, 1 << 3
    result
    mov eax, cr4
    and eax, ~(1 << 3)
    mov cr4, eax
    pushf
    pop ax
    movzx eax, ax
    and eax, 0x200
    result

    mov eax, cr0
    or al, 1
    mov cr0, eax
    jmp dword SEL_CODE:back_in_flat

on_soft:
    mov eax, 0x50f7
    iret
on_divide:
    mov ax, 0xd1
    add word [esp], 2
    iret
on_undefined:
    mov ax, 0x0d
    add word [esp], 2
    iret
on_protection:
    mov ax, 0x6f
    add word [esp], 4
    iret
on_timer:
    mov dword [fs:dword LAPIC + 0xb0], 0
    inc eax
    iret

align 4
real_idt:
    dw 0x3ff
    dd 0
real_code_end:

section .data
real_code_size: dd real_code_end - real_code

section .bss
protected_esp: resd 1
protected_idt: resb 6
