/* SPDX-License-Identifier: BSD-2-Clause */
/* Extended page tables. Source: SDM Vol 3C, "The Extended Page Table Mechanism (EPT)". */
#include "vmx/ept.h"

#include <stddef.h>

#include "core/assert.h"
#include "core/bits.h"
#include "core/memory.h"

enum {
    ENTRIES = 512,
    ROOT_LEVEL = EPT_LEVELS - 1, /* the root's entries span 512 GiB, those of level 0 a page */
};

#define ENTRY_RIGHTS  (uint64_t) EPT_RWX
#define ENTRY_TYPE    MASK(5, 3)
#define ENTRY_IPAT    BIT(6) /* the guest's PAT has no say: all types are ours */
#define ENTRY_LARGE   BIT(7)
#define ENTRY_ADDRESS MASK(51, 12)
#define ENTRY_TABLE   (uint64_t) EPT_RWX

/* Ours, ignored by the processor: set in leaves, even without rights; what a leaf's owner denies,
 * in EPT_* bits. */
#define ENTRY_LEAF         BIT(52)
#define ENTRY_DENIED       MASK(56, 53)
#define ENTRY_DENIED_SHIFT 53

#define EPTP_WRITE_BACK 6
#define EPTP_LEVELS     (3 << 3) /* number of levels minus 1 */

static uint64_t denied_bits(unsigned denied)
{
    uint64_t bits = (denied & (EPT_R | EPT_W | EPT_X)) | (denied & EPT_UX ? BIT(3) : 0);
    return bits << ENTRY_DENIED_SHIFT;
}

static unsigned denied_of(uint64_t entry)
{
    unsigned bits = field_get(entry, ENTRY_DENIED);
    return (bits & (EPT_R | EPT_W | EPT_X)) | (bits & BIT(3) ? EPT_UX : 0);
}

enum kind { MAP, UNMAP, RESTRICT };

struct change {
    enum kind kind;
    uint64_t gpa;
    uint64_t size;
    uint64_t hpa;  /* MAP: of gpa */
    uint64_t bits; /* MAP: of the leaf, less address and size; RESTRICT: rights and denied ones */
};

static unsigned shift_of(unsigned level)
{
    return 12 + 9 * level;
}

static uint64_t span_of(unsigned level)
{
    return 1ull << shift_of(level);
}

static unsigned index_of(uint64_t gpa, unsigned level)
{
    return (gpa >> shift_of(level)) % ENTRIES;
}

static bool is_leaf(uint64_t entry)
{
    return entry & ENTRY_LEAF;
}

static bool is_table(uint64_t entry)
{
    return entry != 0 && !is_leaf(entry);
}

static uint64_t *table_of(uint64_t entry)
{
    return phys_to_virt(entry & ENTRY_ADDRESS);
}

static bool may_be_leaf(const struct ept *ept, unsigned level)
{
    return level == 0 || (level == 1 && ept->has_2m) || (level == 2 && ept->has_1g);
}

static uint64_t leaf(uint64_t hpa, uint64_t bits, unsigned level)
{
    return hpa | bits | ENTRY_IPAT | ENTRY_LEAF | (level > 0 ? ENTRY_LARGE : 0);
}

/* Repeats a change of the tree in the view, whose way to its page is its own. */
static void mirror(struct ept *ept, const uint64_t *slot, uint64_t entry)
{
    struct ept_view *view = &ept->view;
    for (unsigned level = 0; level < EPT_LEVELS; level++) {
        if ((const uint64_t *)align_down((uint64_t)slot, EPT_PAGE_4K) != view->twin[level])
            continue;
        unsigned index = slot - view->twin[level];
        if (index != index_of(view->gpa, level))
            __atomic_store_n(&view->table[level][index], entry, __ATOMIC_RELEASE);
    }
}

static void write_entry(struct ept *ept, uint64_t *slot, uint64_t entry)
{
    uint64_t old = *slot;
    if (old == entry)
        return;
    __atomic_store_n(slot, entry, __ATOMIC_RELEASE);
    if (ept->view.pointer != 0)
        mirror(ept, slot, entry);
    if (old & ENTRY_RIGHTS)
        ept->generation++;
}

static uint64_t *new_table(struct ept *ept)
{
    uint64_t *table = page_alloc();
    if (table)
        ept->tables++;
    return table;
}

/*
 * Sets a table aside, with all below it. A processor may have it in its paging-structure caches, so
 * it stays a table of entries without rights: the list is linked by addresses in their first ones.
 */
static void retire(struct ept *ept, uint64_t *table, unsigned level)
{
    ASSERT(ept->view.pointer == 0 || table != ept->view.twin[level]);
    for (unsigned i = 0; i < ENTRIES; i++) {
        uint64_t entry = table[i];
        __atomic_store_n(&table[i], 0, __ATOMIC_RELAXED);
        if (is_table(entry))
            retire(ept, table_of(entry), level - 1);
    }
    if (ept->retired)
        table[0] = virt_to_phys(ept->retired);
    ept->retired = table;
    ept->tables--;
}

