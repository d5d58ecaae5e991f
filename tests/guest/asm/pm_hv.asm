; SPDX-License-Identifier: BSD-2-Clause
; Hypercalls of 32-bit code, and VMCALL in real mode: the code there is copied to REAL_CODE.

%include "tests/guest/lib/call32.inc"
%include "tests/guest/lib/real_mode.inc"

global call_with, real_mode_vmcall

RESULT equ 0x9000

section .text
bits 32
; void call_with(uint32_t regs[6]): EAX EBX ECX EDX ESI EDI, and back
call_with:
    push ebx
    push ebp
    push esi
    push edi
    mov ebp, [esp + 20]
    VMCALL_WITH
    pop edi
    pop esi
    pop ebp
    pop ebx
    ret

; void real_mode_vmcall(void): sets the doubleword at RESULT to 1 if it raises #UD, else to 2.
real_mode_vmcall:
    cli
    jmp go_to_real

bits 16
    ENTER_REAL
    vector 6, on_undefined
    xor edx, edx
    mov eax, 0x10008                ; a notification in registers
    xor ebx, ebx
    xor ecx, ecx
    vmcall
    mov dword [RESULT], 2
    jmp leave_real
on_undefined:
    mov dword [RESULT], 1
leave_real:
    LEAVE_REAL
    END_REAL
