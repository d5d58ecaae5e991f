/* SPDX-License-Identifier: BSD-2-Clause */
/* CPUID announces the hypervisor, hides what is not virtualized, and follows the guest's state. */
#include "tests/guest/guest.h"

enum {
    LEAF1_ECX_MONITOR = 1 << 3,
    LEAF1_ECX_VMX = 1 << 5,
    LEAF1_ECX_SMX = 1 << 6,
    LEAF1_ECX_X2APIC = 1 << 21,
    LEAF1_ECX_OSXSAVE = 1 << 27,
    LEAF1_EDX_APIC = 1 << 9,
    LEAF7_EBX_SGX = 1 << 2,
    LEAF7_EBX_PT = 1 << 25,
    HYPERVISOR_LEAF = 0x40000000,
    TIMING_LEAF = 0x40000010,
    EXITS_LEAF = 0x40000011,
    KVM_LEAF = 0x40000100,
    KVM_FEATURES_LEAF = 0x40000101,
    KVM_FEATURE_PV_SEND_IPI = 1 << 11,
    KVM_FEATURE_MSI_EXT_DEST_ID = 1 << 15,
    XSAVE_LEGACY_AND_HEADER = 512 + 64,
    XSAVE_AVX = 256,
};

#define LEAF1_ECX_HYPERVISOR (1u << 31)

static void has_signature(uint32_t leaf, const char expected[12])
{
    struct cpuid answer = cpuid(leaf, 0);
    char signature[13] = "";
    memcpy(signature, &answer.ebx, 4);
    memcpy(signature + 4, &answer.ecx, 4);
    memcpy(signature + 8, &answer.edx, 4);
    ok(!memcmp(signature, expected, 12), "leaf 0x%x has the signature \"%s\"", leaf, signature);
}

static void hypervisor_leaves(void)
{
    ok(cpuid(1, 0).ecx & LEAF1_ECX_HYPERVISOR, "the hypervisor bit is set");
    has_signature(HYPERVISOR_LEAF, "LapwingVisor");
    is_u64(cpuid(HYPERVISOR_LEAF, 0).eax, EXITS_LEAF, "the hypervisor leaves reach the exits");
    has_signature(KVM_LEAF, "KVMKVMKVM\0\0");
    is_u64(cpuid(KVM_LEAF, 0).eax, KVM_FEATURES_LEAF, "KVM's leaves reach its features");
    struct cpuid features = cpuid(KVM_FEATURES_LEAF, 0);
    is_u64(features.eax, KVM_FEATURE_MSI_EXT_DEST_ID | KVM_FEATURE_PV_SEND_IPI,
           "extended destinations and IPIs to many are its features");
    is_u64(features.edx, 0, "KVM gives no hints");
    struct cpuid absent = cpuid(KVM_LEAF + 0x100, 0);
    is_u64(absent.eax | absent.ebx | absent.ecx | absent.edx, 0, "no further hypervisor leaf");
}

static uint64_t exits(void)
{
    struct cpuid count = cpuid(EXITS_LEAF, 0);
    return (uint64_t)count.ebx << 32 | count.eax;
}

/* Interrupts of the machine may come between. */
static void exits_are_counted(void)
{
    enum { CPUIDS = 1000, OTHERS = 50 };
    uint64_t start = exits();
    for (unsigned i = 1; i < CPUIDS; i++)
        cpuid(0, 0);
    in_range(exits() - start, CPUIDS, CPUIDS + OTHERS, "the exits of %u CPUID", CPUIDS);
}

/* The same leaf asked twice, between others that may share its place, gives the same answer. */
static void answers_hold_still(void)
{
    enum { LEAVES = 0x30, SUBLEAVES = 5, RANGES = 3 };
    static const uint32_t range[RANGES] = {0, HYPERVISOR_LEAF, 0x80000000};
    static struct cpuid first[RANGES][LEAVES][SUBLEAVES];
    unsigned changed = 0;
    for (unsigned i = 0; i < 3 * RANGES * LEAVES * SUBLEAVES; i++) {
        unsigned subleaf = i % SUBLEAVES, leaf = i / SUBLEAVES % LEAVES;
        unsigned r = i / SUBLEAVES / LEAVES % RANGES;
        struct cpuid *was = &first[r][leaf][subleaf], now = cpuid(range[r] + leaf, subleaf);
        if (range[r] + leaf == EXITS_LEAF)
            continue;
        if (i < RANGES * LEAVES * SUBLEAVES)
            *was = now;
        changed += memcmp(was, &now, sizeof(now)) != 0;
    }
    is_u64(changed, 0, "leaves that changed their answer");
    is_u64(cpuid(0xffffffff, 0xffffffff).edx, cpuid(0xb, 0).edx, "the last leaf of all");
}

