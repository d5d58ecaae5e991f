; SPDX-License-Identifier: BSD-2-Clause
; A virtual-8086 task and the way into and out of it. The code is copied to V86_CODE.

global v86_code, v86_code_size, enter_v86, leave_v86

V86_CODE     equ 0x8000
V86_STACK    equ 0x7c00
RESULTS      equ 0x9000
FLAGS_VM     equ 1 << 17
FLAGS_IF     equ 1 << 9
ALLOWED_PORT equ 0xea
SCRATCH_PORT equ 0x3ff
SEL_DATA     equ 0x10

section .text
bits 32
; void enter_v86(void): comes back when the trap handler goes to leave_v86.
enter_v86:
    push ebx
    push ebp
    push esi
    push edi
    mov [monitor_esp], esp
    push dword 0                    ; GS
    push dword 0                    ; FS
    push dword 0                    ; DS
    push dword 0                    ; ES
    push dword 0                    ; SS
    push dword V86_STACK
    push dword FLAGS_VM | FLAGS_IF | 2
    push dword 0                    ; CS
    push dword V86_CODE
    iretd

leave_v86:
    mov eax, SEL_DATA
    mov ds, eax
    mov es, eax
    mov fs, eax
    mov gs, eax
    mov esp, [monitor_esp]
    pop edi
    pop esi
    pop ebp
    pop ebx
    ret

bits 16
v86_code:
    mov bx, RESULTS
    xor eax, eax
    push bx
    cpuid
    mov ecx, ebx
    pop bx
    mov [bx], ecx
    xor eax, eax
    mov dx, ALLOWED_PORT
    in al, dx
    mov [bx + 4], eax
    mov dx, SCRATCH_PORT
    mov al, 0x77
    out dx, al
    mov ax, 0x0980                  ; 0x9800 by another segment
    mov es, ax
    mov di, 4
    mov cx, 2
    rep insb
    mov ax, [0x9804]
    movzx eax, ax
    mov [bx + 8], eax
.wait:                              ; the timer's interrupt ends in the monitor
    cmp dword [bx + 12], 0xcccccccc
    je .wait
    in al, 0x21                     ; not allowed: the monitor puts 0x5c into AL
    movzx eax, al
    mov [bx + 16], eax
    cli                             ; not allowed: the monitor goes on behind it
    hlt                             ; the end
v86_code_end:

section .data
v86_code_size: dd v86_code_end - v86_code

section .bss
monitor_esp: resd 1
