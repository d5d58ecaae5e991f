/* SPDX-License-Identifier: BSD-2-Clause */
/* The allocator of physical memory, on a piece of this process's. links: core/memory.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "core/bits.h"
#include "core/memory.h"

enum { POOL_SIZE = 16 * 1024 * 1024, BLOCKS = 200, ROUNDS = 20000 };

static char *pool;

static bool is_all_zero(const char *block, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (block[i])
            return false;
    }
    return true;
}

static void assert_all_free(void)
{
    struct memory_statistics s = memory_statistics();
    assert_int_equal(s.total, POOL_SIZE);
    assert_int_equal(s.free, POOL_SIZE);
    assert_int_equal(s.largest, POOL_SIZE);
}

static int add_pool(void **state)
{
    (void)state;
    pool = aligned_alloc(PAGE_SIZE_2M, POOL_SIZE);
    memset(pool, 0xcc, POOL_SIZE);
    /* Two halves, one of them with ragged ends, become one. */
    memory_add((paddr_t)pool + POOL_SIZE / 2, POOL_SIZE / 2 + 100);
    memory_add((paddr_t)pool - 100, POOL_SIZE / 2 + 100);
    return 0;
}

static int drop_pool(void **state)
{
    (void)state;
    free(pool);
    return 0;
}

static void neighbouring_ranges_merge(void **state)
{
    (void)state;
    assert_all_free();
}

static void low_memory_is_left_out(void **state)
{
    (void)state;
    memory_add(0, 0x100000);
    memory_add(0xff800, 0x1000);
    assert_all_free();
}

static void blocks_are_zeroed_and_aligned(void **state)
{
    (void)state;
    for (size_t align = 1; align <= PAGE_SIZE_2M; align *= 2) {
        char *odd = memory_alloc(1, 1);
        char *block = memory_alloc(5000, align);
        assert_non_null(block);
        assert_true(is_aligned((uintptr_t)block, max(align, (size_t)MEMORY_GRANULE)));
        assert_true(is_all_zero(block, 5000));
        memset(block, 0xcc, 5000);
        memory_free(block, 5000);
        memory_free(odd, 1);
    }
    assert_all_free();
}

static void what_does_not_fit_is_refused(void **state)
{
    (void)state;
    assert_null(memory_alloc(POOL_SIZE + 1, 1));
    assert_null(memory_alloc(0, 1));
    assert_null(memory_alloc(SIZE_MAX, 1));
    assert_null(memory_alloc(SIZE_MAX - PAGE_SIZE, PAGE_SIZE));
    char *all = memory_alloc(POOL_SIZE, 1);
    assert_ptr_equal(all, pool);
    assert_null(page_alloc());
    assert_int_equal(memory_statistics().free, 0);
    memory_free(all, POOL_SIZE);
    memory_free(NULL, PAGE_SIZE);
    assert_all_free();
}

static void a_block_can_come_back_in_parts(void **state)
{
    (void)state;
    char *block = memory_alloc(3 * PAGE_SIZE, PAGE_SIZE);
    page_free(block + PAGE_SIZE);
    page_free(block + 2 * PAGE_SIZE);
    page_free(block);
    assert_all_free();
}

struct block {
    char *start;
    size_t size;
    char mark;
};

static bool holds_mark(const struct block *block)
{
    for (size_t i = 0; i < block->size; i++) {
        if (block->start[i] != block->mark)
            return false;
    }
    return true;
}

static void blocks_never_overlap(void **state)
{
    struct block blocks[BLOCKS] = {{0}};
    (void)state;
    srand(1);
    for (int round = 0; round < ROUNDS; round++) {
        struct block *block = &blocks[rand() % BLOCKS];
        if (block->start) {
            assert_true(holds_mark(block));
            memory_free(block->start, block->size);
            block->start = NULL;
            continue;
        }
        block->size = 1 + (size_t)rand() % (rand() % 8 ? 500 : 20000);
        block->mark = (char)round;
        block->start = memory_alloc(block->size, (size_t)1 << rand() % 14);
        assert_non_null(block->start);
        memset(block->start, block->mark, block->size);
    }
    for (int i = 0; i < BLOCKS; i++)
        memory_free(blocks[i].start, max(blocks[i].size, (size_t)1));
    assert_all_free();
}

static void image_addresses_translate(void **state)
{
    (void)state;
    memory_set_image(0x40000000, 0x10000);
    assert_int_equal(virt_to_phys((void *)(IMAGE_BASE + 0x1234)), 0x40001234);
    assert_int_equal(virt_to_phys(pool), (paddr_t)pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(neighbouring_ranges_merge),
        cmocka_unit_test(low_memory_is_left_out),
        cmocka_unit_test(blocks_are_zeroed_and_aligned),
        cmocka_unit_test(what_does_not_fit_is_refused),
        cmocka_unit_test(a_block_can_come_back_in_parts),
        cmocka_unit_test(blocks_never_overlap),
        cmocka_unit_test(image_addresses_translate),
    };
    return cmocka_run_group_tests(tests, add_pool, drop_pool);
}
