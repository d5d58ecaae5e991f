/* SPDX-License-Identifier: BSD-2-Clause */
/* Starts the processors other than the boot processor. */
#pragma once

struct cpu;
struct handover;

/*
 * Starts every processor of the hand-over, one at a time, and unmaps the trampoline. Each runs
 * `ap_main`, which must not return, on its own stack with cpu_init() and interrupt_init_cpu()
 * done. One that does not come up within a second is logged as an error and left out. Once, on
 * the BSP.
 */
void smp_start_all(const struct handover *handover, void (*ap_main)(struct cpu *cpu));
