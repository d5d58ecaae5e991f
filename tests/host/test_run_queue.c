/* SPDX-License-Identifier: BSD-2-Clause */
/* The scheduler's queue in simulated time: shares, waits, alarms, and who gives way.
 * links: core/run_queue.c core/heap.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "core/run_queue.h"

enum { SLICE = 1000, TURN_MIN = 100, MAX = 40, AGES = 50000000 };

#define FOR_EVER (UINT64_MAX / 2)

/* A CPU and those who live on it. Each wants the CPU for `work` at a time, then sleeps for `rest`.
 */
struct world {
    struct run_queue queue;
    struct run_entity e[MAX];
    uint64_t work[MAX], rest[MAX]; /* rest 0: never sleeps; UINT64_MAX: until woken */
    uint64_t left[MAX];            /* of its work */
    uint64_t had[MAX];             /* ticks it really ran */
    uint64_t wants_since[MAX];
    uint64_t longest_wait[MAX];
    unsigned count;
    uint64_t now;
    uint32_t random;
};

static uint32_t next_random(struct world *w)
{
    w->random = w->random * 1664525u + 1013904223u;
    return w->random >> 8;
}

static struct world *make(unsigned count)
{
    struct world *w = calloc(1, sizeof(*w));

    run_queue_init(&w->queue, SLICE, TURN_MIN);
    w->count = count;
    w->random = count;
    w->now = 12345;
    for (unsigned i = 0; i < count; i++) {
        w->work[i] = w->left[i] = FOR_EVER;
        w->wants_since[i] = w->now;
    }
    return w;
}

