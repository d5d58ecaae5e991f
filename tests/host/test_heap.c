/* SPDX-License-Identifier: BSD-2-Clause */
/* core/heap.h against a plain array. links: core/heap.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "core/heap.h"

enum { NODES = 64, STEPS = 200000 };

static uint32_t next_random(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

static uint64_t smallest(const struct heap_node *nodes)
{
    uint64_t key = UINT64_MAX;

    for (unsigned i = 0; i < NODES; i++)
        if (heap_contains(&nodes[i]) && nodes[i].key < key)
            key = nodes[i].key;
    return key;
}

static void test_random_history(void **state)
{
    struct heap heap = {NULL};
    struct heap_node nodes[NODES] = {0};
    uint32_t random = 1;

    (void)state;
    for (unsigned step = 0; step < STEPS; step++) {
        struct heap_node *node = &nodes[next_random(&random) % NODES];

        if (heap_contains(node))
            heap_remove(&heap, node);
        else
            heap_insert(&heap, node, next_random(&random) % 1000);
        if (heap_top(&heap) == NULL)
            assert_int_equal(smallest(nodes), UINT64_MAX);
        else
            assert_int_equal(heap_top(&heap)->key, smallest(nodes));
    }
}

static void test_leaves_in_order(void **state)
{
    struct heap heap = {NULL};
    struct heap_node nodes[NODES] = {0};
    uint32_t random = 7;
    uint64_t last = 0;

    (void)state;
    for (unsigned i = 0; i < NODES; i++)
        heap_insert(&heap, &nodes[i], next_random(&random));
    for (unsigned i = 0; i < NODES; i++) {
        struct heap_node *top = heap_top(&heap);

        assert_non_null(top);
        assert_true(top->key >= last);
        last = top->key;
        heap_remove(&heap, top);
        assert_false(heap_contains(top));
    }
    assert_null(heap_top(&heap));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_history),
        cmocka_unit_test(test_leaves_in_order),
    };

    return cmocka_run_group_tests_name("heap", tests, NULL, NULL);
}
