; SPDX-License-Identifier: BSD-2-Clause
; An ELF file of 32 bits that only its note for PVH can start: state and start information.
; Sources: System V ABI, "Object Files"; Xen's documentation, "x86/HVM direct boot ABI".
; cmdline: quiet
; module: tests/guest/data/module1.txt one

BASE        equ 0x200000
START_MAGIC equ 0x336ec578
MEMORY      equ 64 << 20

bits 32
org BASE

    db 0x7f, "ELF", 1, 1, 1         ; 32 bits, little-endian, version 1
    times 9 db 0
    dw 2, 3                         ; executable, 386
    dd 1, 0, segments - BASE, 0, 0  ; version, no entry point, program headers
    dw 52, 32, 2, 0, 0, 0

segments:
    dd 1, 0, BASE, BASE, file_end - BASE, file_end - BASE + 4096, 7, 4096
    dd 4, note - BASE, note, note, note_end - note, note_end - note, 4, 4

note:
    dd 4, 4, 18
    db "Xen", 0
    dd start
note_end:

%include "tests/guest/lib/raw.inc"

start:
    mov esp, file_end + 4096
    mov ebp, ebx
    plan 7
    mov eax, cr0
    and eax, 0x80000001             ; paging, protection
    cmp eax, 1
    call result
    mov eax, cr4
    test eax, 1 << 5                ; no PAE
    call result
    cmp dword [ebp], START_MAGIC
    call result
    mov esi, [ebp + 24]             ; the command line
    cmp dword [esi], "quie"
    call result
    cmp dword [ebp + 12], 1         ; modules
    call result
    mov esi, [ebp + 16]
    mov esi, [esi]
    cmp dword [esi], "The "
    call result
    mov esi, [ebp + 40]             ; the third line of the map: RAM from 1 MiB on
    mov eax, [esi + 2 * 24]
    add eax, [esi + 2 * 24 + 8]
    cmp eax, MEMORY
    call result
    finish

file_end:
