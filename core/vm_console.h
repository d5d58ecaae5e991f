/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A VM's share of the console.
 *
 * What a VM that runs alone prints goes out as it is. VMs that started side by side print whole
 * lines, each with "NAME| " in front. What stays without a line end for 50 ms, as a prompt does,
 * goes out as it is; when others have printed before it goes on, the rest begins with "NAME|+".
 *
 * What is typed goes to one VM at a time, of those that take input, and nowhere while there is
 * none. Ctrl-A n goes to the next of them, Ctrl-A Ctrl-A types one Ctrl-A, and Ctrl-A with any
 * other letter, and a number before it if wanted, is an order to the monitor
 * (core/monitor/monitor.h).
 */
#pragma once

#include "core/console.h"
#include "core/types.h"

struct vm;

enum { VM_CONSOLE_LINE_MAX = 256, VM_CONSOLE_INPUT_MAX = 1024 };

struct vm_console {
    struct vm *vm;

    /* Output: guarded by whoever calls for this VM. */
    struct console_writer writer; /* name NULL: alone */
    uint32_t line_used;
    uint64_t flush_at; /* VM time in ns; UINT64_MAX: nothing waits */
    char line[VM_CONSOLE_LINE_MAX];

    /* Input: guarded by the lock of all inputs. */
    struct vm_console *next;
    uint32_t first, typed;
    char input[VM_CONSOLE_INPUT_MAX];
};

/* *console is zero. @name is NULL for a VM that runs alone, else it lives as long. */
void vm_console_open(struct vm_console *console, struct vm *vm, const char *name);

/* From now on, until it is closed, the VM takes its turn at input. On the boot processor. */
void vm_console_take_input(struct vm_console *console);

/* Prints what is left. No CPU runs the VM. On the boot processor. */
void vm_console_close(struct vm_console *console);

/* The guest prints, at VM time @now_ns. One call at a time for each VM. */
void vm_console_write(struct vm_console *console, const char *bytes, size_t n, uint64_t now_ns);

/* Whether there is something that vm_console_advance() will print. As above. */
static inline bool vm_console_holds(const struct vm_console *console)
{
    return console->flush_at != UINT64_MAX;
}

/* Prints what has waited for long enough. Returns the VM time in ns at which to call again. As
 * above. */
uint64_t vm_console_advance(struct vm_console *console, uint64_t now_ns);

/* The next byte typed for the VM, or -1. Any CPU. */
int vm_console_read(struct vm_console *console);

/* The VM that gets what is typed, or NULL. On the boot processor. */
const struct vm *vm_console_focus(void);

/* The handler for console_enable_input(): hands out what was typed, and has machine_advance() pass
 * it on. On the boot processor. */
void vm_console_input(void);
