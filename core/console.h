/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The console: what the hypervisor and its guests print goes to the 16550 at 0x3f8 and to the
 * framebuffer, whichever exist; keys come from the 16550. Any CPU, any time after console_init().
 */
#ifndef LAPWING_CORE_CONSOLE_H
#define LAPWING_CORE_CONSOLE_H

#include "core/types.h"

struct cpu;
struct handover_framebuffer;

/* Finds the UART. The first thing to call; needs nothing. */
void console_init(void);

/* Adds the framebuffer, if there is one. After memory and paging work. */
void console_add_framebuffer(const struct handover_framebuffer *framebuffer);

/* Bytes as they are: a guest's output. */
void console_write(const char *bytes, size_t n);

/* A line of its own: begins a new line if the last byte written did not end one. */
void console_write_line(const char *text, size_t n);

/* The next byte typed, or -1. Bytes not yet asked for stay queued, here and in the UART. */
int console_read(void);

/*
 * From now on input interrupts `cpu`, and `on_input` (may be NULL) runs there after bytes were
 * queued. Without an interrupt route console_read() still polls. After interrupt_init().
 */
void console_enable_input(const struct cpu *cpu, void (*on_input)(void));

/* For panic only: makes the console usable whatever the other, stopped, CPUs held. */
void console_break_lock(void);

#endif
