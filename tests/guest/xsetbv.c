/* SPDX-License-Identifier: BSD-2-Clause */
/* XSETBV: legal values stick, illegal ones raise #GP(0); without CR4.OSXSAVE it is #UD.
   SDM Vol 1, "XSAVE-Supported Features and State-Component Bitmaps". */
#include "tests/guest/guest.h"

enum {
    X87 = 1 << 0,
    SSE = 1 << 1,
    AVX = 1 << 2,
    OPMASK = 1 << 5,
    ZMM_HI256 = 1 << 6,
    HI16_ZMM = 1 << 7,
    AVX512 = OPMASK | ZMM_HI256 | HI16_ZMM,
};

static struct fault xsetbv(uint32_t index, uint64_t value)
{
    return TRY("xsetbv",
               :
               : "c"(index), "a"((uint32_t)value), "d"((uint32_t)(value >> 32))
               : "memory");
}

static void legal(uint64_t value)
{
    if (is_no_fault(xsetbv(0, value), "XCR0 = 0x%llx", (unsigned long long)value))
        is_u64(xgetbv(0), value, "XCR0 reads back");
}

static void illegal(uint64_t value, const char *name)
{
    uint64_t old = xgetbv(0);
    is_fault(xsetbv(0, value), GP, 0, "XCR0: %s", name);
    is_u64(xgetbv(0), old, "XCR0 is unchanged");
}

static void user_xsetbv(uintptr_t unused)
{
    (void)unused;
    asm volatile("xsetbv" : : "a"(3), "d"(0), "c"(0));
}

void test_main(void)
{
    struct cpuid leaf = cpuid(0xd, 0);
    uint64_t offered = (uint64_t)leaf.edx << 32 | leaf.eax, start = xgetbv(0);
    legal(X87);
    legal(X87 | SSE);
    legal(X87 | SSE | AVX);
    if ((offered & AVX512) == AVX512) {
        legal(X87 | SSE | AVX | AVX512);
        illegal(X87 | SSE | AVX512, "AVX-512 without AVX");
        illegal(X87 | SSE | AVX | OPMASK, "a part of AVX-512");
    }
    legal(start);
    illegal(0, "x87 off");
    illegal(SSE, "x87 off, SSE on");
    illegal(X87 | AVX, "AVX without SSE");
    illegal(start | 1ull << 62, "bit 62");
    illegal(start | 1ull << 63, "bit 63");
    is_fault(xsetbv(1, X87), GP, 0, "XCR1");
    is_fault(xsetbv(0xffffffff, X87), GP, 0, "XCR 0xffffffff");
    allow_user();
    is_fault(enter_user(user_xsetbv, 0), GP, 0, "XSETBV at CPL 3");
    write_cr4(read_cr4() & ~(unsigned long)CR4_OSXSAVE);
    is_fault(xsetbv(0, X87), UD, 0, "XSETBV with CR4.OSXSAVE clear");
    is_fault(TRY("xgetbv", : : "c"(0) : "eax", "edx"), UD, 0, "XGETBV with CR4.OSXSAVE clear");
}
