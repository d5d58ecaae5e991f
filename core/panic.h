/* SPDX-License-Identifier: BSD-2-Clause */
/* The two ends of the machine: by a bug of ours (see also core/assert.h) and by design. */
#ifndef LAPWING_CORE_PANIC_H
#define LAPWING_CORE_PANIC_H

#include "core/types.h"

struct trap_frame;

/* How to end the emulator, if the machine is one. */
enum machine_exit {
    MACHINE_EXIT_HALT = 0,
    MACHINE_EXIT_BOCHS = 1, /* "Shutdown" to port 0x8900 */
    MACHINE_EXIT_QEMU = 2,  /* isa-debug-exit at 0xf4: status 33 when ok, 35 when not */
};

void machine_set_exit(enum machine_exit exit);

/* Stops all other CPUs and ends the emulator, else halts for good with a message. */
_Noreturn void machine_end(bool ok);

/* For the exception dispatch: panic with the registers of the fault. */
_Noreturn void panic_exception(const struct trap_frame *frame);

/* Whether a CPU is in panic or machine_end(): the others halt at the NMI they get. */
bool panic_stopping(void);

#endif
