/* SPDX-License-Identifier: BSD-2-Clause */
/* Per-CPU queues of virtual processors, ordered by the time they have had. */
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

enum { SLICE_US = 1000, US_PER_SECOND = 1000000 };

struct queue {
    struct spinlock lock;
    struct heap ready;
    struct heap alarms;
    struct vcpu *running;
    uint64_t turn_start; /* host TSC */
    uint64_t floor;      /* the least `used` that a vCPU may enter with, plus one slice */
};

static struct queue *queues; /* by CPU index */
static struct cpu **homes;   /* the CPUs that can run guests */
static uint32_t home_count;
static uint64_t slice; /* TSC ticks */

void sched_init(void)
{
    queues = memory_alloc(cpu_count() * sizeof(*queues), MEMORY_GRANULE);
    homes = memory_alloc(cpu_count() * sizeof(struct cpu *), MEMORY_GRANULE);
    ASSERT(queues != NULL && homes != NULL);
    slice = time_tsc_hz() / US_PER_SECOND * SLICE_US;
    for (uint32_t i = 0; i < cpu_count(); i++)
        if (cpu_get(i)->vmx != NULL)
            homes[home_count++] = cpu_get(i);
    ASSERT(home_count > 0);
}

struct cpu *sched_home(uint32_t n)
{
    return homes[n % home_count];
}

static struct queue *queue_of(const struct cpu *cpu)
{
    return &queues[cpu->index];
}

/* The lock is held in the static functions from here on. */

static void make_ready(struct queue *queue, struct vcpu *vcpu)
{
    struct sched_entity *s = &vcpu->sched;
    uint64_t least = queue->floor > slice ? queue->floor - slice : 0;

    if (heap_contains(&s->alarm))
        heap_remove(&queue->alarms, &s->alarm);
    s->used = max(s->used, least);
    s->state = SCHED_READY;
    heap_insert(&queue->ready, &s->order, s->used);
}

static struct vcpu *take_next(struct queue *queue)
{
    struct heap_node *top = heap_top(&queue->ready);

    if (top == NULL)
        return NULL;
    heap_remove(&queue->ready, top);
    struct vcpu *vcpu = container_of(top, struct vcpu, sched.order);
    vcpu->sched.state = SCHED_RUNNING;
    vcpu->sched.woken = false;
    queue->running = vcpu;
    queue->floor = max(queue->floor, vcpu->sched.used);
    queue->turn_start = time_now_tsc();
    return vcpu;
}

static void ring_alarms(struct queue *queue)
{
    uint64_t now = time_now_tsc();

    for (;;) {
        struct heap_node *top = heap_top(&queue->alarms);

        if (top == NULL || top->key > now)
            return;
        make_ready(queue, container_of(top, struct vcpu, sched.alarm));
    }
}

static void end_turn(struct queue *queue, struct vcpu *vcpu, enum sched_result result,
                     uint64_t deadline)
{
    struct sched_entity *s = &vcpu->sched;

    s->used += time_now_tsc() - queue->turn_start;
    queue->running = NULL;
    if (result == SCHED_FINISHED) {
        s->state = SCHED_ABSENT;
    } else if (result == SCHED_YIELDED || s->woken) {
        make_ready(queue, vcpu);
    } else {
        s->state = SCHED_ASLEEP;
        if (deadline != UINT64_MAX)
            heap_insert(&queue->alarms, &s->alarm, deadline);
    }
}

/* ---- The interface -----------------------------------------------------------------------------
 */

uint64_t sched_slice_end(void)
{
    struct queue *queue = queue_of(this_cpu());

    spin_lock(&queue->lock);
    ring_alarms(queue);
    struct heap_node *alarm = heap_top(&queue->alarms);
    uint64_t end = UINT64_MAX;
    if (heap_top(&queue->ready) != NULL)
        end = queue->turn_start + slice;
    else if (alarm != NULL)
        end = max(alarm->key, queue->turn_start + slice);
    spin_unlock(&queue->lock);
    return end;
}

static void run_turn(struct queue *queue, struct vcpu *vcpu)
{
    uint64_t deadline = UINT64_MAX;
    enum sched_result result = vcpu_run(vcpu, &deadline);

    spin_lock(&queue->lock);
    end_turn(queue, vcpu, result, deadline);
    spin_unlock(&queue->lock);
    if (result == SCHED_FINISHED)
        vm_vcpu_finished(vcpu->vm);
}

static void idle(struct queue *queue)
{
    spin_lock(&queue->lock);
    struct heap_node *alarm = heap_top(&queue->alarms);
    uint64_t deadline = alarm != NULL ? alarm->key : UINT64_MAX;
    spin_unlock(&queue->lock);
    if (deadline != UINT64_MAX)
        timer_arm(deadline);
    cpu_wait();
    timer_disarm();
}

void sched_loop_until(bool (*done)(void *arg), void *arg)
{
    struct queue *queue = queue_of(this_cpu());

    while (!done(arg)) {
        spin_lock(&queue->lock);
        ring_alarms(queue);
        struct vcpu *vcpu = take_next(queue);
        spin_unlock(&queue->lock);
        if (vcpu != NULL)
            run_turn(queue, vcpu);
        else
            idle(queue);
    }
}

static bool never(void *arg)
{
    (void)arg;
    return false;
}

_Noreturn void sched_loop(void)
{
    sched_loop_until(never, NULL);
    panic("the scheduler's loop ended");
}

void sched_start(struct vcpu *vcpu, struct cpu *home)
{
    struct queue *queue = queue_of(home);

    spin_lock(&queue->lock);
    ASSERT(vcpu->sched.state == SCHED_ABSENT);
    vcpu->sched.home = home;
    make_ready(queue, vcpu);
    spin_unlock(&queue->lock);
    if (home != this_cpu())
        interrupt_kick(home);
}

bool sched_is_running(struct vcpu *vcpu)
{
    struct cpu *home = vcpu->sched.home;

    if (home == NULL)
        return false;
    spin_lock(&queue_of(home)->lock);
    bool running = vcpu->sched.state == SCHED_RUNNING;
    spin_unlock(&queue_of(home)->lock);
    return running;
}

void sched_wake(struct vcpu *vcpu)
{
    struct cpu *home = vcpu->sched.home;
    bool interrupt = false;

    if (home == NULL)
        return;
    struct queue *queue = queue_of(home);
    spin_lock(&queue->lock);
    switch (vcpu->sched.state) {
    case SCHED_ABSENT:
    case SCHED_READY:
        break;
    case SCHED_RUNNING:
        vcpu->sched.woken = true;
        interrupt = true;
        break;
    case SCHED_ASLEEP:
        make_ready(queue, vcpu);
        interrupt = true;
        break;
    }
    spin_unlock(&queue->lock);
    if (!interrupt)
        return;
    if (home != this_cpu())
        interrupt_kick(home);
    else if (queue->running != NULL)
        queue->running->active->vmx.leave |= VMX_LEAVE;
}
