; SPDX-License-Identifier: BSD-2-Clause
; The files that BOOTX64.EFI carries inside.

%macro file 2
global %1
global %1_end
align 16
%1: incbin %2
%1_end:
%endmacro

section .rodata align=16
file image, IMAGE
file symbols, SYMBOLS
file trampoline, TRAMPOLINE

section .note.GNU-stack noalloc noexec nowrite progbits
