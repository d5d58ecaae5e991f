; SPDX-License-Identifier: BSD-2-Clause
; Enters the hypervisor's address space from real mode (a start-up IPI) or from the firmware's
; 64-bit mode, by way of 32-bit mode without paging, which serves both and also leaves 5-level
; paging if the firmware used it. Copied into one page below 1 MiB; see boot/trampoline.h.

CR0_PE equ 1 << 0
CR0_MP equ 1 << 1
CR0_ET equ 1 << 4
CR0_NE equ 1 << 5
CR0_WP equ 1 << 16
CR0_PG equ 1 << 31
CR4_PAE equ 1 << 5
CR4_PCIDE_BIT equ 17
MSR_EFER equ 0xc0000080
EFER_LME equ 1 << 8
EFER_NXE equ 1 << 11

CR0_NO_PAGING equ CR0_PE | CR0_MP | CR0_ET | CR0_NE | CR0_WP

SEL_CODE32 equ 0x08
SEL_DATA equ 0x10
SEL_CODE64 equ 0x18

org 0

bits 16
from_sipi:
    cli
    jmp real_mode

times 0x10 - ($ - $$) db 0
; struct trampoline_params
entry:    dq 0
stack:    dq 0
argument: dq 0
cr3_low:  dd 0
base:     dd 0

times 0x40 - ($ - $$) db 0
bits 64
from_firmware:
    cli
    cld
    lea rbx, [rel from_sipi]
    mov rax, cr4
    btr rax, CR4_PCIDE_BIT ; paging cannot be turned off with process-context identifiers on
    mov cr4, rax
    lea rax, [rbx + gdt]
    mov [rbx + gdt_pointer + 2], rax
    lgdt [rbx + gdt_pointer]
    lea eax, [rbx + protected_mode]
    mov [rbx + far_pointer], eax
    mov word [rbx + far_pointer + 4], SEL_CODE32
    jmp far dword [rbx + far_pointer]

bits 16
real_mode:
    cld
    mov ax, cs
    mov ds, ax
    mov ebx, [base]
    lea eax, [ebx + gdt]
    mov [gdt_pointer + 2], eax
    o32 lgdt [gdt_pointer]
    lea eax, [ebx + protected_mode]
    mov [far_pointer], eax
    mov word [far_pointer + 4], SEL_CODE32
    mov eax, cr0
    or al, CR0_PE
    mov cr0, eax
    jmp far dword [far_pointer]

bits 32
protected_mode: ; EBX = address of the page
    mov eax, SEL_DATA
    mov ds, eax
    mov es, eax
    mov ss, eax
    xor eax, eax
    mov fs, eax
    mov gs, eax
    mov eax, CR0_NO_PAGING ; WP stays set: CR4.CET must not be on without it
    mov cr0, eax
    mov eax, CR4_PAE
    mov cr4, eax
    mov eax, [ebx + cr3_low]
    mov cr3, eax
    mov ecx, MSR_EFER
    xor edx, edx
    mov eax, EFER_LME | EFER_NXE
    wrmsr
    ; The page is writable until paging is on.
    lea eax, [ebx + long_mode]
    mov [ebx + far_pointer], eax
    mov word [ebx + far_pointer + 4], SEL_CODE64
    mov eax, CR0_NO_PAGING | CR0_PG
    mov cr0, eax
    jmp far dword [ebx + far_pointer]

bits 64
long_mode:
    mov ebx, ebx ; the upper half is undefined after the change of mode
    mov rsp, [rbx + stack]
    mov rdi, [rbx + argument]
    mov rax, [rbx + entry]
    xor ebp, ebp
    jmp rax

align 8
gdt:
    dq 0
    dq 0x00cf9b000000ffff ; SEL_CODE32
    dq 0x00cf93000000ffff ; SEL_DATA
    dq 0x00af9b000000ffff ; SEL_CODE64
gdt_end:

align 8
gdt_pointer:
    dw gdt_end - gdt - 1
    dq 0

align 8
far_pointer:
    dd 0
    dw 0
