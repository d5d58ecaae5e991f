; SPDX-License-Identifier: BSD-2-Clause
; The console font: a PSF file (version 1, 8x16) that tools/setup takes from a package.
global font

section .rodata
font:
    incbin "font.psf"
