; SPDX-License-Identifier: BSD-2-Clause
; What a started processor runs, in real mode, wherever it was copied to: counts its start and
; stores CS in tables at ANSWERS, by initial APIC ID, and halts.
bits 16

ANSWERS equ 0x9000
ANSWER_CS equ 0x100

section .rodata
global ap_code, ap_code_end
ap_code:
    mov eax, 1
    cpuid
    shr ebx, 24
    mov ax, ANSWERS >> 4
    mov ds, ax
    mov si, bx
    add si, si
    mov [si + ANSWER_CS], cs
    inc byte [bx]
.halt:
    hlt
    jmp .halt
ap_code_end:
