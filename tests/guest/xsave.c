/* SPDX-License-Identifier: BSD-2-Clause */
/* Every instruction that CPUID offers to save state with brings back each component, alone and
   with the others. SDM Vol 1, "Managing State Using the XSAVE Feature Set". */
#include "tests/guest/guest.h"

enum {
    MXCSR = 24,
    LEGACY_X87 = 160, /* bytes in front of XMM0 */
    HEADER = 512,
    HEADER_SIZE = 64,
    AREA_SIZE = 4096,
    MXCSR_DEFAULT = 0x1f80,
    FCW_ROUND_UP = 0xb7f,
    /* CPUID leaf 0DH, subleaf 1, EAX. */
    XSAVEOPT = 1 << 0,
    XSAVEC = 1 << 1,
    XSAVES = 1 << 3,
};

static uint8_t before[AREA_SIZE] __attribute__((aligned(64)));
static uint8_t after[AREA_SIZE] __attribute__((aligned(64)));
static uint8_t area[AREA_SIZE] __attribute__((aligned(64)));
static uint32_t all; /* the components of XCR0 */

#define ON(state, instruction)                                                                     \
    asm volatile(instruction " %0" : "+m"(state) : "a"(all), "d"(0) : "memory")

static void put_u32(unsigned offset, uint32_t value)
{
    memcpy(before + offset, &value, sizeof(value));
}

/* Puts these components into use, with a byte of its own everywhere. */
static void load(uint32_t components)
{
    for (unsigned i = 0; i < AREA_SIZE; i++)
        before[i] = (uint8_t)(1 + i * 13 + (i >> 8) * 7);
    memset(before, 0, LEGACY_X87);
    memset(before + HEADER, 0, HEADER_SIZE);
    put_u32(0, FCW_ROUND_UP);
    put_u32(MXCSR, MXCSR_DEFAULT);
    put_u32(HEADER, components);
    ON(before, "xrstor64");
}

static void by_xsave(void)
{
    ON(area, "xsave64");
    load(0);
    ON(area, "xrstor64");
}

static void by_xsaveopt(void)
{
    ON(area, "xsaveopt64");
    load(0);
    ON(area, "xrstor64");
}

static void by_xsavec(void)
{
    ON(area, "xsavec64");
    load(0);
    ON(area, "xrstor64");
}

static void by_xsaves(void)
{
    ON(area, "xsaves64");
    load(0);
    ON(area, "xrstors64");
}

static void brings_back(const char *name, void (*save_and_restore)(void), uint32_t components)
{
    static uint8_t expected[AREA_SIZE] __attribute__((aligned(64)));
    load(components);
    memset(expected, 0, sizeof(expected));
    ON(expected, "xsave64");
    memset(area, 0, sizeof(area));
    save_and_restore();
    memset(after, 0, sizeof(after));
    ON(after, "xsave64");
    unsigned wrong = 0;
    for (unsigned i = 0; i < sizeof(after); i++)
        wrong += after[i] != expected[i];
    is_u64(wrong, 0, "%s brings back components 0x%x", name, components);
}

static void test(const char *name, void (*save_and_restore)(void))
{
    brings_back(name, save_and_restore, 0);
    for (unsigned component = 0; component < 32; component++)
        if (all >> component & 1)
            brings_back(name, save_and_restore, 1u << component);
    brings_back(name, save_and_restore, all);
}

void test_main(void)
{
    struct cpuid offered = cpuid(0xd, 1);
    all = (uint32_t)xgetbv(0);
    test("XSAVE", by_xsave);
    if (offered.eax & XSAVEOPT)
        test("XSAVEOPT", by_xsaveopt);
    if (offered.eax & XSAVEC)
        test("XSAVEC", by_xsavec);
    if (offered.eax & XSAVES)
        test("XSAVES", by_xsaves);
    is_u64(offered.ebx != 0, (offered.eax & (XSAVEC | XSAVES)) != 0,
           "a size of the compacted format is given where there is one");
}
