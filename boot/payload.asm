; SPDX-License-Identifier: BSD-2-Clause
; The files that BOOTX64.EFI carries inside.

global hypervisor_elf
global hypervisor_elf_end
global trampoline_code
global trampoline_code_end

section .rodata align=4096
hypervisor_elf:
    incbin HYPERVISOR_ELF
hypervisor_elf_end:

align 16
trampoline_code:
    incbin TRAMPOLINE_CODE
trampoline_code_end:

section .note.GNU-stack noalloc noexec nowrite progbits
