; SPDX-License-Identifier: BSD-2-Clause

%include "tests/guest/lib/real_mode.inc"

global to_reset_vector

section .text
bits 32
to_reset_vector:
    jmp go_to_real

bits 16
    ENTER_REAL
    jmp 0xf000:0xfff0

    END_REAL
