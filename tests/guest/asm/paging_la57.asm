; SPDX-License-Identifier: BSD-2-Clause
; CR4.LA57 changes only while paging is off, and so outside long mode.

%include "tests/guest/lib/compat.inc"

global load_cr3_and_cr4

CR0_PG equ 1 << 31

section .text
bits 64
; RDI: both, each with 32 bits.
load_cr3_and_cr4:
    jmp go_to_compat

bits 32
in_compat:
    mov ebx, cr0
    mov eax, ebx
    and eax, ~CR0_PG
    mov cr0, eax
    mov eax, [ebp]
    mov cr3, eax
    mov eax, [ebp + 4]
    mov cr4, eax
    mov cr0, ebx
    BACK
