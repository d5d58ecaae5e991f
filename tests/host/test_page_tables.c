/* SPDX-License-Identifier: BSD-2-Clause */
/* links: core/page_tables.c */
/* Page tables, read back by a walk of their own. */
#include "core/page_tables.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/layout.h"
#include "core/x86.h"

enum { POOL_PAGES = 32 };

static uint8_t *pool;
static uint32_t used, available;

static paddr_t new_table(void)
{
    return used < available ? (paddr_t)(pool + used++ * PAGE_SIZE) : 0;
}

/* Empty tables with so many pages, the root included. */
static struct page_tables start(uint32_t pages)
{
    memset(pool, 0, POOL_PAGES * PAGE_SIZE);
    used = 0;
    available = pages;
    return (struct page_tables){.root = new_table(), .new_table = new_table};
}

static int set_up(void **state)
{
    (void)state;
    pool = aligned_alloc(PAGE_SIZE, POOL_PAGES * PAGE_SIZE);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    free(pool);
    return 0;
}

struct walk {
    uint64_t entry; /* 0: not mapped */
    uint64_t page;  /* its size */
};

static struct walk walk(uint64_t root, uint64_t address)
{
    const uint64_t *table = (const uint64_t *)root;

    for (uint32_t shift = 39;; shift -= 9) {
        uint64_t entry = table[(address >> shift) & 511];

        if (!(entry & PTE_P))
            return (struct walk){0, 0};
        if (shift == PAGE_SHIFT || (entry & PTE_LARGE))
            return (struct walk){entry, 1ull << shift};
        assert_true(entry & PTE_RW);
        assert_false(entry & PTE_NX);
        table = (const uint64_t *)(entry & PTE_ADDRESS);
    }
}

static void expect_mapped(const struct page_tables *tables, uint64_t address, uint64_t physical,
                          uint64_t page, uint64_t flags)
{
    struct walk w = walk(tables->root, address);
    uint64_t base = w.entry & PTE_ADDRESS & ~(w.page - 1);

    assert_int_equal(w.page, page);
    assert_int_equal(base + (address & (page - 1)), physical);
    assert_int_equal(w.entry & (PTE_RW | PTE_NX | PTE_US | PTE_PWT | PTE_PCD), flags);
}

static void expect_unmapped(const struct page_tables *tables, uint64_t address)
{
    assert_int_equal(walk(tables->root, address).entry, 0);
}

static struct mapping direct(uint64_t base, uint64_t size, enum page_level largest)
{
    return (struct mapping){DIRECT_MAP_BASE + base, base, size, PTE_RW | PTE_NX, largest};
}

static void test_each_page_size_where_it_fits(void **state)
{
    /* From 4 KiB below 1 GiB - 2 MiB to 4 KiB above 2 GiB + 2 MiB. */
    const uint64_t base = PAGE_SIZE_1G - PAGE_SIZE_2M - PAGE_SIZE;
    const uint64_t end = 2 * PAGE_SIZE_1G + PAGE_SIZE_2M + PAGE_SIZE;
    struct mapping m = direct(base, end - base, PAGE_1G);
    const uint64_t flags = PTE_RW | PTE_NX;
    struct page_tables t = start(POOL_PAGES);

    (void)state;
    assert_true(page_tables_map(&t, &m));
    expect_unmapped(&t, DIRECT_MAP_BASE + base - 1);
    expect_mapped(&t, DIRECT_MAP_BASE + base, base, PAGE_SIZE, flags);
    expect_mapped(&t, DIRECT_MAP_BASE + base + 0x1234, base + 0x1234, PAGE_SIZE_2M, flags);
    expect_mapped(&t, DIRECT_MAP_BASE + PAGE_SIZE_1G - 1, PAGE_SIZE_1G - 1, PAGE_SIZE_2M, flags);
    expect_mapped(&t, DIRECT_MAP_BASE + PAGE_SIZE_1G, PAGE_SIZE_1G, PAGE_SIZE_1G, flags);
    expect_mapped(&t, DIRECT_MAP_BASE + 2 * PAGE_SIZE_1G, 2 * PAGE_SIZE_1G, PAGE_SIZE_2M, flags);
    expect_mapped(&t, DIRECT_MAP_BASE + end - 1, end - 1, PAGE_SIZE, flags);
    expect_unmapped(&t, DIRECT_MAP_BASE + end);
    expect_unmapped(&t, base);
    assert_int_equal(used, 1 + 1 + 2 + 2); /* a finer table for either end only */
}

