/* SPDX-License-Identifier: BSD-2-Clause */
/* The page-table walker. */
#include "core/emulate/walk.h"

enum {
    CR0_WP = 1 << 16,
    CR4_PSE = 1 << 4,
    CR4_PAE = 1 << 5,
    CR4_LA57 = 1 << 12,
    CR4_SMEP = 1 << 20,
    CR4_SMAP = 1 << 21,
    EFER_LMA = 1 << 10,
    EFER_NXE = 1 << 11,

    PTE_P = 1 << 0,
    PTE_RW = 1 << 1,
    PTE_US = 1 << 2,
    PTE_A = 1 << 5,
    PTE_D = 1 << 6,
    PTE_PS = 1 << 7,

    PAGE_SHIFT = 12,
    SHIFT_1G = 30,
    MAX_LEVELS = 5,
    ATTEMPTS = 8, /* walks that find their tables changed under them before giving up */

    /* 4-MByte pages take address bits 39:32 from entry bits 20:13, as far as the processor has
     * them, and bit 21 is reserved. */
    PSE_HIGH_SHIFT = 13,
    PSE_HIGH_BITS = 8,
    PSE_RESERVED = 1 << 21,
};

static const uint64_t cr0_pg = 1ull << 31;
static const uint64_t pte_xd = 1ull << 63;
static const uint64_t address_52 = 0x000ffffffffff000;

/* The shape of a paging mode. Levels count down to 1, the page table. */
struct format {
    unsigned levels;
    unsigned index_bits;
    unsigned entry_size;
};

/* One walk in progress. */
struct walker {
    const struct walk_env *env;
    struct format format;
    uint64_t gva;
    unsigned access;

    /* The entries used, by level, and what access they grant together. */
    uint64_t addresses[MAX_LEVELS + 1];
    uint64_t entries[MAX_LEVELS + 1];
    unsigned leaf; /* level */
    bool writable, user, executable;
};

static uint64_t bits_below(unsigned count)
{
    return (1ull << count) - 1;
}

/* ---- Modes ----------------------------------------------------------------------------------- */

static bool is_long(const struct walk_env *env)
{
    return env->efer & EFER_LMA;
}

static bool is_pae(const struct walk_env *env)
{
    return env->cr4 & CR4_PAE;
}

/* PAE paging starts at a page directory: its four PDPTEs are registers. */
static struct format paging_format(const struct walk_env *env)
{
    if (is_long(env))
        return (struct format){
            .levels = env->cr4 & CR4_LA57 ? 5 : 4, .index_bits = 9, .entry_size = 8};
    if (is_pae(env))
        return (struct format){.levels = 2, .index_bits = 9, .entry_size = 8};
    return (struct format){.levels = 2, .index_bits = 10, .entry_size = 4};
}

static unsigned level_shift(const struct format *format, unsigned level)
{
    return PAGE_SHIFT + (level - 1) * format->index_bits;
}

static bool is_canonical(const struct walk_env *env, uint64_t gva)
{
    unsigned unused = env->cr4 & CR4_LA57 ? 64 - 57 : 64 - 48;

    return (uint64_t)((int64_t)(gva << unused) >> unused) == gva;
}

/* ---- Faults ---------------------------------------------------------------------------------- */

static bool is_user_access(const struct walker *w)
{
    return w->env->cpl == 3 && !(w->access & WALK_IMPLICIT_SUPERVISOR);
}

/* The error code apart from P and RSVD. I/D is there only where fetches are told apart. */
static uint32_t access_error(const struct walker *w)
{
    const struct walk_env *env = w->env;
    bool tells_fetches = env->cr4 & CR4_SMEP || (is_pae(env) && env->efer & EFER_NXE);
    uint32_t error = 0;

    if (w->access & WALK_WRITE)
        error |= WALK_ERROR_WRITE;
    if (is_user_access(w))
        error |= WALK_ERROR_USER;
    if (w->access & WALK_EXECUTE && tells_fetches)
        error |= WALK_ERROR_FETCH;
    return error;
}

