/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The scheduler: which virtual processor a CPU runs.
 *
 * Every vCPU has one home CPU, the one with the fewest vCPUs when it came. There those that can run
 * share it as core/run_queue.h says, in slices of 1 ms and turns of at least 100 us: so one that
 * wakes up after a sleep runs within 100 us, plus the time the hypervisor takes for one exit,
 * unless others have had as little time. A vCPU that halts, or whose PAUSE loop the processor
 * reports, gives the rest of its slice away. A CPU with nothing to run halts until an interrupt,
 * and one with a single vCPU to run never interrupts it.
 *
 * What is printed holds up the CPU that prints: on a serial line of 115200 bits per second 87 us
 * per byte. The boot processor also makes and frees VMs, between its turns.
 */
#pragma once

#include "core/run_queue.h"
#include "core/types.h"

struct cpu;
struct vcpu;

/* A vCPU's place in the scheduler: part of struct vcpu. */
struct sched_entity {
    struct cpu *_Atomic home; /* NULL: not yet given to the scheduler */
    struct run_entity run;    /* guarded by the home CPU's queue lock */
    struct vcpu *next;        /* with the same home; only that CPU takes it out */
};

/* Makes the queues, for the CPUs in VMX operation. Once, when all CPUs run. */
void sched_init(void);

/* Makes this CPU run what is given to it, for good. */
_Noreturn void sched_loop(void);

/* The same until @done, asked between turns and after every interrupt, says so. */
void sched_loop_until(bool (*done)(void *arg), void *arg);

/* Ends the turn at hand on @cpu, soon, and makes it ask `done`. Any CPU. */
void sched_interrupt(struct cpu *cpu);

/* Finds a home for @vcpu, which is in no queue, and gives it to that CPU. On the boot processor. */
void sched_start(struct vcpu *vcpu);

/*
 * Makes @vcpu look at what was posted to it, soon: wakes it, or makes it leave the guest. Who posts
 * first and then calls this is heard. No effect on one that is absent. Any CPU.
 */
void sched_wake(struct vcpu *vcpu);

/* Whether a CPU has @vcpu's turn. Who changes something first and then is told that none has is
 * seen by the next turn. Any CPU. */
bool sched_is_running(struct vcpu *vcpu);

/* The same for what the processor merges by itself while the guest runs, told by VECTOR_POSTED. */
void sched_notify(struct vcpu *vcpu);

/* Calls @call for each vCPU that has its home on this CPU. */
void sched_for_members(void (*call)(struct vcpu *vcpu));

/* For the vCPU that runs here: host TSC at which it has to yield; UINT64_MAX: nobody waits. */
uint64_t sched_turn_end(void);

/* For the vCPU that runs here: whether it keeps others waiting. */
bool sched_others_wait(void);