static void test_no_1g_pages_where_there_are_none(void **state)
{
    struct mapping m = direct(0, 2 * PAGE_SIZE_1G, PAGE_2M);
    struct page_tables t = start(POOL_PAGES);

    (void)state;
    assert_true(page_tables_map(&t, &m));
    expect_mapped(&t, DIRECT_MAP_BASE + PAGE_SIZE_1G, PAGE_SIZE_1G, PAGE_SIZE_2M, PTE_RW | PTE_NX);
    assert_int_equal(used, 1 + 1 + 2);
}

static void test_image_permissions(void **state)
{
    const uint64_t where = 7 * PAGE_SIZE_2M;
    const struct mapping parts[] = {
        {IMAGE_BASE, where, PAGE_SIZE_2M + PAGE_SIZE, 0, PAGE_4K},
        {IMAGE_BASE + PAGE_SIZE_2M + PAGE_SIZE, where + PAGE_SIZE_2M + PAGE_SIZE, PAGE_SIZE, PTE_NX,
         PAGE_4K},
        {IMAGE_BASE + PAGE_SIZE_2M + 3 * PAGE_SIZE, where + PAGE_SIZE_2M + 3 * PAGE_SIZE, PAGE_SIZE,
         PTE_RW | PTE_NX, PAGE_4K},
    };
    struct page_tables t = start(POOL_PAGES);

    (void)state;
    for (uint32_t i = 0; i < ARRAY_SIZE(parts); i++)
        assert_true(page_tables_map(&t, &parts[i]));
    expect_mapped(&t, IMAGE_BASE, where, PAGE_SIZE, 0);
    expect_mapped(&t, IMAGE_BASE + PAGE_SIZE_2M, where + PAGE_SIZE_2M, PAGE_SIZE, 0);
    expect_mapped(&t, parts[1].address, parts[1].physical, PAGE_SIZE, PTE_NX);
    expect_unmapped(&t, parts[1].address + PAGE_SIZE);
    expect_mapped(&t, parts[2].address, parts[2].physical, PAGE_SIZE, PTE_RW | PTE_NX);
    assert_int_equal(used, 1 + 1 + 1 + 2);
}

static void test_refuses_what_is_mapped(void **state)
{
    struct mapping large = direct(PAGE_SIZE_2M, PAGE_SIZE_2M, PAGE_2M);
    struct mapping inside = direct(PAGE_SIZE_2M + PAGE_SIZE, PAGE_SIZE, PAGE_2M);
    struct mapping small = direct(PAGE_SIZE_1G + PAGE_SIZE, PAGE_SIZE, PAGE_2M);
    struct mapping around = direct(PAGE_SIZE_1G, PAGE_SIZE_2M, PAGE_2M);
    struct page_tables t = start(POOL_PAGES);

    (void)state;
    assert_true(page_tables_map(&t, &large));
    assert_false(page_tables_map(&t, &large));
    assert_false(page_tables_map(&t, &inside));
    assert_true(page_tables_map(&t, &small));
    assert_false(page_tables_map(&t, &around));
}

static void test_no_page_for_a_table(void **state)
{
    struct mapping m = direct(0, PAGE_SIZE, PAGE_1G);

    (void)state;
    for (uint32_t pages = 1; pages <= 4; pages++) {
        struct page_tables t = start(pages);

        assert_int_equal(page_tables_map(&t, &m), pages == 4);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_each_page_size_where_it_fits, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_no_1g_pages_where_there_are_none, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_image_permissions, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_refuses_what_is_mapped, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_no_page_for_a_table, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
