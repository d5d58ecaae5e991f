; SPDX-License-Identifier: BSD-2-Clause
; A Multiboot 2 kernel that is no ELF file: state and information.
; Source: Multiboot2 Specification version 2.0.
; cmdline: quiet
; module: tests/guest/data/module1.txt one

BASE   equ 0x200000
MAGIC  equ 0xe85250d6
LOADED equ 0x36d76289

bits 32
org BASE

header:
    dd MAGIC, 0, header_end - header
    dd -(MAGIC + header_end - header) & 0xffffffff
    dw 2, 0                         ; addresses: header, start, end of data, end
    dd 24, header, -1, 0, file_end + 4096
    dw 3, 0                         ; entry point
    dd 12, start
    align 8, db 0
    dw 1, 0                         ; wanted: command line, modules, map, both RSDPs
    dd 28, 1, 3, 6, 14, 15
    align 8, db 0
    dw 0, 0
    dd 8
header_end:

%include "tests/guest/lib/raw.inc"

start:
    mov esp, file_end + 4096
    mov ebp, ebx
    mov edi, eax
    plan 6
    cmp edi, LOADED
    call result
    test ebp, 7
    call result
    mov eax, 1                      ; the command line
    call find
    cmp dword [ebx + 8], "quie"
    call result
    mov eax, 3                      ; the module: its start, end, string
    call find
    mov eax, [ebx + 8]
    cmp dword [eax], "The "
    call result
    cmp dword [ebx + 16], "one"
    call result
    mov eax, 15                     ; the RSDP: "RSD PTR "
    call find
    cmp dword [ebx + 12], "PTR "
    call result
    finish

; EBX: the tag of type EAX, or the last one.
find:
    lea ebx, [ebp + 8]
.next:
    cmp [ebx], eax
    je .found
    cmp dword [ebx], 0
    je .found
    mov ecx, [ebx + 4]
    add ecx, 7
    and ecx, -8
    add ebx, ecx
    jmp .next
.found:
    ret

file_end:
