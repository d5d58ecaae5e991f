/* SPDX-License-Identifier: BSD-2-Clause */
/* The clock: TSC frequency and conversions. The per-CPU timer is in core/timer.c. */
#include "core/time.h"

#include "core/assert.h"
#include "core/x86.h"

enum {
    CPUID_TSC_RATIO = 0x15,
    MEASUREMENT_TOLERANCE = 16, /* the measured frequency may be off by one part in this */
};

static struct {
    uint64_t hz;
    uint64_t start;
} tsc;

/*
 * SDM Vol 3B, "Invariant TSC": crystal frequency times EBX / EAX. Leaf 0x16 has the nominal core
 * frequency, which equals the TSC's but is rounded to 1 MHz or worse, so it comes after a
 * measurement and is not used.
 */
static uint64_t hz_from_cpuid(void)
{
    struct cpuid ratio = cpuid_checked(CPUID_TSC_RATIO, 0);
    if (ratio.eax == 0 || ratio.ebx == 0 || ratio.ecx == 0)
        return 0;
    return muldiv(ratio.ecx, ratio.ebx, ratio.eax);
}

/* An emulator may pass on a CPUID that does not describe the TSC it makes. */
static bool is_near(uint64_t hz, uint64_t measured_hz)
{
    uint64_t difference = hz > measured_hz ? hz - measured_hz : measured_hz - hz;
    return difference <= measured_hz / MEASUREMENT_TOLERANCE;
}

void time_init(uint64_t measured_hz)
{
    uint64_t hz = hz_from_cpuid();
    if (hz == 0 || !is_near(hz, measured_hz))
        hz = measured_hz;
    ASSERT(hz != 0);
    tsc.start = rdtsc();
    tsc.hz = hz;
}

uint64_t time_tsc_hz(void)
{
    return tsc.hz;
}

uint64_t time_now_ns(void)
{
    return tsc.hz ? tsc_to_ns(rdtsc() - tsc.start) : 0;
}

uint64_t tsc_to_ns(uint64_t duration)
{
    return muldiv(duration, NS_PER_SECOND, tsc.hz);
}

uint64_t ns_to_tsc(uint64_t ns)
{
    return muldiv(ns, tsc.hz, NS_PER_SECOND);
}
