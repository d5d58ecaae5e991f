/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The registers as GDB knows them: their order and sizes in its packets, and the description it
 * gets. Pure. GDB manual, "Target Descriptions", "i386 Features".
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* As in a g packet, little endian and without padding. */
struct __attribute__((packed)) gdb_registers {
    uint64_t gpr[16]; /* rax, rbx, rcx, rdx, rsi, rdi, rbp, rsp, r8 to r15 */
    uint64_t rip;
    uint32_t eflags;
    uint32_t segments[6]; /* selectors: cs, ss, ds, es, fs, gs */
    uint8_t st[8][10];
    uint32_t x87[8]; /* fctrl, fstat, ftag, fiseg, fioff, foseg, fooff, fop */
    uint8_t xmm[16][16];
    uint32_t mxcsr;
    uint64_t bases[2];  /* fs, gs */
    uint64_t system[5]; /* cr0, cr2, cr3, cr4, efer */
};

/* Where register `number` lies in it; false: there is none. */
bool gdb_register_place(unsigned number, size_t *offset, size_t *size);

/* Whether GDB may change it. */
bool gdb_register_is_writable(unsigned number);

/* Up to @max bytes of the description (target.xml) from @offset on; returns how many. */
size_t gdb_description(char *to, size_t max, size_t offset);
