/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One CPU's share of the scheduler's work, without the CPU: who runs next and for how long. Times
 * are ticks of any one clock, handed in. Not thread-safe.
 *
 * The one that has had the least time goes first. It keeps the CPU until it is a slice ahead of
 * the first that waits, at most a slice and at least `turn_min`. One that slept is not owed the
 * time it slept away, beyond one slice. So with n that want the CPU
 *
 * - each gets 1/n of it: what two of them have had since both want it differs by at most two
 *   slices, and by what turns were overrun;
 * - one that wakes up and has had the least gets it within a slice, and within `turn_min` if it is
 * a slice behind the one that runs, as after a long sleep. Each that has had less may take two
 *   slices first.
 */
#pragma once

#include "core/heap.h"
#include "core/types.h"

/* One that runs, waits or sleeps. Zero is a newcomer. */
struct run_entity {
    struct heap_node order; /* while it waits to run: by time had */
    struct heap_node alarm; /* while it sleeps with a deadline */
    uint64_t used;          /* ticks it has had, and what it was not owed or gave away */
    enum run_state {
        RUN_ABSENT, /* not in the queue */
        RUN_READY,
        RUN_RUNNING,
        RUN_ASLEEP,
    } state;
    bool woken; /* while it runs: it must not sleep before it has looked again */
};

/* Why a turn ended. */
enum run_result {
    RUN_YIELDED,  /* it could go on */
    RUN_GAVE_WAY, /* it could, but has no use for the rest of its slice */
    RUN_SLEEPS,   /* until run_queue_wake() or its deadline */
    RUN_FINISHED  /* it leaves the queue */
};

struct run_queue {
    struct heap ready;
    struct heap alarms;
    struct run_entity *running; /* or NULL */
    uint64_t slice, turn_min;
    uint64_t turn_start;
    uint64_t turn_end; /* when `running` has to yield; UINT64_MAX: not before something changes */
    uint64_t floor;    /* no less than anyone awake has had; it only grows */
};

/* @queue is zero. */
void run_queue_init(struct run_queue *queue, uint64_t slice, uint64_t turn_min);

/* Takes in @e, which is absent. */
void run_queue_add(struct run_queue *queue, struct run_entity *e, uint64_t now);

/*
 * Something happened that @e, not absent, should see. True when the CPU has to be told: nobody
 * runs there, or @e does, or a turn ends earlier now.
 */
bool run_queue_wake(struct run_queue *queue, struct run_entity *e, uint64_t now);

/* Nobody runs: begins the turn of the next one, and returns it; NULL if nobody wants one. */
struct run_entity *run_queue_next(struct run_queue *queue, uint64_t now);

/* Ends the turn. @alarm: when it wakes by itself if it sleeps; UINT64_MAX: never. */
void run_queue_end_turn(struct run_queue *queue, enum run_result result, uint64_t alarm,
                        uint64_t now);

/* Whether the one that runs keeps others waiting. */
static inline bool run_queue_waits(const struct run_queue *queue)
{
    return heap_top(&queue->ready) != NULL;
}

/* When the first sleeper wakes by itself; UINT64_MAX: none does. */
static inline uint64_t run_queue_alarm(const struct run_queue *queue)
{
    const struct heap_node *alarm = heap_top(&queue->alarms);

    return alarm != NULL ? alarm->key : UINT64_MAX;
}