static void frequency(void)
{
    uint32_t khz = cpuid(TIMING_LEAF, 0).eax;
    in_range(khz, tsc_per_ms() - tsc_per_ms() / 100, tsc_per_ms() + tsc_per_ms() / 100,
             "the timing leaf gives the TSC's frequency in kHz");
    struct cpuid leaf = cpuid(0x15, 0);
    if (!ok(leaf.eax && leaf.ebx && leaf.ecx, "leaf 0x15 gives ratio and crystal"))
        return;
    uint64_t hz = (uint64_t)leaf.ecx * leaf.ebx / leaf.eax;
    in_range(hz / 1000, khz - khz / 1000, khz + khz / 1000, "leaf 0x15 agrees with it");
}

static void hidden(void)
{
    struct cpuid leaf1 = cpuid(1, 0);
    is_u64(leaf1.ecx & LEAF1_ECX_VMX, 0, "VMX is hidden");
    is_u64(leaf1.ecx & LEAF1_ECX_SMX, 0, "SMX is hidden");
    is_u64(leaf1.ecx & LEAF1_ECX_MONITOR, 0, "MONITOR is hidden");
    is_u64(cpuid(7, 0).ebx & LEAF7_EBX_SGX, 0, "SGX is hidden");
    is_u64(cpuid(7, 0).ebx & LEAF7_EBX_PT, 0, "processor trace is hidden");
    is_u64(cpuid(0xa, 0).eax & 0xff, 0, "performance monitoring is hidden");
}

static void apic_identity(void)
{
    struct cpuid leaf1 = cpuid(1, 0);
    ok(leaf1.edx & LEAF1_EDX_APIC, "there is a local APIC");
    ok(leaf1.ecx & LEAF1_ECX_X2APIC, "it has an x2APIC mode");
    is_u64(leaf1.ebx >> 24, lapic_read(LAPIC_ID) >> 24, "the initial APIC ID is the APIC's");
    is_u64(cpuid(0xb, 0).edx, leaf1.ebx >> 24, "leaf 0xB gives the same ID");
    is_u64(leaf1.ebx >> 16 & 0xff, 1, "a package has room for one logical processor");
}

static void osxsave_follows_cr4(void)
{
    unsigned long cr4 = read_cr4();
    write_cr4(cr4 & ~(unsigned long)CR4_OSXSAVE);
    is_u64(cpuid(1, 0).ecx & LEAF1_ECX_OSXSAVE, 0, "OSXSAVE is clear with CR4.OSXSAVE clear");
    write_cr4(cr4 | CR4_OSXSAVE);
    ok(cpuid(1, 0).ecx & LEAF1_ECX_OSXSAVE, "OSXSAVE is set with CR4.OSXSAVE set");
}

static void xsave_size_follows_xcr0(void)
{
    uint64_t xcr0 = xgetbv(0);
    asm volatile("xsetbv" : : "a"(3), "d"(0), "c"(0));
    is_u64(cpuid(0xd, 0).ebx, XSAVE_LEGACY_AND_HEADER, "XSAVE area with x87 and SSE enabled");
    asm volatile("xsetbv" : : "a"(7), "d"(0), "c"(0));
    is_u64(cpuid(0xd, 0).ebx, XSAVE_LEGACY_AND_HEADER + XSAVE_AVX, "XSAVE area with AVX as well");
    asm volatile("xsetbv" : : "a"((uint32_t)xcr0), "d"(0), "c"(0));
    in_range(cpuid(0xd, 0).ebx, XSAVE_LEGACY_AND_HEADER, cpuid(0xd, 0).ecx,
             "the enabled area is at most the largest");
}

static void registers_are_32_bit(void)
{
    uint64_t a = ~0ull << 32, b = ~0ull << 8, c = ~0ull << 33, d = ~0ull << 16;
    asm volatile("cpuid" : "+a"(a), "+b"(b), "+c"(c), "+d"(d));
    is_u64((a | b | c | d) >> 32, 0, "CPUID clears the upper halves");
}

void test_main(void)
{
    hypervisor_leaves();
    frequency();
    hidden();
    apic_identity();
    exits_are_counted();
    answers_hold_still();
    osxsave_follows_cr4();
    xsave_size_follows_xcr0();
    registers_are_32_bit();
}
