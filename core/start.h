/* SPDX-License-Identifier: BSD-2-Clause */
/* From the hand-over to core_main(): core/entry.asm and core/start.c. */
#pragma once

#include "core/types.h"

struct handover;

/* Called by core/entry.asm on the start-up stack with the physical address of the hand-over. */
_Noreturn void start_bsp(paddr_t handover_address);

/*
 * The hypervisor's main function, on the boot processor. When it is entered, console, log, memory,
 * page tables, exceptions, clock and interrupts of this CPU work, on a stack of its own.
 */
_Noreturn void core_main(const struct handover *handover);

/* Goes on with function(argument) on another stack. */
_Noreturn void stack_switch(vaddr_t top, void (*function)(void *), void *argument);
