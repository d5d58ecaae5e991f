/* SPDX-License-Identifier: BSD-2-Clause */
/* The time stamp counter: it only goes forward, can be set and adjusted, and names its processor.
 */
#include "tests/guest/guest.h"

enum {
    ROUNDS = 1000,
    LEAF7_EBX_TSC_ADJUST = 1 << 1,
    EXT_EDX_RDTSCP = 1 << 27,
};

static const uint64_t far_ahead = 1ull << 50;

static uint64_t rdtscp(uint32_t *aux)
{
    uint32_t low, high;
    asm volatile("rdtscp" : "=a"(low), "=d"(high), "=c"(*aux));
    return (uint64_t)high << 32 | low;
}

/* With an exit between the reads, whose time must not be taken out of the count either. */
static void monotone(void)
{
    unsigned backward = 0;
    uint64_t last = rdtsc();
    for (unsigned i = 0; i < ROUNDS; i++) {
        cpuid(0, 0);
        uint64_t now = rdtsc();
        if (now <= last)
            backward++;
        last = now;
    }
    is_u64(backward, 0, "the TSC never stands or goes back");
    uint64_t before = rdtsc(), seen = rdmsr(MSR_TSC), after = rdtsc();
    in_range(seen, before, after, "the TSC's MSR agrees with RDTSC");
}

static void set(void)
{
    uint64_t old = rdtsc();
    wrmsr(MSR_TSC, far_ahead);
    uint64_t seen = rdtsc();
    wrmsr(MSR_TSC, old);
    in_range(seen, far_ahead, far_ahead + (1ull << 32), "writing the MSR sets the TSC");
    in_range(rdtsc(), old, old + (1ull << 32), "and sets it back");
}

static void adjust(void)
{
    if (!(cpuid(7, 0).ebx & LEAF7_EBX_TSC_ADJUST)) {
        skip("TSC_ADJUST", "CPUID does not offer it");
        return;
    }
    uint64_t old = rdmsr(MSR_TSC_ADJUST), start = rdtsc();
    wrmsr(MSR_TSC_ADJUST, old + far_ahead);
    uint64_t seen = rdtsc();
    is_u64(rdmsr(MSR_TSC_ADJUST), old + far_ahead, "TSC_ADJUST keeps its value");
    wrmsr(MSR_TSC_ADJUST, old);
    in_range(seen - start, far_ahead, far_ahead + (1ull << 32), "it moves the TSC by as much");
    start = rdtsc();
    wrmsr(MSR_TSC, start + far_ahead);
    uint64_t adjusted = rdmsr(MSR_TSC_ADJUST);
    wrmsr(MSR_TSC_ADJUST, old);
    in_range(adjusted - old, far_ahead - (1ull << 32), far_ahead,
             "writing the TSC is seen in TSC_ADJUST");
}

static void aux(void)
{
    if (!(cpuid(0x80000001, 0).edx & EXT_EDX_RDTSCP)) {
        is_fault(TRY("rdtscp", : : : "eax", "ecx", "edx"), UD, 0, "RDTSCP that CPUID hides");
        return;
    }
    uint32_t seen;
    wrmsr(MSR_TSC_AUX, 0x89abcdef);
    uint64_t before = rdtsc(), now = rdtscp(&seen);
    is_u64(seen, 0x89abcdef, "RDTSCP gives TSC_AUX");
    is_u64(rdmsr(MSR_TSC_AUX), 0x89abcdef, "TSC_AUX keeps its value");
    in_range(now, before, rdtsc(), "RDTSCP gives the TSC");
    is_fault(try_wrmsr(MSR_TSC_AUX, 1ull << 32), GP, 0, "more than 32 bits in TSC_AUX");
}

void test_main(void)
{
    monotone();
    set();
    adjust();
    aux();
}
