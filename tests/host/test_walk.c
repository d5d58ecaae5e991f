/* SPDX-License-Identifier: BSD-2-Clause */
/* links: core/emulate/walk.c */
/* The page-table walker against tables built entry by entry, whose meaning the builder knows. */
#include "core/emulate/walk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

enum {
    PAGE = 4096,
    PAGES = 16,
    TABLES = 8, /* the first of them; the walk's tables are drawn from these */

    P = 1,
    RW = 2,
    US = 4,
    A = 0x20,
    D = 0x40,
    PS = 0x80,

    WP = 1 << 16,
    PSE = 1 << 4,
    PAE = 1 << 5,
    LA57 = 1 << 12,
    SMEP = 1 << 20,
    SMAP = 1 << 21,
    LMA = 1 << 10,
    NXE = 1 << 11,
    FIVE = 5,
};

static const uint64_t PG = 1ull << 31;
static const uint64_t XD = 1ull << 63;

static uint64_t random_bits(void)
{
    static uint64_t seed = 88172645463325252u;

    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed * 2685821657736338717u;
}

static bool one_in(unsigned n)
{
    return (random_bits() >> 33) % n == 0;
}

/* ---- Guest memory ---------------------------------------------------------------------------- */

static uint8_t memory[PAGES * PAGE];
static unsigned exchanges;
static void (*before_exchange)(void);

static bool read_entry(void *ctx, uint64_t gpa, unsigned size, uint64_t *value)
{
    (void)ctx;
    assert_int_equal(gpa % size, 0);
    if (gpa > sizeof memory - size)
        return false;
    *value = 0;
    memcpy(value, memory + gpa, size);
    return true;
}

static bool exchange_entry(void *ctx, uint64_t gpa, unsigned size, uint64_t expected,
                           uint64_t desired, bool *swapped)
{
    exchanges++;
    if (before_exchange)
        before_exchange();
    uint64_t now;
    if (!read_entry(ctx, gpa, size, &now))
        return false;
    *swapped = now == expected;
    if (*swapped)
        memcpy(memory + gpa, &desired, size);
    return true;
}

/* ---- Random tables --------------------------------------------------------------------------- */

struct built {
    struct walk_env env;
    unsigned levels; /* tables in memory */
    unsigned entry_size;
    unsigned leaf; /* level that maps the page */
    uint64_t gva, gpa;
    unsigned shift; /* of the page */
    uint64_t where[FIVE + 1], entry[FIVE + 1];
    unsigned reserved_at; /* level whose entry has a reserved bit set; 0 if none */
};

static uint64_t field(uint64_t value, unsigned high, unsigned low)
{
    return value >> low & ((2ull << (high - low)) - 1);
}

static void random_mode(struct built *b)
{
    static const uint8_t widths[] = {36, 39, 40, 46, 52};
    unsigned mode = (random_bits() >> 40) % 4;
    struct walk_env *env = &b->env;

    *b = (struct built){.levels = 2, .entry_size = 8};
    env->read = read_entry;
    env->compare_exchange = exchange_entry;
    env->maxphyaddr = widths[(random_bits() >> 40) % sizeof widths];
    env->cr0 = PG | (one_in(2) ? WP : 0);
    env->cr4 = (one_in(2) ? SMEP : 0) | (one_in(2) ? SMAP : 0) | (one_in(2) ? PSE : 0);
    env->efer = one_in(2) ? NXE : 0;
    env->page_1g = one_in(2);
    env->cpl = one_in(2) ? 3 : 0;
    env->ac = one_in(2);
    if (mode == 0) {
        b->entry_size = 4;
        return;
    }
    env->cr4 |= PAE;
    if (mode == 1)
        return;
    env->efer |= LMA;
    b->levels = mode + 2;
    env->cr4 |= mode == 3 ? LA57 : 0;
}

/* The level of the page, of those the mode has. */
static unsigned random_leaf(const struct built *b)
{
    bool level_2 = b->entry_size == 8 || b->env.cr4 & PSE;

    if (level_2 && one_in(3))
        return 2;
    return b->levels > 2 && b->env.page_1g && one_in(2) ? 3 : 1;
}

static unsigned shift_of(const struct built *b, unsigned level)
{
    static const uint8_t shifts_8[] = {0, 12, 21, 30, 39, 48};
    static const uint8_t shifts_4[] = {0, 12, 22};

    return b->entry_size == 8 ? shifts_8[level] : shifts_4[level];
}

