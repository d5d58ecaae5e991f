/* SPDX-License-Identifier: BSD-2-Clause */
/* links: vmx/ept.c vmx/caps.c */
/* EPT against a naive model: one record per 4 KiB page of a small piece of guest memory. */
#include "vmx/ept.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/bits.h"
#include "core/memory.h"

/* The window holds the end of one 1 GiB page, a whole one, and the start of the next. */
enum { MODEL_PAGES = 512 * 516, EDGE_PAGES = 512 * 2 };
#define MODEL_BASE (7 * EPT_PAGE_1G - EDGE_PAGES * EPT_PAGE_4K)

/* In place of core/memory.c. */
static struct {
    unsigned in_use;
    unsigned limit;
} pool;

void *page_alloc(void)
{
    if (pool.in_use == pool.limit)
        return NULL;
    void *page = aligned_alloc(4096, 4096);
    memset(page, 0, 4096);
    pool.in_use++;
    return page;
}

void page_free(void *page)
{
    pool.in_use--;
    free(page);
}

paddr_t virt_to_phys(const volatile void *address)
{
    return (uintptr_t)address;
}

static struct vmx_caps caps_with(bool large, bool huge)
{
    struct vmx_caps caps = {0};
    caps.word[VMX_EPT_VPID].may_be_1 = (large ? BIT(16) : 0) | (huge ? BIT(17) : 0);
    return caps;
}

static void start(struct ept *ept, bool large, bool huge)
{
    pool.in_use = 0;
    pool.limit = 100000;
    struct vmx_caps caps = caps_with(large, huge);
    assert_true(ept_init(ept, &caps));
}

static void finish(struct ept *ept)
{
    ept_destroy(ept);
    assert_int_equal(pool.in_use, 0);
}

struct page {
    uint64_t hpa;
    uint16_t rights;
    uint8_t type;
    bool mapped;
};

static struct page *model;

static void assert_page(const struct ept *ept, unsigned i)
{
    struct ept_mapping m;
    bool mapped = ept_lookup(ept, MODEL_BASE + i * EPT_PAGE_4K, &m);
    assert_int_equal(mapped, model[i].mapped);
    if (!mapped)
        return;
    assert_int_equal(m.hpa, model[i].hpa);
    assert_int_equal(m.rights, model[i].rights);
    assert_int_equal(m.type, model[i].type);
}

/* Every page near the change's ends, where mistakes are, and a sample of all others. */
static void assert_same(const struct ept *ept, unsigned first, unsigned pages)
{
    for (unsigned i = 0; i < MODEL_PAGES; i += 509)
        assert_page(ept, i);
    for (unsigned d = 0; d < 600; d++) {
        if (first >= d)
            assert_page(ept, first - d);
        if (first + pages + d < MODEL_PAGES)
            assert_page(ept, first + pages + d);
        if (d < pages) {
            assert_page(ept, first + d);
            assert_page(ept, first + pages - 1 - d);
        }
    }
}

static uint64_t random_state;

static unsigned random_below(unsigned n)
{
    random_state = random_state * 6364136223846793005ull + 1442695040888963407ull;
    return (random_state >> 33) % n;
}

static unsigned pick_length(void)
{
    static const unsigned lengths[] = {1, 2, 511, 512, 513, 1024, 5000, 512 * 512, 512 * 513};
    return lengths[random_below(ARRAY_SIZE(lengths))];
}

static unsigned pick_first(void)
{
    static const unsigned edges[] = {0, 512, EDGE_PAGES, EDGE_PAGES + 512 * 512};
    unsigned near = edges[random_below(ARRAY_SIZE(edges))];
    return near + (random_below(2) ? 0 : random_below(1200));
}

static const unsigned some_rights[] = {EPT_R, EPT_R | EPT_W, EPT_R | EPT_X, EPT_RWX,
                                       EPT_R | EPT_W | EPT_X};

static void model_map(unsigned i, uint64_t hpa, unsigned rights, unsigned type)
{
    model[i] = (struct page){.hpa = hpa, .rights = rights, .type = type, .mapped = true};
}

