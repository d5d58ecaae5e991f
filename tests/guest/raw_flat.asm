; SPDX-License-Identifier: BSD-2-Clause
; Plain code at an odd address: where it runs, and the state it starts with.
; load_address: 0x7c03

bits 32
org 0x7c03

    jmp start

%include "tests/guest/lib/raw.inc"

start:
    or eax, ebx                     ; all are to be 0
    or eax, ecx
    or eax, edx
    or eax, esi
    or eax, edi
    or eax, ebp
    mov esp, 0x7000
    push eax
    plan 4
    call here
here:
    pop eax
    cmp eax, here
    call result
    cmp dword [esp], 0
    call result
    mov eax, cr0
    and eax, 0x80000001             ; paging, protection
    cmp eax, 1
    call result
    mov ax, ds
    mov es, ax                      ; the descriptors are there to be loaded again
    push cs
    push strict dword again
    retf
again:
    cmp byte [last], 0x5a           ; and the file is loaded to its end
    call result
    finish

    times 8192 db 0
last:   db 0x5a