static void random_addresses(struct built *b)
{
    unsigned width = b->levels == 5 ? 57 : b->levels == 4 ? 48 : 32;

    b->gva = random_bits();
    if (width > 32)
        b->gva = (uint64_t)((int64_t)(b->gva << (64 - width)) >> (64 - width));
    else if (b->env.efer & LMA)
        b->gva &= UINT32_MAX;
    b->leaf = random_leaf(b);
    b->shift = shift_of(b, b->leaf);
    unsigned physical = b->env.maxphyaddr;
    if (b->entry_size == 4)
        physical = b->leaf == 1 ? 32 : physical < 40 ? physical : 40;
    uint64_t page = field(random_bits(), physical - 1, 0) >> b->shift << b->shift;
    b->gpa = page | field(b->gva, b->shift - 1, 0);
}

static uint64_t random_flags(const struct built *b)
{
    uint64_t flags = one_in(24) ? 0 : P;

    flags |= one_in(5) ? 0 : RW;
    flags |= one_in(4) ? 0 : US;
    flags |= one_in(2) ? A : 0;
    flags |= one_in(2) ? D : 0;
    flags |= random_bits() & 0xe18; /* PWT, PCD and ignored bits */
    if (b->entry_size == 8 && b->env.efer & NXE && one_in(6))
        flags |= XD;
    return flags;
}

/* One of the bits that the tables of the SDM call reserved in such an entry, or 0. */
static uint64_t random_reserved(const struct built *b, unsigned level)
{
    bool leaf = level == b->leaf;
    uint64_t candidates[8];
    unsigned count = 0, width = b->env.maxphyaddr;

    if (b->entry_size == 4) {
        if (!leaf || level != 2)
            return 0;
        candidates[count++] = 1 << 21;
        if (width < 40) {
            candidates[count++] = 1 << 20;
            candidates[count++] = 1u << (width - 32 + 13);
        }
        return candidates[(random_bits() >> 40) % count];
    }
    if (width < 52) {
        candidates[count++] = 1ull << width;
        candidates[count++] = 1ull << 51;
    }
    if (!(b->env.efer & LMA)) {
        candidates[count++] = 1ull << 52;
        candidates[count++] = 1ull << 62;
    }
    if (!(b->env.efer & NXE))
        candidates[count++] = XD;
    if (leaf && level > 1) {
        candidates[count++] = 1 << 13;
        candidates[count++] = 1ull << (b->shift - 1);
    }
    if (!leaf && (level > 3 || (level == 3 && !b->env.page_1g)))
        candidates[count++] = PS;
    return count ? candidates[(random_bits() >> 40) % count] : 0;
}

static uint64_t leaf_address(const struct built *b)
{
    uint64_t page = b->gpa >> b->shift << b->shift;

    if (b->leaf == 1)
        return page;
    page |= PS | (one_in(2) ? 1 << 12 : 0); /* PAT */
    if (b->entry_size == 4)                 /* address bits 39:32 go to bits 20:13 */
        page = (page & UINT32_MAX) | field(page, 39, 32) << 13;
    return page;
}

static void build(struct built *b)
{

    uint64_t table = PAGE * ((random_bits() >> 40) % TABLES);
    random_mode(b);
    random_addresses(b);
    for (unsigned i = 0; i < sizeof memory; i += 8) {
        uint64_t noise = random_bits();
        memcpy(memory + i, &noise, 8);
    }
    b->env.cr3 = table | (random_bits() & 0x18);
    if (b->entry_size == 8 && b->levels == 2)
        b->env.pdpte[field(b->gva, 31, 30)] = table | P;
    bool corrupt = one_in(4);
    for (unsigned level = b->levels; level >= b->leaf; level--) {
        unsigned high = b->entry_size == 8 ? shift_of(b, level) + 8 : shift_of(b, level) + 9;
        uint64_t index = field(b->gva, high, shift_of(b, level));
        uint64_t entry = random_flags(b), reserved = random_reserved(b, level);

        table += index * b->entry_size;
        uint64_t next = PAGE * ((random_bits() >> 40) % TABLES);
        /* A table may serve two levels, but no entry may. */
        for (unsigned above = b->levels; above > level; above--)
            if (b->where[above] == table)
                return build(b);
        entry |= level == b->leaf ? leaf_address(b) : next;
        if (level == 2 && b->entry_size == 4 && !(b->env.cr4 & PSE) && one_in(2))
            entry |= PS; /* ignored without CR4.PSE */
        if (corrupt && reserved && !b->reserved_at && one_in(2)) {
            entry |= reserved;
            b->reserved_at = level;
        }
        b->where[level] = table;
        b->entry[level] = entry;
        memcpy(memory + table, &entry, b->entry_size);
        table = next;
    }
}

