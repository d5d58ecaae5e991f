; SPDX-License-Identifier: BSD-2-Clause
; Start-up of the long-mode guests: from the loader's flat protected mode to guest_start() in long
; mode, with 4 GiB mapped one to one, and SSE and all of XSAVE's vector state enabled.

%include "tests/guest/lib/multiboot.inc"

extern guest_start, bss_start, image_end
global start, boot_magic, boot_info, gdt, tss, boot_page_table, enter_long_mode

PAGE_FLAGS      equ 0x03            ; present, writable
LARGE_FLAGS     equ 0x83            ; and 2 MiB
UNCACHED        equ 0x18            ; PCD, PWT
CR0_PG_WP_NE    equ 0x80010020
CR0_EM_TS       equ 0x0000000c
CR0_MP          equ 0x00000002
CR4_PAE_OSFXSR_OSXMMEXCPT equ 0x620
CR4_OSXSAVE     equ 1 << 18
CPUID_XSAVE     equ 1 << 26
XCR0_WANTED     equ 0xe7            ; x87, SSE, AVX, AVX-512
MSR_EFER        equ 0xc0000080
EFER_LME        equ 1 << 8

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

    ; 2048 large pages in four consecutive page directories. The last GiB holds the devices.
    mov edi, page_directories
    mov eax, LARGE_FLAGS
    mov ecx, 2048
.fill:
    mov [edi], eax
    add eax, 1 << 21
    cmp eax, 0xc0000000
    jb .next
    or dword [edi], UNCACHED
.next:
    add edi, 8
    loop .fill
    mov eax, page_directories + PAGE_FLAGS
    mov edi, pdpt
    mov ecx, 4
.directories:
    mov [edi], eax
    add eax, 4096
    add edi, 8
    loop .directories
    mov dword [boot_page_table], pdpt + PAGE_FLAGS
    mov ebp, boot_processor

; Any processor, in flat protected mode: goes on at EBP in long mode, with its ESP. Changes the other
; registers.
enter_long_mode:
    mov eax, 1
    cpuid
    mov esi, ecx
    mov eax, cr4
    or eax, CR4_PAE_OSFXSR_OSXMMEXCPT
    test esi, CPUID_XSAVE
    jz .cr4
    or eax, CR4_OSXSAVE
.cr4:
    mov cr4, eax
    mov eax, boot_page_table
    mov cr3, eax
    mov ecx, MSR_EFER
    rdmsr
    or eax, EFER_LME
    wrmsr
    mov eax, cr0
    and eax, ~CR0_EM_TS
    or eax, CR0_PG_WP_NE | CR0_MP
    mov cr0, eax
    test esi, CPUID_XSAVE
    jz .gdt
    mov eax, 0xd
    xor ecx, ecx
    cpuid
    and eax, XCR0_WANTED
    xor edx, edx
    xor ecx, ecx
    xsetbv
.gdt:
    lgdt [gdt_register]
    jmp 0x08:.long

bits 64
.long:
    mov eax, 0x10
    mov ds, eax
    mov es, eax
    mov ss, eax
    mov fs, eax
    mov gs, eax
    mov esp, esp
    mov ebp, ebp
    jmp rbp

boot_processor:
    mov rax, tss
    mov [gdt + 0x40 + 2], ax
    shr rax, 16
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
    dq 0x00af9b000000ffff           ; 08 code, 64 bit
    dq 0x00cf93000000ffff           ; 10 data
    dq 0x00cf9b000000ffff           ; 18 code, 32 bit
    dq 0x00009b000000ffff           ; 20 code, 16 bit
    dq 0x000093000000ffff           ; 28 data, 64 KiB
    dq 0x00cff3000000ffff           ; 30 data, DPL 3
    dq 0x00affb000000ffff           ; 38 code, 64 bit, DPL 3
    dq 0x0000890000000067           ; 40 TSS, base filled in above
    dq 0
    times 6 dq 0                    ; 50 for the tests
gdt_end:

gdt_register:
    dw gdt_end - gdt - 1
    dq gdt

align 16
tss:
    times 102 db 0
    dw 104                          ; no I/O permission map

section .bss
alignb 4096
boot_page_table:
    resb 4096
pdpt:
    resb 4096
page_directories:
    resb 4 * 4096
    resb 65536
stack_top:
boot_magic:
    resd 1
boot_info:
    resd 1