static void replace(struct ept *ept, uint64_t *slot, uint64_t entry, unsigned level)
{
    uint64_t old = *slot;
    write_entry(ept, slot, entry);
    if (is_table(old))
        retire(ept, table_of(old), level - 1);
}

/* The table below slot; what slot mapped as one page is first mapped by a table of smaller ones. */
static uint64_t *descend(struct ept *ept, uint64_t *slot, unsigned level)
{
    uint64_t old = *slot;
    if (is_table(old))
        return table_of(old);
    uint64_t *table = new_table(ept);
    if (!table)
        return NULL;
    if (is_leaf(old)) {
        uint64_t bits = old & (ENTRY_RIGHTS | ENTRY_TYPE | ENTRY_DENIED);
        for (unsigned i = 0; i < ENTRIES; i++) {
            uint64_t hpa = (old & ENTRY_ADDRESS) + i * span_of(level - 1);
            table[i] = leaf(hpa, bits, level - 1);
        }
    }
    write_entry(ept, slot, virt_to_phys(table) | ENTRY_TABLE);
    return table;
}

/* What is denied of an address stays denied whatever is mapped there. */
static uint64_t denied_to_keep(uint64_t entry)
{
    return is_leaf(entry) ? entry & ENTRY_DENIED : 0;
}

static void restrict_leaf(struct ept *ept, uint64_t *slot, uint64_t bits)
{
    write_entry(ept, slot, (*slot & ~(ENTRY_RIGHTS | ENTRY_DENIED)) | bits);
}

/* Changes one entry for good; false if that must be done entry by entry below it. */
static bool change_entry(struct ept *ept, uint64_t *slot, unsigned level, const struct change *c)
{
    bool whole = c->size == span_of(level);
    switch (c->kind) {
    case MAP:
        if (!whole || !may_be_leaf(ept, level) || !is_aligned(c->hpa, span_of(level)))
            return false;
        replace(ept, slot, leaf(c->hpa, c->bits | denied_to_keep(*slot), level), level);
        return true;
    case UNMAP:
        if (*slot == 0)
            return true;
        if (!whole)
            return false;
        replace(ept, slot, 0, level);
        return true;
    case RESTRICT:
        if (*slot == 0)
            return true;
        if (!whole || !is_leaf(*slot))
            return false;
        restrict_leaf(ept, slot, c->bits);
        return true;
    }
    return true;
}

static bool change(struct ept *ept, uint64_t *table, unsigned level, const struct change *all)
{
    uint64_t span = span_of(level);
    for (uint64_t done = 0; done < all->size;) {
        struct change part = *all;
        part.gpa = all->gpa + done;
        part.hpa = all->hpa + done;
        part.size = min(all->size - done, span - (part.gpa & (span - 1)));
        uint64_t *slot = &table[index_of(part.gpa, level)];
        if (!change_entry(ept, slot, level, &part)) {
            uint64_t *below = descend(ept, slot, level);
            if (!below || !change(ept, below, level - 1, &part))
                return false;
        }
        done += part.size;
    }
    return true;
}

static void assert_range(uint64_t gpa, uint64_t size)
{
    ASSERT(size != 0 && is_aligned(gpa | size, EPT_PAGE_4K));
    ASSERT(gpa < EPT_GPA_LIMIT && size <= EPT_GPA_LIMIT - gpa);
}

static uint64_t eptp(const uint64_t *root)
{
    return virt_to_phys(root) | EPTP_LEVELS | EPTP_WRITE_BACK;
}

bool ept_init(struct ept *ept, const struct vmx_caps *caps)
{
    *ept = (struct ept){
        .has_2m = vmx_has(caps, VMX_EPT_2M),
        .has_1g = vmx_has(caps, VMX_EPT_2M) && vmx_has(caps, VMX_EPT_1G),
    };
    ept->root = new_table(ept);
    if (!ept->root)
        return false;
    ept->pointer = eptp(ept->root);
    return true;
}

static void free_view(struct ept *ept)
{
    for (unsigned level = 0; level < EPT_LEVELS; level++) {
        if (ept->view.table[level]) {
            page_free(ept->view.table[level]);
            ept->tables--;
        }
    }
    ept->view = (struct ept_view){0};
}

static bool alloc_view(struct ept *ept, uint64_t gpa)
{
    struct ept_view *view = &ept->view;
    uint64_t *twin = ept->root;
    for (unsigned level = ROOT_LEVEL;; level--) {
        view->twin[level] = twin;
        view->table[level] = new_table(ept);
        if (!view->table[level])
            return false;
        if (level == 0)
            return true;
        twin = descend(ept, &twin[index_of(gpa, level)], level);
        if (!twin)
            return false;
    }
}