static void random_step(struct ept *ept)
{
    unsigned first = min(pick_first(), (unsigned)MODEL_PAGES - 1);
    unsigned pages = min(pick_length(), MODEL_PAGES - first);
    uint64_t gpa = MODEL_BASE + first * EPT_PAGE_4K;
    uint64_t size = pages * EPT_PAGE_4K;
    unsigned rights = some_rights[random_below(ARRAY_SIZE(some_rights))];

    switch (random_below(4)) {
    case 0:
    case 1: {
        /* Half of the targets are congruent modulo 1 GiB, so that large pages can be used. */
        uint64_t hpa = gpa + 64 * EPT_PAGE_1G + random_below(2) * EPT_PAGE_4K;
        unsigned type = random_below(2) ? EPT_WRITE_BACK : EPT_UNCACHED;
        assert_true(ept_map(ept, gpa, hpa, size, rights, type));
        for (unsigned i = 0; i < pages; i++)
            model_map(first + i, hpa + i * EPT_PAGE_4K, rights, type);
        break;
    }
    case 2:
        assert_true(ept_unmap(ept, gpa, size));
        for (unsigned i = 0; i < pages; i++)
            model[first + i].mapped = false;
        break;
    case 3:
        if (random_below(3) == 0)
            rights = 0;
        assert_true(ept_restrict(ept, gpa, size, rights, 0));
        for (unsigned i = 0; i < pages; i++)
            model[first + i].rights = rights;
        break;
    }
    assert_same(ept, first, pages);
    if (random_below(4) == 0)
        ept_reclaim(ept);
}

static void run_history(uint64_t seed, bool large, bool huge)
{
    struct ept ept;
    start(&ept, large, huge);
    model = calloc(MODEL_PAGES, sizeof(*model));
    random_state = seed;
    for (unsigned i = 0; i < 60; i++)
        random_step(&ept);
    for (unsigned i = 0; i < MODEL_PAGES; i++)
        assert_page(&ept, i);
    free(model);
    finish(&ept);
}

static void test_random_histories(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 8; seed++) {
        run_history(seed, true, true);
        run_history(seed, true, false);
    }
    run_history(99, false, false);
}

static uint64_t size_at(const struct ept *ept, uint64_t gpa)
{
    struct ept_mapping m;
    assert_true(ept_lookup(ept, gpa, &m));
    return m.size;
}

static void test_largest_pages_are_used(void **state)
{
    (void)state;
    struct ept ept;
    start(&ept, true, true);
    assert_true(ept_map(&ept, EPT_PAGE_1G - EPT_PAGE_2M - EPT_PAGE_4K,
                        5 * EPT_PAGE_1G - EPT_PAGE_2M - EPT_PAGE_4K,
                        EPT_PAGE_1G + EPT_PAGE_2M + 2 * EPT_PAGE_4K, EPT_RWX, EPT_WRITE_BACK));
    assert_int_equal(size_at(&ept, EPT_PAGE_1G - EPT_PAGE_2M - EPT_PAGE_4K), EPT_PAGE_4K);
    assert_int_equal(size_at(&ept, EPT_PAGE_1G - EPT_PAGE_2M), EPT_PAGE_2M);
    assert_int_equal(size_at(&ept, EPT_PAGE_1G), EPT_PAGE_1G);
    assert_int_equal(size_at(&ept, 2 * EPT_PAGE_1G), EPT_PAGE_4K);
    finish(&ept);
}

static void test_a_shifted_target_needs_small_pages(void **state)
{
    (void)state;
    struct ept ept;
    start(&ept, true, true);
    assert_true(ept_map(&ept, 0, EPT_PAGE_4K, EPT_PAGE_2M, EPT_RWX, EPT_WRITE_BACK));
    assert_int_equal(size_at(&ept, 0), EPT_PAGE_4K);
    assert_true(ept_map(&ept, EPT_PAGE_1G, EPT_PAGE_2M, EPT_PAGE_1G, EPT_RWX, EPT_WRITE_BACK));
    assert_int_equal(size_at(&ept, EPT_PAGE_1G), EPT_PAGE_2M);
    finish(&ept);
}

