/* SPDX-License-Identifier: BSD-2-Clause */
/* Who runs next and for how long. */
#include "core/run_queue.h"

#include "core/bits.h"

void run_queue_init(struct run_queue *queue, uint64_t slice, uint64_t turn_min)
{
    queue->slice = slice;
    queue->turn_min = turn_min;
    queue->turn_end = UINT64_MAX;
}

static uint64_t first_ready(const struct run_queue *queue)
{
    const struct heap_node *first = heap_top(&queue->ready);

    return first != NULL ? first->key : UINT64_MAX;
}

static uint64_t less(uint64_t a, uint64_t b)
{
    return a > b ? a - b : 0;
}

static void raise_floor(struct run_queue *queue, uint64_t now)
{
    uint64_t least = first_ready(queue);

    if (queue->running != NULL)
        least = min(least, queue->running->used + less(now, queue->turn_start));
    if (least != UINT64_MAX)
        queue->floor = max(queue->floor, least);
}

static void make_ready(struct run_queue *queue, struct run_entity *e)
{
    e->state = RUN_READY;
    heap_insert(&queue->ready, &e->order, e->used);
}

/* One that slept, or is new. */
static void enter(struct run_queue *queue, struct run_entity *e, uint64_t now)
{
    if (heap_contains(&e->alarm))
        heap_remove(&queue->alarms, &e->alarm);
    raise_floor(queue, now);
    e->used = max(e->used, less(queue->floor, queue->slice));
    make_ready(queue, e);
}

/* The turn ends when the one that runs is a slice ahead, and when a sleeper may have to run. */
static void set_turn_end(struct run_queue *queue)
{
    uint64_t ends = run_queue_alarm(queue);

    if (run_queue_waits(queue)) {
        uint64_t lead = less(first_ready(queue) + queue->slice, queue->running->used);

        lead = min(lead, queue->slice);
        ends = min(ends, queue->turn_start + lead);
    }
    queue->turn_end = max(ends, queue->turn_start + queue->turn_min);
}

void run_queue_add(struct run_queue *queue, struct run_entity *e, uint64_t now)
{
    enter(queue, e, now);
    if (queue->running != NULL)
        set_turn_end(queue);
}

bool run_queue_wake(struct run_queue *queue, struct run_entity *e, uint64_t now)
{
    uint64_t before = queue->turn_end;

    if (e->state == RUN_RUNNING) {
        e->woken = true;
        return true;
    }
    if (e->state != RUN_ASLEEP)
        return false;
    run_queue_add(queue, e, now);
    return queue->running == NULL || queue->turn_end < before;
}

static void ring_alarms(struct run_queue *queue, uint64_t now)
{
    while (run_queue_alarm(queue) <= now)
        enter(queue, container_of(heap_top(&queue->alarms), struct run_entity, alarm), now);
}

struct run_entity *run_queue_next(struct run_queue *queue, uint64_t now)
{
    ring_alarms(queue, now);
    struct heap_node *first = heap_top(&queue->ready);
    if (first == NULL)
        return NULL;
    heap_remove(&queue->ready, first);
    queue->running = container_of(first, struct run_entity, order);
    queue->running->state = RUN_RUNNING;
    queue->running->woken = false;
    queue->turn_start = now;
    set_turn_end(queue);
    return queue->running;
}

void run_queue_end_turn(struct run_queue *queue, enum run_result result, uint64_t alarm,
                        uint64_t now)
{
    struct run_entity *e = queue->running;
    uint64_t had = less(now, queue->turn_start);

    if (result == RUN_GAVE_WAY && run_queue_waits(queue))
        had = max(had, queue->slice);
    raise_floor(queue, now);
    e->used += had;
    queue->running = NULL;
    if (result == RUN_FINISHED) {
        e->state = RUN_ABSENT;
    } else if (result != RUN_SLEEPS || e->woken) {
        make_ready(queue, e);
    } else {
        e->state = RUN_ASLEEP;
        if (alarm != UINT64_MAX)
            heap_insert(&queue->alarms, &e->alarm, alarm);
    }
}