static enum walk_result page_fault(const struct walker *w, uint32_t error, struct walk_out *out)
{
    out->error_code = access_error(w) | error;
    return WALK_PAGE_FAULT;
}

/* ---- Entries --------------------------------------------------------------------------------- */

static bool is_leaf(const struct walker *w, unsigned level, uint64_t entry)
{
    if (level == 1)
        return true;
    if (!(entry & PTE_PS) || level > 3)
        return false;
    if (w->format.entry_size == 4)
        return w->env->cr4 & CR4_PSE;
    return level == 2 || w->env->page_1g;
}

static unsigned pse_high_bits(const struct walk_env *env)
{
    unsigned bits = env->maxphyaddr - 32u;

    return bits < PSE_HIGH_BITS ? bits : PSE_HIGH_BITS;
}

static uint64_t reserved_bits_32(const struct walker *w, bool large)
{
    if (!large)
        return 0;
    uint64_t high = bits_below(PSE_HIGH_BITS) & ~bits_below(pse_high_bits(w->env));
    return PSE_RESERVED | high << PSE_HIGH_SHIFT;
}

/* Bits that must be 0 in a present entry. SDM Vol 3A, the tables on the formats of the entries in
 * "PAE Paging" and "4-Level Paging and 5-Level Paging". */
static uint64_t reserved_bits(const struct walker *w, unsigned level, uint64_t entry)
{
    const struct walk_env *env = w->env;
    bool large = level > 1 && is_leaf(w, level, entry);

    if (w->format.entry_size == 4)
        return reserved_bits_32(w, large);
    uint64_t reserved = address_52 & ~bits_below(env->maxphyaddr);
    if (!is_long(env))
        reserved |= bits_below(63) & ~bits_below(52);
    if (!(env->efer & EFER_NXE))
        reserved |= pte_xd;
    if (large) /* address bits below the page; the lowest of them is the PAT bit */
        reserved |= bits_below(level_shift(&w->format, level)) & ~bits_below(PAGE_SHIFT + 1);
    else if (level > 2) /* level 2 may always map a page; others not, or not on every processor */
        reserved |= PTE_PS;
    return reserved;
}

static uint64_t table_address(const struct walker *w, uint64_t entry)
{
    return entry & (w->format.entry_size == 4 ? bits_below(32) & address_52 : address_52);
}

static uint64_t page_address(const struct walker *w)
{
    uint64_t entry = w->entries[w->leaf];
    uint64_t offset_bits = bits_below(level_shift(&w->format, w->leaf));
    uint64_t base = table_address(w, entry) & ~offset_bits;

    if (w->format.entry_size == 4 && w->leaf == 2)
        base |= (entry >> PSE_HIGH_SHIFT & bits_below(pse_high_bits(w->env))) << 32;
    return base | (w->gva & offset_bits);
}

/* ---- Descent --------------------------------------------------------------------------------- */

/* Where the walk starts. False if a PDPTE is not present. PAE's PDPTEs were checked when they were
 * loaded, and grant all access. */
static bool root(const struct walker *w, uint64_t *table)
{
    const struct walk_env *env = w->env;

    if (is_long(env)) {
        *table = env->cr3 & address_52;
        return true;
    }
    if (!is_pae(env)) {
        *table = env->cr3 & bits_below(32) & address_52;
        return true;
    }
    uint64_t pdpte = env->pdpte[w->gva >> SHIFT_1G & 3];
    *table = pdpte & address_52;
    return pdpte & PTE_P;
}

static void grant(struct walker *w, uint64_t entry)
{
    bool has_xd = w->format.entry_size == 8 && w->env->efer & EFER_NXE;

    w->writable = w->writable && entry & PTE_RW;
    w->user = w->user && entry & PTE_US;
    w->executable = w->executable && !(has_xd && entry & pte_xd);
}

/* Follows the tables down to the page. */
static enum walk_result descend(struct walker *w, struct walk_out *out)
{
    const struct walk_env *env = w->env;
    uint64_t table;