/* SDM Vol 3C, "EPT Paging-Structure Entries": the formats of a table and of each leaf. */
static void test_entry_bits(void **state)
{
    (void)state;
    struct ept ept;
    start(&ept, true, true);
    assert_int_equal(ept.pointer & 0xfff, 0x1e);
    assert_true(ept_map(&ept, 0, 0x123456000, EPT_PAGE_4K, EPT_R | EPT_X, EPT_UNCACHED));
    uint64_t e[4];
    assert_int_equal(ept_walk(&ept, 0x10, e), 4);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(e[i] & 0xfff, 0x407);
    assert_int_equal(e[3] & MASK(51, 0), 0x123456000 | 0x45);

    assert_true(ept_map(&ept, 0, EPT_PAGE_1G, EPT_PAGE_2M, EPT_RWX, EPT_WRITE_BACK));
    assert_int_equal(ept_walk(&ept, 0x10, e), 3);
    assert_int_equal(e[2] & MASK(51, 0), EPT_PAGE_1G | 0x400 | 0xf7);
    finish(&ept);
}

static void test_generation_counts_what_caches_could_hold(void **state)
{
    (void)state;
    struct ept ept;
    start(&ept, true, true);
    uint64_t before = ept.generation;
    assert_true(ept_map(&ept, 0, 0, EPT_PAGE_2M, EPT_RWX, EPT_WRITE_BACK));
    assert_true(ept_map(&ept, 0, 0, EPT_PAGE_2M, EPT_RWX, EPT_WRITE_BACK));
    assert_true(ept_restrict(&ept, EPT_PAGE_2M, EPT_PAGE_2M, 0, 0));
    assert_int_equal(ept.generation, before);

    assert_true(ept_restrict(&ept, 0, EPT_PAGE_4K, EPT_R, 0));
    assert_int_not_equal(ept.generation, before);
    before = ept.generation;
    assert_true(ept_unmap(&ept, 0, EPT_PAGE_4K));
    assert_int_not_equal(ept.generation, before);
    finish(&ept);
}

/* A table that left the tree stays walkable, and without mappings, until it is reclaimed. */
static void test_retired_tables_map_nothing(void **state)
{
    (void)state;
    struct ept ept;
    start(&ept, true, true);
    for (uint64_t gpa = 0; gpa < 4 * EPT_PAGE_2M; gpa += EPT_PAGE_2M)
        assert_true(ept_map(&ept, gpa, 0, EPT_PAGE_4K, EPT_RWX, EPT_WRITE_BACK));
    uint64_t e[4];
    assert_int_equal(ept_walk(&ept, EPT_PAGE_2M, e), 4);
    const uint64_t *table = (const uint64_t *)(e[2] & MASK(51, 12));

    unsigned before = pool.in_use;
    assert_true(ept_unmap(&ept, 0, EPT_PAGE_1G));
    assert_int_equal(pool.in_use, before);
    for (unsigned i = 0; i < 512; i++)
        assert_int_equal(table[i] & EPT_RWX, 0);
    ept_reclaim(&ept);
    assert_int_equal(pool.in_use, ept.tables);
    finish(&ept);
}

static void test_memory_running_out_changes_nothing_else(void **state)
{
    (void)state;
    struct ept ept;
    start(&ept, true, true);
    assert_true(ept_map(&ept, 0, 0, EPT_PAGE_1G, EPT_RWX, EPT_WRITE_BACK));
    pool.limit = pool.in_use + 1;
    assert_false(ept_unmap(&ept, EPT_PAGE_4K, EPT_PAGE_4K));
    struct ept_mapping m;
    assert_true(ept_lookup(&ept, EPT_PAGE_4K, &m));
    assert_int_equal(m.hpa, EPT_PAGE_4K);
    assert_int_equal(m.rights, EPT_RWX);
    finish(&ept);

    pool.in_use = pool.limit = 0;
    struct vmx_caps caps = caps_with(true, true);
    assert_false(ept_init(&ept, &caps));
}

