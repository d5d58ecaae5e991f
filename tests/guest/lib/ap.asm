; SPDX-License-Identifier: BSD-2-Clause
; The start of an application processor: a real-mode page that smp.c copies to where the start-up IPI
; points, then the way to ap_main() in long mode on a stack of its own.

global ap_page, ap_page_end, ap_next_area
extern ap_main, enter_long_mode, gdt

CR0_PE      equ 1
SEL_CODE32  equ 0x18
SEL_DATA    equ 0x10
AREA_SIZE   equ 0x4000              ; CPU_AREA_SIZE of guest.h

section .text
bits 16
ap_page:
    mov ebx, cs
    mov esi, cr0
    mov edi, edx
    cli
    cld
    mov ds, bx
    o32 lgdt [ap_gdt - ap_page]
    mov eax, esi
    or eax, CR0_PE
    mov cr0, eax
    jmp dword SEL_CODE32:ap_protected
ap_gdt:
    dw SEL_CODE32 + 7
    dd gdt
ap_page_end:

; Whoever comes takes the next area: IDs play no part.
bits 32
ap_protected:
    mov eax, SEL_DATA
    mov ds, eax
    mov es, eax
    mov ss, eax
    mov esp, AREA_SIZE
    lock xadd [ap_next_area], esp
    add esp, AREA_SIZE
    push 0
    push edi
    push esi
    push ebx
    mov ebp, ap_long
    jmp enter_long_mode

bits 64
ap_long:
    mov edi, [rsp]
    mov esi, [rsp + 4]
    mov edx, [rsp + 8]
    xor ebp, ebp
    call ap_main
    ud2

section .bss
ap_next_area:
    resd 1
