/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The console: what the hypervisor and its guests print goes to the 16550 at 0x3f8 and to the
 * framebuffer, whichever exist; keys come from the 16550. Any CPU, any time after console_init().
 */
#pragma once

#include "core/types.h"

struct cpu;
struct handover_framebuffer;

/* Finds the UART. The first thing to call; needs nothing. */
void console_init(void);

/* Adds the framebuffer, if there is one. After memory and paging work. */
void console_add_framebuffer(const struct handover_framebuffer *framebuffer);

/* Bytes as they are: a guest's output. */
void console_write(const char *bytes, size_t n);

/* One of several who write lines: zero, but for the name. */
struct console_writer {
    const char *name;
    bool in_line; /* it has begun a line and not ended it */
};

/*
 * Writes a line, or a part that ends with the line or before. A line begins with "NAME| ", and with
 * "NAME|+" where it goes on after somebody else has written.
 */
void console_write_part(struct console_writer *writer, const char *bytes, size_t n);

/* A line of its own: begins a new line if the last byte written did not end one. */
void console_write_line(const char *text, size_t n);
void console_print(const char *format, ...) __attribute__((format(printf, 1, 2)));

/*
 * Input: while it is wanted, `on_input` runs on `cpu` when something was typed, and console_read()
 * gives the next byte, or -1. Otherwise bytes stay in the UART. After interrupt_init(); one at a
 * time.
 */
void console_enable_input(const struct cpu *cpu, void (*on_input)(void));
void console_want_input(bool wanted);
int console_read(void);

/* For panic only: makes the console usable whatever the other, stopped, CPUs held. */
void console_break_lock(void);
