; SPDX-License-Identifier: BSD-2-Clause
; The start of an application processor: a real-mode page that smp.c copies to where the start-up IPI
; points, then the way to ap_main() in long mode on a stack of its own.

global ap_page, ap_page_end
extern ap_main, enter_long_mode, gdt, ap_ids

CR0_PE      equ 1
SEL_CODE32  equ 0x18
SEL_DATA    equ 0x10
AREA_SIZE   equ 0x4000              ; CPU_AREA_SIZE of guest.h
CPUS_MAX    equ 320
AREAS       equ 0x1000000           ; CPU_AREAS

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

; Its stack is in the area of its number, which it finds by the ID that is unique in 32 bits.
bits 32
ap_protected:
    mov eax, SEL_DATA
    mov ds, eax
    mov es, eax
    mov ss, eax
    mov ebp, ebx
    mov eax, 0xb
    xor ecx, ecx
    cpuid
    mov ebx, ebp
    xor ecx, ecx
.find:
    cmp ecx, CPUS_MAX
    je .stranger
    cmp [ap_ids + ecx * 4], edx
    lea ecx, [ecx + 1]
    jne .find
    imul ecx, ecx, AREA_SIZE
    lea esp, [ecx + AREAS]
    push 0
    push edi
    push esi
    push ebx
    mov ebp, ap_long
    jmp enter_long_mode
.stranger:
    ud2                             ; without an IDT: a triple fault

bits 64
ap_long:
    mov edi, [rsp]
    mov esi, [rsp + 4]
    mov edx, [rsp + 8]
    xor ebp, ebp
    call ap_main
    ud2
