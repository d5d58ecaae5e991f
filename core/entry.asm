; SPDX-License-Identifier: BSD-2-Clause
; Where boot/ enters the hypervisor, and the change from one stack to another.
bits 64
default rel

global _start
global stack_switch
global boot_stack
global boot_stack_top
extern start_bsp

BOOT_STACK_SIZE equ 0x4000

; linker.ld leaves an unmapped page below it.
section .stack nobits alloc noexec write align=4096
boot_stack:
    resb BOOT_STACK_SIZE
boot_stack_top:

section .text

; RDI: physical address of struct handover. In 64-bit mode, on the hypervisor's page tables,
; interrupts disabled.
_start:
    lea rsp, [boot_stack_top]
    xor ebp, ebp
    call start_bsp
    ud2

; void stack_switch(vaddr_t top, void (*function)(void *), void *argument), does not return
stack_switch:
    mov rsp, rdi
    xor ebp, ebp
    mov rdi, rdx
    call rsi
    ud2