bool ept_add_view(struct ept *ept, uint64_t gpa, uint64_t hpa)
{
    struct ept_view *view = &ept->view;
    uint64_t below = leaf(hpa, EPT_RWX | EPT_WRITE_BACK << 3, 0);
    ASSERT(view->pointer == 0);
    if (!alloc_view(ept, gpa)) {
        free_view(ept);
        return false;
    }
    view->gpa = gpa;
    for (unsigned level = 0; level < EPT_LEVELS; level++) {
        for (unsigned i = 0; i < ENTRIES; i++)
            view->table[level][i] = view->twin[level][i];
        view->table[level][index_of(gpa, level)] = below;
        below = virt_to_phys(view->table[level]) | ENTRY_TABLE;
    }
    view->pointer = eptp(view->table[ROOT_LEVEL]);
    return true;
}

void ept_reclaim(struct ept *ept)
{
    while (ept->retired) {
        uint64_t *table = ept->retired;
        ept->retired = table[0] ? phys_to_virt(table[0]) : NULL;
        page_free(table);
    }
}

void ept_destroy(struct ept *ept)
{
    free_view(ept);
    retire(ept, ept->root, ROOT_LEVEL);
    ept->root = NULL;
    ept_reclaim(ept);
}

bool ept_map(struct ept *ept, uint64_t gpa, uint64_t hpa, uint64_t size, unsigned rights,
             enum ept_memory_type type)
{
    assert_range(gpa, size);
    ASSERT(is_aligned(hpa, EPT_PAGE_4K) && (hpa & ~ENTRY_ADDRESS) == 0);
    ASSERT((rights & ~EPT_RWX) == 0 && (rights & (EPT_R | EPT_W)) != EPT_W);
    struct change c = {
        .kind = MAP, .gpa = gpa, .size = size, .hpa = hpa, .bits = rights | (uint64_t)type << 3};
    return change(ept, ept->root, ROOT_LEVEL, &c);
}

bool ept_unmap(struct ept *ept, uint64_t gpa, uint64_t size)
{
    assert_range(gpa, size);
    struct change c = {.kind = UNMAP, .gpa = gpa, .size = size};
    return change(ept, ept->root, ROOT_LEVEL, &c);
}

bool ept_restrict(struct ept *ept, uint64_t gpa, uint64_t size, unsigned rights, unsigned denied)
{
    assert_range(gpa, size);
    ASSERT((rights & ~EPT_RWX) == 0 && (rights & (EPT_R | EPT_W)) != EPT_W);
    struct change c = {
        .kind = RESTRICT, .gpa = gpa, .size = size, .bits = rights | denied_bits(denied)};
    return change(ept, ept->root, ROOT_LEVEL, &c);
}

unsigned ept_walk(const struct ept *ept, uint64_t gpa, uint64_t entries[EPT_LEVELS])
{
    const uint64_t *table = ept->root;
    unsigned n = 0;
    for (unsigned level = ROOT_LEVEL;; level--) {
        uint64_t entry = __atomic_load_n(&table[index_of(gpa, level)], __ATOMIC_RELAXED);
        entries[n++] = entry;
        if (!is_table(entry) || level == 0)
            return n;
        table = table_of(entry);
    }
}

/* The entry that maps gpa, or would; near then says where it is. */
static uint64_t *find(const struct ept *ept, struct ept_near *near, uint64_t gpa)
{
    if (!near->table || near->gpa >> shift_of(near->level + 1) != gpa >> shift_of(near->level + 1))
        *near = (struct ept_near){.table = ept->root, .level = ROOT_LEVEL};
    near->gpa = gpa;
    for (;;) {
        uint64_t *slot = &near->table[index_of(gpa, near->level)];
        uint64_t entry = __atomic_load_n(slot, __ATOMIC_RELAXED);
        if (!is_table(entry) || near->level == 0)
            return slot;
        near->table = table_of(entry);
        near->level--;
    }
}

bool ept_lookup_near(const struct ept *ept, struct ept_near *near, uint64_t gpa,
                     struct ept_mapping *mapping)
{
    *mapping = (struct ept_mapping){.size = EPT_PAGE_512G};
    if (gpa >= EPT_GPA_LIMIT)
        return false;
    uint64_t entry = __atomic_load_n(find(ept, near, gpa), __ATOMIC_RELAXED);
    mapping->size = span_of(near->level);
    if (!is_leaf(entry))
        return false;
    mapping->hpa = (entry & ENTRY_ADDRESS) + (gpa & (mapping->size - 1));
    mapping->rights = entry & ENTRY_RIGHTS;
    mapping->denied = denied_of(entry);
    mapping->type = field_get(entry, ENTRY_TYPE);
    return true;
}

bool ept_lookup(const struct ept *ept, uint64_t gpa, struct ept_mapping *mapping)
{
    struct ept_near near = {0};
    return ept_lookup_near(ept, &near, gpa, mapping);
}

bool ept_restrict_page(struct ept *ept, struct ept_near *near, uint64_t gpa, unsigned rights,
                       unsigned denied)
{
    uint64_t *slot = find(ept, near, gpa);
    if (near->level > 0)
        return ept_restrict(ept, gpa, EPT_PAGE_4K, rights, denied);
    ASSERT((rights & (EPT_R | EPT_W)) != EPT_W);
    if (*slot != 0)
        restrict_leaf(ept, slot, rights | denied_bits(denied));
    return true;
}
