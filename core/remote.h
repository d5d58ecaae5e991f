/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reaching what another CPU owns: it does the work itself, at the next VM exit or interrupt.
 *
 * Both functions wait for it, and meanwhile do what others ask of this CPU: two CPUs may ask each
 * other. So call them with no lock held and outside the epoch, when everything this CPU owns is in
 * a state that others may see and change.
 */
#pragma once

struct cpu;

/* Once, when all CPUs run. */
void remote_init(void);

/*
 * Runs @call on @cpu, which is in VMX operation; directly when that is this CPU. It may run between
 * any two VM exits of a guest and has to leave the context current that it found; it does not wait.
 */
void remote_call(struct cpu *cpu, void (*call)(void *arg), void *arg);

/* Returns when every CPU has been outside its guest since the call: none uses translations, rights
 * or addresses any more that were changed before. */
void remote_pass_all(void);

/*
 * Does what others ask of this CPU, if they do. Between two entries to a guest: Bochs 3.0 keeps
 * interrupts from a processor that entered one with RFLAGS.IF clear, until that is set.
 */
void remote_poll(void);
