/* SPDX-License-Identifier: BSD-2-Clause */
// apic_ids: 0x10-0x11, 0x123, 0x122, 0x20, 0x21
// threads: 2
/* Processors with sparse APIC IDs, as CPUID and the MADT describe them: one package of nine bits of
   ID, cores of two logical processors. SDM Vol 3A, "Hierarchical Mapping of Shared Resources". */
#include "tests/guest/guest.h"

enum {
    THREADS = 2,
    CORE_SHIFT = 1,
    PACKAGE_SHIFT = 9,
    LEAF1_EDX_HTT = 1 << 28,
    LEVEL_SMT = 1,
    LEVEL_CORE = 2,
    MADT_ENTRIES = 44,
    MADT_LAPIC = 0,
    MADT_X2APIC = 9,
};

static const uint32_t ids[] = {0x10, 0x11, 0x123, 0x122, 0x20, 0x21};
enum { PROCESSORS = sizeof(ids) / sizeof(ids[0]) };

static void features(void)
{
    struct cpuid leaf = cpuid(1, 0);

    is_u64(leaf.ebx >> 24, ids[0] & 0xff, "leaf 1 gives the initial APIC ID");
    is_u64(leaf.ebx >> 16 & 0xff, 255, "leaf 1 says that a package has room for 512 IDs");
    ok(leaf.edx & LEAF1_EDX_HTT, "so HTT is set");
}

static void caches(void)
{
    for (unsigned i = 0;; i++) {
        struct cpuid leaf = cpuid(4, i);
        unsigned level = leaf.eax >> 5 & 7;

        if (!(leaf.eax & 0x1f))
            break;
        is_u64(leaf.eax >> 26, 63, "cache %u: at least 64 IDs of cores in a package", i);
        is_u64(leaf.eax >> 14 & 0xfff, (1 << (level < 3 ? CORE_SHIFT : PACKAGE_SHIFT)) - 1,
               "cache %u: of level %u, its sharers' IDs", i, level);
    }
}

static void levels(uint32_t leaf_number)
{
    struct cpuid leaf = cpuid(leaf_number, 0);

    is_u64(leaf.eax, CORE_SHIFT, "leaf 0x%x: shift to a core", leaf_number);
    is_u64(leaf.ebx, THREADS, "leaf 0x%x: processors in a core", leaf_number);
    is_u64(leaf.ecx, LEVEL_SMT << 8, "leaf 0x%x: first level", leaf_number);
    is_u64(leaf.edx, ids[0], "leaf 0x%x: ID", leaf_number);
    leaf = cpuid(leaf_number, 1);
    is_u64(leaf.eax, PACKAGE_SHIFT, "leaf 0x%x: shift to a package", leaf_number);
    is_u64(leaf.ebx, PROCESSORS, "leaf 0x%x: processors in a package", leaf_number);
    is_u64(leaf.ecx, LEVEL_CORE << 8 | 1, "leaf 0x%x: second level", leaf_number);
    is_u64(leaf.edx, ids[0], "leaf 0x%x: ID again", leaf_number);
    leaf = cpuid(leaf_number, 2);
    is_u64(leaf.eax, 0, "leaf 0x%x: no third level", leaf_number);
    is_u64(leaf.ebx, 0, "leaf 0x%x: and none in it", leaf_number);
    is_u64(leaf.ecx, 2, "leaf 0x%x: third level", leaf_number);
    is_u64(leaf.edx, ids[0], "leaf 0x%x: ID even there", leaf_number);
}

static void madt(void)
{
    const struct acpi_table *table = acpi_find("APIC");
    unsigned n = 0;

    if (!ok(table, "there is a MADT"))
        return;
    for (unsigned at = MADT_ENTRIES; at < table->length; at += ((const uint8_t *)table)[at + 1]) {
        const uint8_t *entry = (const uint8_t *)table + at;

        if (entry[0] != MADT_LAPIC && entry[0] != MADT_X2APIC)
            continue;
        if (n == PROCESSORS)
            bail_out("too many processors in the MADT");
        is_u64(entry[0], ids[n] < 255 ? MADT_LAPIC : MADT_X2APIC, "processor %u: kind", n);
        is_u64(entry[0] == MADT_LAPIC ? entry[3] : acpi_u32(table, at + 4), ids[n],
               "processor %u: ID", n);
        n++;
    }
    is_u64(n, PROCESSORS, "the MADT has all processors");
}

void test_main(void)
{
    features();
    caches();
    ok(cpuid(0, 0).eax >= 0x1f, "leaf 0x1F is within range");
    levels(0xb);
    levels(0x1f);
    madt();
}
