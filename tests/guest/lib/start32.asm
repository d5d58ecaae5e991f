; SPDX-License-Identifier: BSD-2-Clause
; Start-up of the 32-bit guests: keeps the loader's flat protected mode without paging, on its own
; descriptor tables.

%include "tests/guest/lib/multiboot.inc"

extern guest_start, bss_start, image_end
global start, boot_magic, boot_info, gdt, tss

section .text
bits 32
start:
    cld
    cli
    mov esi, eax
    mov edi, bss_start
    mov ecx, image_end
    sub ecx, edi
    xor eax, eax
    rep stosb
    mov [boot_magic], esi
    mov [boot_info], ebx
    mov esp, stack_top
    lgdt [gdt_register]
    jmp 0x08:.flat
.flat:
    mov eax, 0x10
    mov ds, eax
    mov es, eax
    mov ss, eax
    mov fs, eax
    mov gs, eax
    mov eax, tss
    mov [gdt + 0x40 + 2], ax
    shr eax, 16
    mov [gdt + 0x40 + 4], al
    mov [gdt + 0x40 + 7], ah
    mov eax, 0x40
    ltr ax
    xor ebp, ebp
    call guest_start
    ud2

section .data
align 16
gdt:
    dq 0
    dq 0x00cf9b000000ffff           ; 08 code
    dq 0x00cf93000000ffff           ; 10 data
    dq 0x00cf9b000000ffff           ; 18 code, 32 bit: as in long mode
    dq 0x00009b000000ffff           ; 20 code, 16 bit
    dq 0x000093000000ffff           ; 28 data, 64 KiB
    dq 0x00cff3000000ffff           ; 30 data, DPL 3
    dq 0x00cffb000000ffff           ; 38 code, DPL 3
    dq 0x0000890000000067           ; 40 TSS, base filled in above
    dq 0
    times 6 dq 0                    ; 50 for the tests
gdt_end:

gdt_register:
    dw gdt_end - gdt - 1
    dd gdt

align 16
tss:
    times 4 db 0
    dd stack_top                    ; ESP0
    dd 0x10                         ; SS0
    times 102 - 12 db 0
    dw 104                          ; no I/O permission map

section .bss
alignb 16
    resb 65536
stack_top:
boot_magic:
    resd 1
boot_info:
    resd 1