    w->writable = w->user = w->executable = true;
    if (!root(w, &table))
        return page_fault(w, 0, out);
    for (unsigned level = w->format.levels;; level--) {
        uint64_t index =
            w->gva >> level_shift(&w->format, level) & bits_below(w->format.index_bits);
        uint64_t address = table + index * w->format.entry_size;
        uint64_t entry;

        if (!env->read(env->ctx, address, w->format.entry_size, &entry))
            return WALK_NO_TABLE;
        if (!(entry & PTE_P))
            return page_fault(w, 0, out);
        if (entry & reserved_bits(w, level, entry))
            return page_fault(w, WALK_ERROR_PRESENT | WALK_ERROR_RESERVED, out);
        w->addresses[level] = address;
        w->entries[level] = entry;
        grant(w, entry);
        if (is_leaf(w, level, entry)) {
            w->leaf = level;
            return WALK_OK;
        }
        table = table_address(w, entry);
    }
}

/* ---- Rights ---------------------------------------------------------------------------------- */

/* SDM Vol 3A, "Determination of Access Rights". */
static bool supervisor_may(const struct walker *w)
{
    const struct walk_env *env = w->env;
    bool implicit = w->access & WALK_IMPLICIT_SUPERVISOR;

    if (w->access & WALK_EXECUTE)
        return w->executable && !(w->user && env->cr4 & CR4_SMEP);
    if (w->user && env->cr4 & CR4_SMAP && (implicit || !env->ac))
        return false;
    return !(w->access & WALK_WRITE) || w->writable || !(env->cr0 & CR0_WP);
}

static bool user_may(const struct walker *w)
{
    if (!w->user)
        return false;
    if (w->access & WALK_EXECUTE)
        return w->executable;
    return !(w->access & WALK_WRITE) || w->writable;
}

/* ---- Accessed and dirty flags ---------------------------------------------------------------- */

/* Sets the flags in the entries used. WALK_RETRY if one of them is no longer what was read. */
static enum walk_result mark(const struct walker *w)
{
    const struct walk_env *env = w->env;

    for (unsigned level = w->format.levels; level >= w->leaf; level--) {
        uint64_t entry = w->entries[level];
        uint64_t marked = entry | PTE_A;
        bool swapped;

        if (level == w->leaf && w->access & WALK_WRITE)
            marked |= PTE_D;
        if (marked == entry)
            continue;
        if (!env->compare_exchange(env->ctx, w->addresses[level], w->format.entry_size, entry,
                                   marked, &swapped))
            return WALK_NO_TABLE;
        if (!swapped)
            return WALK_RETRY;
    }
    return WALK_OK;
}

static enum walk_result walk_once(struct walker *w, struct walk_out *out)
{
    enum walk_result result = descend(w, out);
    if (result != WALK_OK)
        return result;
    if (!(is_user_access(w) ? user_may(w) : supervisor_may(w)))
        return page_fault(w, WALK_ERROR_PRESENT, out);
    if (!(w->access & WALK_KEEP_TABLES)) {
        result = mark(w);
        if (result != WALK_OK)
            return result;
    }
    out->gpa = page_address(w);
    out->page_size = 1ull << level_shift(&w->format, w->leaf);
    return WALK_OK;
}

enum walk_result walk(const struct walk_env *env, uint64_t gva, unsigned access,
                      struct walk_out *out)
{
    struct walker w = {.env = env, .gva = gva, .access = access};
    enum walk_result result = WALK_RETRY;

    if (!is_long(env))
        w.gva &= bits_below(32);
    else if (!is_canonical(env, gva))
        return WALK_NOT_CANONICAL;
    if (!(env->cr0 & cr0_pg)) {
        out->gpa = w.gva;
        out->page_size = 1 << PAGE_SHIFT;
        return WALK_OK;
    }
    w.format = paging_format(env);
    for (unsigned attempt = 0; attempt < ATTEMPTS && result == WALK_RETRY; attempt++)
        result = walk_once(&w, out);
    return result;
}