/* ---- What the walk must say
 * ---------------------------------------------------------------------- */

static bool all_levels(const struct built *b, uint64_t flag)
{
    for (unsigned level = b->levels; level >= b->leaf; level--)
        if (!(b->entry[level] & flag))
            return false;
    return true;
}

static bool any_level(const struct built *b, uint64_t flag)
{
    for (unsigned level = b->levels; level >= b->leaf; level--)
        if (b->entry[level] & flag)
            return true;
    return false;
}

/* -1 if the access is allowed, else the P and RSVD bits of the error code. */
static int expected_fault(const struct built *b, unsigned access, bool user)
{
    const struct walk_env *env = &b->env;
    bool user_page = all_levels(b, US), writable = all_levels(b, RW), never = any_level(b, XD);

    for (unsigned level = b->levels; level >= b->leaf; level--) {
        if (!(b->entry[level] & P))
            return 0;
        if (b->reserved_at == level)
            return P | WALK_ERROR_RESERVED;
    }
    if (user && !user_page)
        return P;
    if (access & WALK_EXECUTE)
        return never || (!user && user_page && env->cr4 & SMEP) ? P : -1;
    bool may_touch_user = env->ac && !(access & WALK_IMPLICIT_SUPERVISOR);
    if (!user && user_page && env->cr4 & SMAP && !may_touch_user)
        return P;
    if (access & WALK_WRITE && !writable && (user || env->cr0 & WP))
        return P;
    return -1;
}

static uint32_t expected_error(const struct built *b, unsigned access, bool user)
{
    bool pae = b->entry_size == 8;
    bool fetch = b->env.cr4 & SMEP || (pae && b->env.efer & NXE);

    return (access & WALK_WRITE ? 2 : 0) | (user ? 4 : 0) |
           (access & WALK_EXECUTE && fetch ? 16 : 0);
}

static void check_tables(const struct built *b, unsigned access, bool allowed)
{
    for (unsigned level = b->levels; level >= b->leaf; level--) {
        uint64_t expected = b->entry[level], now = 0;
        if (allowed && !(access & WALK_KEEP_TABLES)) {
            expected |= A;
            if (level == b->leaf && access & WALK_WRITE)
                expected |= D;
        }
        memcpy(&now, memory + b->where[level], b->entry_size);
        assert_true(now == expected);
    }
}

static void agrees_with_the_builder(void **state)
{
    static const unsigned accesses[] = {WALK_READ, WALK_WRITE, WALK_EXECUTE};
    unsigned allowed = 0, missing = 0, reserved = 0, denied = 0;

    (void)state;
    before_exchange = NULL;
    for (unsigned i = 0; i < 60000; i++) {
        struct built b;
        struct walk_out out = {0};
        unsigned access = accesses[i % 3];

        build(&b);
        access |= access != WALK_EXECUTE && one_in(6) ? WALK_IMPLICIT_SUPERVISOR : 0;
        access |= one_in(4) ? WALK_KEEP_TABLES : 0;
        bool user = b.env.cpl == 3 && !(access & WALK_IMPLICIT_SUPERVISOR);
        int fault = expected_fault(&b, access, user);
        enum walk_result result = walk(&b.env, b.gva, access, &out);

        assert_int_equal(result, fault < 0 ? WALK_OK : WALK_PAGE_FAULT);
        check_tables(&b, access, fault < 0);
        if (fault < 0) {
            assert_true(out.gpa == b.gpa);
            assert_true(out.page_size == 1ull << b.shift);
            allowed++;
            continue;
        }
        assert_int_equal(out.error_code, (uint32_t)fault | expected_error(&b, access, user));
        missing += fault == 0;
        denied += fault == P;
        reserved += fault > P;
    }
    assert_true(allowed > 5000 && missing > 1000 && reserved > 1000 && denied > 5000);
}

/* ---- By hand --------------------------------------------------------------------------------- */

static struct walk_env four_levels(void)
{
    memset(memory, 0, sizeof memory);
    for (unsigned level = 0; level < 4; level++) {
        uint64_t entry = (level + 1) * PAGE | P | RW | US;
        memcpy(memory + level * PAGE, &entry, 8);
    }
    before_exchange = NULL;
    exchanges = 0;
    return (struct walk_env){
        .cr0 = PG | WP,
        .cr4 = PAE,
        .efer = LMA | NXE,
        .maxphyaddr = 40,
        .read = read_entry,
        .compare_exchange = exchange_entry,
    };
}

