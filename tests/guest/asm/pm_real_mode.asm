; SPDX-License-Identifier: BSD-2-Clause
; A trip to real mode: the code is copied to REAL_CODE, its results go to an array in low memory.

%include "tests/guest/lib/real_mode.inc"

global real_mode_trip

RESULTS      equ 0x9000             ; doublewords, in the order of enum result in pm_real_mode.c
STRING       equ 0x9800
ABSENT_PORT  equ 0xea
SCRATCH_PORT equ 0x3ff
SOFT_VECTOR  equ 0x60
TIMER_VECTOR equ 0x50
LAPIC        equ 0xfee00000

section .text
bits 32
; void real_mode_trip(void): with interrupts off.
real_mode_trip:
    jmp go_to_real

bits 16
; Store EAX as the next result; BX points there, segment 0.
%macro result 0
    mov [bx], eax
    add bx, 4
%endmacro

    ENTER_REAL
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

    LEAVE_REAL

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

    END_REAL
