; SPDX-License-Identifier: BSD-2-Clause
; The code of the second task: records the state it starts with, runs on_task(), goes back.

global task_entry, task_entry_jump, task_eax, task_edi, task_flags, task_tr, task_cr0, task_top
extern on_task

MAIN_TSS equ 0x40

%macro record 0
    mov [task_eax], eax
    mov [task_edi], edi
    pushfd
    pop dword [task_flags]
    str [task_tr]
    mov eax, cr0
    mov [task_cr0], eax
    mov eax, [esp]
    mov [task_top], eax
    clts
    call on_task
%endmacro

section .text
bits 32
task_entry:
    record
    iretd
    jmp task_entry

task_entry_jump:
    record
    jmp MAIN_TSS:0
    jmp task_entry_jump

section .bss
task_eax: resd 1
task_edi: resd 1
task_flags: resd 1
task_tr: resd 1
task_cr0: resd 1
task_top: resd 1
