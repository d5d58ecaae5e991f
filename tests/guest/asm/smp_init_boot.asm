; SPDX-License-Identifier: BSD-2-Clause
; A page for a start-up IPI: it lets NMIs in for a while, counts them behind itself, and goes on to the
; page of lib/ap.asm. The offsets are those of smp_init_boot.c.

global nmi_page, nmi_page_end

STARTUP_SEGMENT equ 0x800           ; STARTUP_PAGE of smp.h
ON_NMI          equ 0x20
COUNT           equ 0x30

section .text
bits 16
nmi_page:
    mov cx, 1000
    loop $
    jmp STARTUP_SEGMENT:0
    times ON_NMI - ($ - nmi_page) nop
    inc word [cs:COUNT]
    iret
nmi_page_end:
