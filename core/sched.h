/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The scheduler: which virtual processor a CPU runs.
 *
 * Every vCPU has one home CPU. Those that can run share it in time slices, and the one that has had
 * the least time goes first; one that slept is not owed the time it slept away, beyond one slice.
 * So a vCPU that wakes waits for at most one slice of the one that runs, unless the others had
 * less time than it. A CPU with nothing to run halts until an interrupt.
 */
#ifndef LAPWING_CORE_SCHED_H
#define LAPWING_CORE_SCHED_H

#include "core/heap.h"
#include "core/types.h"

struct cpu;
struct vcpu;

/* A vCPU's place in the scheduler: part of struct vcpu, guarded by its home CPU's queue lock. */
struct sched_entity {
    struct cpu *home;
    struct heap_node order; /* while it waits to run: by time had */
    struct heap_node alarm; /* while it sleeps with a deadline: by host TSC */
    uint64_t used;          /* weighted host TSC ticks it has run */
    enum sched_state {
        SCHED_ABSENT, /* not given to the scheduler, or finished */
        SCHED_READY,
        SCHED_RUNNING,
        SCHED_ASLEEP,
    } state;
    bool woken; /* while it runs: do not let it sleep before it has looked again */
};

/* Why vcpu_run() gave the CPU back. */
enum sched_result {
    SCHED_YIELDED, /* it could go on */
    SCHED_SLEEPS,  /* until sched_wake() or its deadline */
    SCHED_FINISHED /* its VM stops: it must not run again */
};

/* Makes the queues, for the CPUs in VMX operation. Once, when all CPUs run. */
void sched_init(void);

/* The home for the @n-th vCPU of a VM: CPUs take turns. */
struct cpu *sched_home(uint32_t n);

/* Makes this CPU run what is given to it, for good. */
_Noreturn void sched_loop(void);

/* The same until @done, asked between turns and after every interrupt, says so. */
void sched_loop_until(bool (*done)(void *arg), void *arg);

/* Gives @vcpu, which is in no queue, to the CPU @home. Any CPU. */
void sched_start(struct vcpu *vcpu, struct cpu *home);

/*
 * Makes @vcpu look at what was posted to it, soon: wakes it, or makes it leave the guest. Who posts
 * first and then calls this is heard. No effect on one that is absent. Any CPU.
 */
void sched_wake(struct vcpu *vcpu);

/* Whether a CPU has @vcpu's turn. Who changes something first and then is told that none has is
 * seen by the next turn. Any CPU. */
bool sched_is_running(struct vcpu *vcpu);

/* For the vCPU that runs here: host TSC at which it has to yield; UINT64_MAX: nobody waits. */
uint64_t sched_slice_end(void);

#endif