static void add_all(struct world *w)
{
    for (unsigned i = 0; i < w->count; i++)
        run_queue_add(&w->queue, &w->e[i], w->now);
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* One turn, or one wait for an alarm. Returns who ran, or MAX. @until bounds the wait. */
static unsigned turn(struct world *w, uint64_t until)
{
    struct run_entity *next = run_queue_next(&w->queue, w->now);

    if (!next) {
        w->now = earlier(until, run_queue_alarm(&w->queue));
        return MAX;
    }
    unsigned i = (unsigned)(next - w->e);
    uint64_t waited = w->now - w->wants_since[i];
    if (waited > w->longest_wait[i])
        w->longest_wait[i] = waited;

    uint64_t end = earlier(earlier(w->queue.turn_end, until), w->now + w->left[i]);
    if (end < w->now)
        end = w->now;
    w->had[i] += end - w->now;
    w->left[i] -= end - w->now;
    w->now = end;
    w->wants_since[i] = w->now;
    if (w->left[i] > 0) {
        run_queue_end_turn(&w->queue, RUN_YIELDED, UINT64_MAX, w->now);
    } else {
        w->left[i] = w->work[i];
        w->wants_since[i] = w->rest[i] == UINT64_MAX ? w->now : w->now + w->rest[i];
        run_queue_end_turn(&w->queue, RUN_SLEEPS,
                           w->rest[i] == UINT64_MAX ? UINT64_MAX : w->now + w->rest[i], w->now);
    }
    return i;
}

static void run_for(struct world *w, uint64_t time)
{
    uint64_t until = w->now + time;

    while (w->now < until)
        turn(w, until);
}

static void assert_near(uint64_t seen, uint64_t expected, uint64_t slack)
{
    assert_in_range(seen, expected > slack ? expected - slack : 0, expected + slack);
}

/* ---- Those who never sleep ---- */

static void test_equal_shares(void **state)
{
    (void)state;
    for (unsigned count = 1; count <= MAX; count++) {
        struct world *w = make(count);

        add_all(w);
        for (unsigned round = 1; round < 20; round++) {
            run_for(w, 777 * count);
            for (unsigned i = 1; i < count; i++)
                assert_near(w->had[i], w->had[0], 2 * SLICE);
        }
        for (unsigned i = 0; i < count; i++)
            assert_true(w->longest_wait[i] <= 2 * (uint64_t)(count - 1) * SLICE);
        free(w);
    }
}

static void test_alone_is_never_interrupted(void **state)
{
    struct world *w = make(1);

    (void)state;
    add_all(w);
    assert_non_null(run_queue_next(&w->queue, w->now));
    assert_int_equal(w->queue.turn_end, UINT64_MAX);
    assert_false(run_queue_waits(&w->queue));
    free(w);
}

/* Whoever ran alone for ages owes nothing for it, and what joins has no claim to as much. */
static void test_newcomer_after_ages(void **state)
{
    struct world *w = make(2);

    (void)state;
    run_queue_add(&w->queue, &w->e[0], w->now);
    run_for(w, AGES);
    run_queue_add(&w->queue, &w->e[1], w->now);
    w->had[0] = 0;
    run_for(w, 10 * SLICE);
    assert_near(w->had[0], 5 * SLICE, 2 * SLICE);
    free(w);
}

static void test_sleeper_joins_during_a_long_turn(void **state)
{
    struct world *w = make(2);

    (void)state;
    w->work[1] = w->left[1] = 10;
    w->rest[1] = UINT64_MAX;
    add_all(w);
    run_for(w, 5 * SLICE); /* the second one falls asleep */
    assert_int_equal(w->e[1].state, RUN_ASLEEP);
    run_queue_next(&w->queue, w->now);
    w->now += AGES;
    w->left[1] = FOR_EVER;
    assert_true(run_queue_wake(&w->queue, &w->e[1], w->now));
    assert_true(w->queue.turn_end <= w->now); /* at once */
    run_queue_end_turn(&w->queue, RUN_YIELDED, UINT64_MAX, w->now);
    w->had[0] = w->had[1] = 0;
    run_for(w, 10 * SLICE);
    assert_near(w->had[0], 5 * SLICE, 2 * SLICE);
    free(w);
}

/* ---- Waking up ---- */

static void test_wake_up_is_soon(void **state)
{
    struct world *w = make(6);

    (void)state;
    w->work[5] = w->left[5] = 10;
    w->rest[5] = UINT64_MAX;
    add_all(w);
    run_for(w, 20 * SLICE);
    for (unsigned trial = 0; trial < 1000; trial++) {
        run_for(w, 7 * SLICE + next_random(w) % SLICE);
        assert_int_equal(w->e[5].state, RUN_ASLEEP);
        assert_non_null(run_queue_next(&w->queue, w->now));
        uint64_t ran = next_random(w) % 50;
        w->now += ran;
        bool sooner = run_queue_wake(&w->queue, &w->e[5], w->now);
        assert_true(sooner);
        assert_int_equal(w->queue.turn_end, w->queue.turn_start + TURN_MIN);
        w->now = w->queue.turn_end;
        run_queue_end_turn(&w->queue, RUN_YIELDED, UINT64_MAX, w->now);
        assert_ptr_equal(run_queue_next(&w->queue, w->now), &w->e[5]);
        w->now += 10;
        run_queue_end_turn(&w->queue, RUN_SLEEPS, UINT64_MAX, w->now);
    }
    free(w);
}

static void test_alarm_rings_in_time(void **state)
{
    struct world *w = make(4);

    (void)state;
    w->work[3] = w->left[3] = 20;
    w->rest[3] = 1234;
    add_all(w);
    run_for(w, 3 * SLICE);
    w->longest_wait[3] = 0;
    run_for(w, 1000 * SLICE);
    assert_true(w->longest_wait[3] <= TURN_MIN);
    assert_true(w->had[3] >= 1000 * SLICE / 1400 * 20);
    free(w);
}

/* A sleeper among sleepers: what it sleeps away gives it one slice of credit, no more. */
static void test_no_credit_beyond_a_slice(void **state)
{
    struct world *w = make(3);

    (void)state;
    w->work[2] = w->left[2] = 5;
    w->rest[2] = UINT64_MAX;
    add_all(w);
    run_for(w, 100 * SLICE);
    run_queue_wake(&w->queue, &w->e[2], w->now);
    w->left[2] = FOR_EVER;
    w->wants_since[0] = w->wants_since[1] = w->now;
    w->had[0] = w->had[1] = w->had[2] = 0;
    w->longest_wait[0] = w->longest_wait[1] = 0;
    run_for(w, 30 * SLICE);
    assert_near(w->had[2], 10 * SLICE, 2 * SLICE);
    assert_true(w->longest_wait[0] <= 4 * SLICE && w->longest_wait[1] <= 4 * SLICE);
    free(w);
}

static void test_woken_while_it_runs(void **state)
{
    struct world *w = make(1);

    (void)state;
    add_all(w);
    run_queue_next(&w->queue, w->now);
    assert_true(run_queue_wake(&w->queue, &w->e[0], w->now));
    run_queue_end_turn(&w->queue, RUN_SLEEPS, UINT64_MAX, w->now);
    assert_int_equal(w->e[0].state, RUN_READY);
    run_queue_next(&w->queue, w->now);
    run_queue_end_turn(&w->queue, RUN_SLEEPS, UINT64_MAX, w->now);
    assert_int_equal(w->e[0].state, RUN_ASLEEP);
    free(w);
}

/* Woken before its alarm, it must not be rung for a second time. */
static void test_wake_stops_the_alarm(void **state)
{
    struct world *w = make(1);

    (void)state;
    add_all(w);
    run_queue_next(&w->queue, w->now);
    run_queue_end_turn(&w->queue, RUN_SLEEPS, w->now + 50, w->now);
    assert_int_equal(run_queue_alarm(&w->queue), w->now + 50);
    assert_true(run_queue_wake(&w->queue, &w->e[0], w->now));
    assert_int_equal(run_queue_alarm(&w->queue), UINT64_MAX);
    assert_false(run_queue_wake(&w->queue, &w->e[0], w->now)); /* it is ready: nothing new */
    run_queue_next(&w->queue, w->now + 100);
    run_queue_end_turn(&w->queue, RUN_FINISHED, UINT64_MAX, w->now + 100);
    assert_null(run_queue_next(&w->queue, w->now + 200));
    assert_false(run_queue_wake(&w->queue, &w->e[0], w->now));
    free(w);
}

/* ---- Giving way ---- */

/* However little it had, the one that spins lets all others have a turn. */
static void test_spinner_gives_way(void **state)
{
    struct world *w = make(5);
    unsigned others = 0;

    (void)state;
    add_all(w);
    run_for(w, 50 * SLICE);
    struct run_entity *spinner = run_queue_next(&w->queue, w->now);
    w->now += 40;
    run_queue_end_turn(&w->queue, RUN_GAVE_WAY, UINT64_MAX, w->now);
    for (;;) {
        struct run_entity *next = run_queue_next(&w->queue, w->now);
        if (next == spinner && others == 0)
            fail_msg("the spinner runs again before anybody else");
        if (next == spinner)
            break;
        others++;
        w->now += SLICE;
        run_queue_end_turn(&w->queue, RUN_YIELDED, UINT64_MAX, w->now);
    }
    assert_in_range(others, 1, 8);
    free(w);
}

/* Spinners that wait for one that is further ahead than they are get it to run. */
static void test_spinners_let_the_one_they_wait_for_run(void **state)
{
    struct world *w = make(10);
    unsigned turns = 0;

    (void)state;
    add_all(w);
    for (;; turns++) {
        struct run_entity *next = run_queue_next(&w->queue, w->now);
        if (next == &w->e[9] && turns > 0)
            break;
        w->now += next == &w->e[9] ? SLICE : 40;
        run_queue_end_turn(&w->queue, next == &w->e[9] ? RUN_YIELDED : RUN_GAVE_WAY, UINT64_MAX,
                           w->now);
        assert_true(turns < 40);
    }
    free(w);
}

static void test_giving_way_alone_costs_nothing(void **state)
{
    struct world *w = make(1);

    (void)state;
    add_all(w);
    run_queue_next(&w->queue, w->now);
    run_queue_end_turn(&w->queue, RUN_GAVE_WAY, UINT64_MAX, w->now + 5);
    assert_int_equal(w->e[0].used, 5);
    free(w);
}

/* ---- Everything at once ---- */

/* Random work and rest: nobody starves, and who always wants the CPU gets its share at least. */
static void test_random_histories(void **state)
{
    (void)state;
    for (unsigned seed = 1; seed <= 200; seed++) {
        struct world *w = make(3 + seed % 20);

        w->random = seed * 977;
        for (unsigned i = 1; i < w->count; i++) {
            w->work[i] = w->left[i] = 1 + next_random(w) % (3 * SLICE);
            w->rest[i] = 1 + next_random(w) % (20 * SLICE);
        }
        add_all(w);
        uint64_t time = 400 * SLICE;
        run_for(w, time);
        assert_true(w->had[0] + 3 * SLICE >= time / w->count);
        for (unsigned i = 0; i < w->count; i++)
            assert_true(w->longest_wait[i] <= 2 * (uint64_t)w->count * SLICE);
        free(w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_equal_shares),
        cmocka_unit_test(test_alone_is_never_interrupted),
        cmocka_unit_test(test_newcomer_after_ages),
        cmocka_unit_test(test_sleeper_joins_during_a_long_turn),
        cmocka_unit_test(test_wake_up_is_soon),
        cmocka_unit_test(test_alarm_rings_in_time),
        cmocka_unit_test(test_no_credit_beyond_a_slice),
        cmocka_unit_test(test_woken_while_it_runs),
        cmocka_unit_test(test_wake_stops_the_alarm),
        cmocka_unit_test(test_spinner_gives_way),
        cmocka_unit_test(test_spinners_let_the_one_they_wait_for_run),
        cmocka_unit_test(test_giving_way_alone_costs_nothing),
        cmocka_unit_test(test_random_histories),
    };

    return cmocka_run_group_tests_name("run_queue", tests, NULL, NULL);
}