static void paging_off(void **state)
{
    struct walk_env env = four_levels();
    struct walk_out out;

    (void)state;
    env.cr0 = 0;
    env.efer = 0;
    assert_int_equal(walk(&env, 0x12345678, WALK_WRITE, &out), WALK_OK);
    assert_true(out.gpa == 0x12345678 && out.page_size == PAGE);
    assert_int_equal(walk(&env, 0x512345678, WALK_READ, &out), WALK_OK);
    assert_true(out.gpa == 0x12345678);
}

static void canonical_addresses(void **state)
{
    struct walk_env env = four_levels();
    struct walk_out out;

    (void)state;
    assert_int_equal(walk(&env, 0x800000000000, WALK_READ, &out), WALK_NOT_CANONICAL);
    assert_int_equal(walk(&env, 0xffff7fffffffffff, WALK_READ, &out), WALK_NOT_CANONICAL);
    assert_int_equal(walk(&env, 0xffff800000000000, WALK_READ, &out), WALK_PAGE_FAULT);
    env.cr4 |= LA57;
    assert_int_equal(walk(&env, 0x800000000000, WALK_READ, &out), WALK_PAGE_FAULT);
    assert_int_equal(walk(&env, 0x100000000000000, WALK_READ, &out), WALK_NOT_CANONICAL);
}

static void missing_pdpte(void **state)
{
    struct walk_env env = four_levels();
    struct walk_out out;

    (void)state;
    env.efer = 0;
    env.pdpte[1] = P; /* the directory at 0 */
    env.cpl = 3;
    assert_int_equal(walk(&env, 0x40000000, WALK_READ, &out), WALK_OK);
    assert_int_equal(walk(&env, 0x80000000, WALK_WRITE, &out), WALK_PAGE_FAULT);
    assert_int_equal(out.error_code, WALK_ERROR_WRITE | WALK_ERROR_USER);
}

static void tables_outside_of_memory(void **state)
{
    struct walk_env env = four_levels();
    struct walk_out out;

    (void)state;
    env.cr3 = sizeof memory;
    assert_int_equal(walk(&env, 0, WALK_READ, &out), WALK_NO_TABLE);
    uint64_t entry = 0xff0000000 | P | RW | US;
    memcpy(memory + 2 * PAGE, &entry, 8);
    env.cr3 = 0;
    assert_int_equal(walk(&env, 0, WALK_READ, &out), WALK_NO_TABLE);
}

static void nothing_to_mark(void **state)
{
    struct walk_env env = four_levels();
    struct walk_out out;

    (void)state;
    assert_int_equal(walk(&env, 0, WALK_WRITE, &out), WALK_OK);
    assert_int_equal(exchanges, 4);
    assert_int_equal(walk(&env, 0, WALK_WRITE, &out), WALK_OK);
    assert_int_equal(exchanges, 4);
}

/* Another processor moves the page between the walk's reads and its first write. */
static void move_page(void)
{
    uint64_t entry = 9 * PAGE | P | RW | US;

    memcpy(memory + 3 * PAGE, &entry, 8);
    before_exchange = NULL;
}

static void changed_tables_are_walked_again(void **state)
{
    struct walk_env env = four_levels();
    struct walk_out out;

    (void)state;
    before_exchange = move_page;
    assert_int_equal(walk(&env, 0x123, WALK_WRITE, &out), WALK_OK);
    assert_true(out.gpa == 9 * PAGE + 0x123);
    assert_int_equal(memory[3 * PAGE] & (A | D), A | D);
}

/* Another processor never stops changing the entry. */
static void count_up(void)
{
    memory[3 * PAGE + 1] += 2; /* an ignored bit */
}

static void endless_change_ends_the_walk(void **state)
{
    struct walk_env env = four_levels();
    struct walk_out out;

    (void)state;
    before_exchange = count_up;
    assert_int_equal(walk(&env, 0, WALK_WRITE, &out), WALK_RETRY);
    assert_true(exchanges < 100);
    assert_int_equal(walk(&env, 0, WALK_WRITE | WALK_KEEP_TABLES, &out), WALK_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_the_builder),
        cmocka_unit_test(paging_off),
        cmocka_unit_test(canonical_addresses),
        cmocka_unit_test(missing_pdpte),
        cmocka_unit_test(tables_outside_of_memory),
        cmocka_unit_test(nothing_to_mark),
        cmocka_unit_test(changed_tables_are_walked_again),
        cmocka_unit_test(endless_change_ends_the_walk),
    };
    return cmocka_run_group_tests_name("page-table walker", tests, NULL, NULL);
}
