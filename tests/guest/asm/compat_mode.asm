; SPDX-License-Identifier: BSD-2-Clause
; Compatibility mode: 32-bit code called from 64-bit code, with exits of every operand kind.

%include "tests/guest/lib/compat.inc"

global compat_trip, compat_results

LAPIC       equ 0xfee00000
ABSENT_PORT equ 0xea
SCRATCH     equ 0x3ff

section .text
bits 64
compat_trip:
    jmp go_to_compat

bits 32
%macro result 0
    mov [ebp], eax
    add ebp, 4
%endmacro
in_compat:
    mov ebp, compat_results
    xor eax, eax
    cpuid
    mov eax, ebx
    result
    mov eax, 0x12345678
    mov edx, ABSENT_PORT
    in al, dx
    result
    mov al, 0xa5
    mov edx, SCRATCH
    out dx, al
    mov edi, string
    mov ecx, 3
    rep insb
    mov eax, [string]
    result
    mov eax, edi
    sub eax, string
    result
    mov esi, string
    mov byte [string], 0x42
    outsb
    xor eax, eax
    in al, dx
    result
    mov ecx, 0x1b                   ; IA32_APIC_BASE
    rdmsr
    result
    mov eax, [LAPIC + 0x30]
    result
    mov dword [LAPIC + 0x80], 0x35  ; TPR, by an instruction that is shorter than in 64-bit mode
    mov eax, [LAPIC + 0x80]
    result
    mov dword [LAPIC + 0x80], 0
    mov eax, cr4
    mov ebx, eax
    or eax, 1 << 3
    mov cr4, eax
    mov eax, cr4
    and eax, 1 << 3
    result
    mov cr4, ebx
    mov eax, 0x10                   ; 0x40 to 0x4f are INC and DEC here, no REX prefix
    dec eax
    result
    BACK

section .bss
compat_results: resd 16
string: resd 2
