/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A pairing heap of nodes that live inside what they order: the smallest key is at hand, insertion
 * is constant, removal of any node logarithmic on average, and nothing is allocated. Ties leave in
 * no particular order. Not thread-safe.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct heap_node {
    uint64_t key;
    struct heap_node *child;   /* the first of those that are not smaller */
    struct heap_node *next;    /* the next sibling */
    struct heap_node **parent; /* the pointer that points here; NULL: in no heap */
};

struct heap {
    struct heap_node *top;
};

static inline bool heap_contains(const struct heap_node *node)
{
    return node->parent != NULL;
}

/* The node with the smallest key, or NULL. */
static inline struct heap_node *heap_top(const struct heap *heap)
{
    return heap->top;
}

/* @node is in no heap. */
void heap_insert(struct heap *heap, struct heap_node *node, uint64_t key);

/* @node is in @heap. */
void heap_remove(struct heap *heap, struct heap_node *node);