/* Everything shows in the view but the one page, which is its own. */
static void assert_view(const struct ept *ept, uint64_t gpa, uint64_t hpa)
{
    struct ept view = *ept;
    view.root = ept->view.table[EPT_LEVELS - 1];
    for (uint64_t at = 0; at < 8 * EPT_PAGE_1G; at += 0xff000) {
        struct ept_mapping a, b;
        bool mapped = ept_lookup(ept, at, &a);
        assert_int_equal(ept_lookup(&view, at, &b), mapped);
        assert_memory_equal(&a, &b, sizeof(a));
    }
    for (uint64_t at = gpa - 4 * EPT_PAGE_4K; at < gpa + 4 * EPT_PAGE_4K; at += EPT_PAGE_4K) {
        struct ept_mapping a, b;
        bool mapped = ept_lookup(ept, at, &a);
        bool in_view = ept_lookup(&view, at, &b);
        assert_int_equal(in_view, mapped || at == gpa);
        if (in_view)
            assert_int_equal(b.hpa, at == gpa ? hpa : a.hpa);
    }
}

static void test_view(void **state)
{
    (void)state;
    const uint64_t gpa = 0xfee00000, hpa = 0x1234000;
    struct ept ept;
    start(&ept, true, true);
    assert_true(ept_map(&ept, 0, EPT_PAGE_1G, 3 * EPT_PAGE_1G, EPT_RWX, EPT_WRITE_BACK));
    assert_true(ept_add_view(&ept, gpa, hpa));
    assert_view(&ept, gpa, hpa);
    assert_true(ept.view.pointer != ept.pointer);
    assert_true(ept_map(&ept, 4 * EPT_PAGE_1G, 0, 2 * EPT_PAGE_1G, EPT_RWX, EPT_WRITE_BACK));
    assert_true(ept_restrict(&ept, EPT_PAGE_2M, EPT_PAGE_4K, EPT_R, 0));
    assert_true(ept_map(&ept, gpa - EPT_PAGE_4K, 0, 3 * EPT_PAGE_4K, EPT_RWX, EPT_WRITE_BACK));
    assert_true(ept_map(&ept, gpa - EPT_PAGE_2M, 0, EPT_PAGE_2M, EPT_RWX, EPT_WRITE_BACK));
    assert_view(&ept, gpa, hpa);
    uint64_t generation = ept.generation;
    assert_true(ept_unmap(&ept, gpa - EPT_PAGE_4K, EPT_PAGE_4K));
    assert_true(ept_unmap(&ept, EPT_PAGE_1G, EPT_PAGE_1G));
    assert_true(ept.generation > generation);
    assert_view(&ept, gpa, hpa);
    finish(&ept);
}

static void test_view_without_memory(void **state)
{
    (void)state;
    struct ept ept;
    start(&ept, true, true);
    pool.limit = pool.in_use + 5;
    assert_false(ept_add_view(&ept, 0xfee00000, 0));
    assert_int_equal(ept.view.pointer, 0);
    assert_int_equal(pool.in_use, ept.tables);
    finish(&ept);
}

/* Page by page, wherever the last one was: the same as by ranges. */
static void test_restricting_pages_in_any_order(void **state)
{
    (void)state;
    static const uint64_t pages[] = {0, 1, 511, 512, 3, 513, 262144, 262145, 2};
    struct ept ept, other;
    struct ept_near near = {0};
    start(&ept, true, true);
    struct vmx_caps caps = caps_with(true, true);
    assert_true(ept_init(&other, &caps));
    assert_true(ept_map(&ept, 0, EPT_PAGE_1G, 2 * EPT_PAGE_1G, EPT_RWX, EPT_WRITE_BACK));
    assert_true(ept_map(&other, 0, EPT_PAGE_1G, 2 * EPT_PAGE_1G, EPT_RWX, EPT_WRITE_BACK));
    for (unsigned i = 0; i < ARRAY_SIZE(pages); i++) {
        uint64_t gpa = pages[i] * EPT_PAGE_4K;
        unsigned rights = i % 2 ? EPT_R : EPT_R | EPT_W, denied = EPT_RWX & ~rights;
        uint64_t generation = ept.generation;
        assert_true(ept_restrict_page(&ept, &near, gpa, rights, denied));
        assert_true(ept.generation > generation);
        assert_true(ept_restrict(&other, gpa, EPT_PAGE_4K, rights, denied));
    }
    for (uint64_t page = 0; page < 2 * 262144; page += page % 512 < 8 || page % 512 > 500 ? 1 : 7) {
        struct ept_mapping a, b;
        assert_true(ept_lookup_near(&ept, &near, page * EPT_PAGE_4K, &a));
        assert_true(ept_lookup(&other, page * EPT_PAGE_4K, &b));
        assert_int_equal(a.hpa, b.hpa);
        assert_int_equal(a.size, b.size);
        assert_int_equal(a.rights, b.rights);
        assert_int_equal(a.denied, b.denied);
    }
    assert_true(ept_restrict_page(&ept, &near, 5 * EPT_PAGE_1G, EPT_R, 0));
    struct ept_mapping hole;
    assert_false(ept_lookup_near(&ept, &near, 5 * EPT_PAGE_1G, &hole));
    assert_int_equal(hole.size, EPT_PAGE_1G);
    ept_destroy(&other);
    finish(&ept);
}

