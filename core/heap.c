/* SPDX-License-Identifier: BSD-2-Clause */
/* Pairing heap. */
#include "core/heap.h"

static void link(struct heap_node **place, struct heap_node *node)
{
    *place = node;
    if (node != NULL)
        node->parent = place;
}

/* Two trees without siblings become one; either may be NULL. */
static struct heap_node *meld(struct heap_node *a, struct heap_node *b)
{
    if (a == NULL)
        return b;
    if (b == NULL)
        return a;
    if (b->key < a->key) {
        struct heap_node *smaller = b;

        b = a;
        a = smaller;
    }
    link(&b->next, a->child);
    link(&a->child, b);
    return a;
}

/* One tree of a list of siblings: pairs from the left, then the pairs from the right. */
static struct heap_node *meld_siblings(struct heap_node *first)
{
    struct heap_node *pairs = NULL;
    struct heap_node *all = NULL;

    while (first != NULL) {
        struct heap_node *a = first;
        struct heap_node *b = a->next;

        first = b != NULL ? b->next : NULL;
        a->next = NULL;
        if (b != NULL)
            b->next = NULL;
        a = meld(a, b);
        a->next = pairs;
        pairs = a;
    }
    while (pairs != NULL) {
        struct heap_node *rest = pairs->next;

        pairs->next = NULL;
        all = meld(all, pairs);
        pairs = rest;
    }
    return all;
}

void heap_insert(struct heap *heap, struct heap_node *node, uint64_t key)
{
    node->key = key;
    node->child = NULL;
    node->next = NULL;
    link(&heap->top, meld(heap->top, node));
}

void heap_remove(struct heap *heap, struct heap_node *node)
{
    struct heap_node *children = meld_siblings(node->child);

    link(node->parent, node->next);
    node->parent = NULL;
    node->child = NULL;
    node->next = NULL;
    link(&heap->top, meld(heap->top, children));
}
