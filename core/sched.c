/* SPDX-License-Identifier: BSD-2-Clause */
/* Per-CPU queues of virtual processors: their locks, and the loop of every CPU. */
#include "core/sched.h"

#include <stdatomic.h>

#include "core/assert.h"
#include "core/bits.h"
#include "core/cpu.h"
#include "core/interrupt.h"
#include "core/memory.h"
#include "core/spinlock.h"
#include "core/time.h"
#include "core/vcpu.h"

enum { SLICE_US = 1000, TURN_MIN_US = 100, US_PER_SECOND = 1000000 };

struct queue {
    _Alignas(64) struct spinlock lock;
    struct run_queue run;
    uint32_t members; /* vCPUs at home here */
    struct vcpu *_Atomic first_member;

    /* What the vCPU that runs here asks for after every exit, without the lock. */
    _Atomic uint64_t turn_end;
    _Atomic bool others_wait;
};

static struct queue *queues; /* by CPU index */

void sched_init(void)
{
    uint64_t us = time_tsc_hz() / US_PER_SECOND;

    queues = memory_alloc(cpu_count() * sizeof(*queues), MEMORY_GRANULE);
    ASSERT(queues != NULL);
    for (uint32_t i = 0; i < cpu_count(); i++)
        run_queue_init(&queues[i].run, SLICE_US * us, TURN_MIN_US * us);
}

static struct queue *queue_of(const struct cpu *cpu)
{
    return &queues[cpu->index];
}

static void lock(struct queue *queue)
{
    spin_lock(&queue->lock);
}

static void unlock(struct queue *queue)
{
    atomic_store_explicit(&queue->turn_end, queue->run.turn_end, memory_order_relaxed);
    atomic_store_explicit(&queue->others_wait, run_queue_waits(&queue->run), memory_order_relaxed);
    spin_unlock(&queue->lock);
}

uint64_t sched_turn_end(void)
{
    return atomic_load_explicit(&queue_of(this_cpu())->turn_end, memory_order_relaxed);
}

bool sched_others_wait(void)
{
    return atomic_load_explicit(&queue_of(this_cpu())->others_wait, memory_order_relaxed);
}

/* ---- The loop -------------------------------------------------------------------------------- */

static void take_out(struct queue *queue, struct vcpu *vcpu)
{
    struct vcpu *at = atomic_load(&queue->first_member);

    queue->members--;
    if (at == vcpu) {
        atomic_store(&queue->first_member, vcpu->sched.next);
        return;
    }
    while (at->sched.next != vcpu)
        at = at->sched.next;
    at->sched.next = vcpu->sched.next;
}

static void run_turn(struct queue *queue, struct vcpu *vcpu)
{
    uint64_t alarm = UINT64_MAX;
    enum run_result result = vcpu_run(vcpu, &alarm);

    lock(queue);
    run_queue_end_turn(&queue->run, result, alarm, time_now_tsc());
    if (result == RUN_FINISHED)
        take_out(queue, vcpu);
    unlock(queue);
    if (result == RUN_FINISHED)
        vm_vcpu_finished(vcpu->vm);
}

/* Others may have given it work in the meantime: their interrupt then ends the wait at once. */
static void idle(uint64_t alarm)
{
    timer_set(alarm);
    cpu_wait();
}

void sched_loop_until(bool (*done)(void *arg), void *arg)
{
    struct queue *queue = queue_of(this_cpu());

    while (!done(arg)) {
        lock(queue);
        struct run_entity *next = run_queue_next(&queue->run, time_now_tsc());
        uint64_t alarm = run_queue_alarm(&queue->run);
        unlock(queue);
        if (next != NULL)
            run_turn(queue, container_of(next, struct vcpu, sched.run));
        else
            idle(alarm);
    }
}

static bool never(void *)
{
    return false;
}

_Noreturn void sched_loop(void)
{
    sched_loop_until(never, NULL);
    panic("the scheduler's loop ended");
}

/* ---- What happens from outside --------------------------------------------------------------- */

/* The queue of @cpu has changed. */
static void tell(struct cpu *cpu)
{
    if (cpu != this_cpu()) {
        interrupt_kick(cpu);
        return;
    }
    struct run_entity *running = queue_of(cpu)->run.running;
    if (running != NULL)
        container_of(running, struct vcpu, sched.run)->active->vmx.leave |= VMX_LEAVE;
}

void sched_interrupt(struct cpu *cpu)
{
    struct queue *queue = queue_of(cpu);

    lock(queue);
    queue->run.turn_end = 0;
    unlock(queue);
    tell(cpu);
}

static struct cpu *find_home(void)
{
    struct cpu *home = NULL;

    for (uint32_t i = 0; i < cpu_count(); i++) {
        struct cpu *cpu = cpu_get(i);

        if (cpu->vmx != NULL && (home == NULL || queue_of(cpu)->members < queue_of(home)->members))
            home = cpu;
    }
    return home;
}

void sched_start(struct vcpu *vcpu)
{
    struct cpu *home = find_home();
    struct queue *queue = queue_of(home);

    ASSERT(vcpu->sched.home == NULL);
    atomic_store(&vcpu->sched.home, home);
    lock(queue);
    run_queue_add(&queue->run, &vcpu->sched.run, time_now_tsc());
    vcpu->sched.next = atomic_load(&queue->first_member);
    atomic_store(&queue->first_member, vcpu);
    queue->members++;
    unlock(queue);
    tell(home);
}

void sched_for_members(void (*call)(struct vcpu *vcpu))
{
    struct vcpu *at = atomic_load(&queue_of(this_cpu())->first_member);

    for (; at != NULL; at = at->sched.next)
        call(at);
}

bool sched_is_running(struct vcpu *vcpu)
{
    struct cpu *home = atomic_load(&vcpu->sched.home);

    if (home == NULL)
        return false;
    lock(queue_of(home));
    bool running = vcpu->sched.run.state == RUN_RUNNING;
    unlock(queue_of(home));
    return running;
}

/* @posted: while it runs VECTOR_POSTED is enough. */
static void wake(struct vcpu *vcpu, bool posted)
{
    struct cpu *home = atomic_load(&vcpu->sched.home);

    if (home == NULL)
        return;
    struct queue *queue = queue_of(home);
    lock(queue);
    bool runs = vcpu->sched.run.state == RUN_RUNNING;
    bool changed = run_queue_wake(&queue->run, &vcpu->sched.run, time_now_tsc());
    unlock(queue);
    if (!changed)
        return;
    if (!(runs && posted))
        tell(home);
    else if (home != this_cpu())
        interrupt_send(home, VECTOR_POSTED);
    else
        vcpu->active->vmx.leave |= VMX_ATTEND;
}

void sched_wake(struct vcpu *vcpu)
{
    wake(vcpu, false);
}

void sched_notify(struct vcpu *vcpu)
{
    wake(vcpu, true);
}
