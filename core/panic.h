/* SPDX-License-Identifier: BSD-2-Clause */
/* The two ends of the machine: by a bug of ours (see also core/assert.h) and by design. */
#pragma once

#include "core/config/config.h"
#include "core/types.h"

struct trap_frame;

/* Says how to end the emulator, if the machine is one. */
void machine_set_exit(enum config_emulator_exit how);

/*
 * Stops all other CPUs and ends the emulator, else halts for good with a message. QEMU's exit
 * status is 33 when `ok`, else 35; Bochs has only one, so the log says which.
 */
_Noreturn void machine_end(bool ok);

/* For the exception dispatch: panic with the registers of the fault. */
_Noreturn void panic_exception(const struct trap_frame *frame);

/* Whether a CPU is in panic or machine_end(): the others halt at the NMI they get. */
bool panic_stopping(void);