/* A VM's tree, as core/vm.c makes one for each VTL. */
static uint64_t tables_of_vm(struct ept *ept, bool huge, uint64_t low, uint64_t high)
{
    start(ept, true, huge);
    assert_true(ept_add_view(ept, 0xfee00000, 0));
    assert_true(ept_map(ept, 0, 64 * EPT_PAGE_1G, low, EPT_RWX, EPT_WRITE_BACK));
    if (high > 0)
        assert_true(ept_map(ept, 4 * EPT_PAGE_1G, 68 * EPT_PAGE_1G, high, EPT_RWX, EPT_WRITE_BACK));
    return ept->tables;
}

/* docs/vsm.md, on what a tree of its own costs a VTL. */
static void test_how_many_tables_a_tree_has(void **state)
{
    (void)state;
    struct ept ept;
    assert_int_equal(tables_of_vm(&ept, true, 3 * EPT_PAGE_1G, 61 * EPT_PAGE_1G), 8);
    finish(&ept);
    assert_int_equal(tables_of_vm(&ept, false, 3 * EPT_PAGE_1G, 61 * EPT_PAGE_1G), 8 + 64);
    finish(&ept);
    assert_int_equal(tables_of_vm(&ept, true, 32 * EPT_PAGE_2M, 0), 9);
    assert_true(ept_restrict(&ept, 5 * EPT_PAGE_2M, EPT_PAGE_4K, EPT_R, EPT_W));
    assert_true(ept_restrict(&ept, 5 * EPT_PAGE_2M + EPT_PAGE_4K, EPT_PAGE_4K, EPT_R, EPT_W));
    assert_int_equal(ept.tables, 10);
    finish(&ept);
}

static void test_lookup_outside(void **state)
{
    (void)state;
    struct ept ept;
    start(&ept, true, true);
    struct ept_mapping m;
    assert_false(ept_lookup(&ept, EPT_GPA_LIMIT, &m));
    assert_false(ept_lookup(&ept, EPT_GPA_LIMIT - 1, &m));
    assert_int_equal(m.size, EPT_PAGE_512G);
    uint64_t last = EPT_GPA_LIMIT - EPT_PAGE_4K;
    assert_true(ept_map(&ept, last, 0, EPT_PAGE_4K, EPT_R, EPT_WRITE_BACK));
    assert_true(ept_lookup(&ept, last, &m));
    finish(&ept);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_histories),
        cmocka_unit_test(test_largest_pages_are_used),
        cmocka_unit_test(test_a_shifted_target_needs_small_pages),
        cmocka_unit_test(test_entry_bits),
        cmocka_unit_test(test_generation_counts_what_caches_could_hold),
        cmocka_unit_test(test_retired_tables_map_nothing),
        cmocka_unit_test(test_memory_running_out_changes_nothing_else),
        cmocka_unit_test(test_view),
        cmocka_unit_test(test_view_without_memory),
        cmocka_unit_test(test_restricting_pages_in_any_order),
        cmocka_unit_test(test_how_many_tables_a_tree_has),
        cmocka_unit_test(test_lookup_outside),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
