/* SPDX-License-Identifier: BSD-2-Clause */
/* The ACPI PM timer runs forward, at its frequency as measured by the TSC's announced one. */
#include "tests/guest/guest.h"

enum {
    ROUNDS = 1000,
    MEASURE_MS = 50,
};

void test_main(void)
{
    unsigned backward = 0, moved = 0;
    uint32_t last = pm_timer();
    for (unsigned i = 0; i < ROUNDS; i++) {
        uint32_t now = pm_timer(), passed = (now - last) & 0xffffff;
        backward += passed > 0x800000;
        moved += passed != 0;
        last = now;
    }
    is_u64(backward, 0, "the PM timer never goes back");
    in_range(moved, 1, ROUNDS, "it moves");

    struct cpuid leaf = cpuid(0x15, 0);
    if (!leaf.eax || !leaf.ebx || !leaf.ecx) {
        skip("the PM timer's frequency", "CPUID does not tell the TSC's frequency");
        return;
    }
    uint64_t tsc_hz = (uint64_t)leaf.ecx * leaf.ebx / leaf.eax;
    uint64_t start = rdtsc();
    uint32_t from = pm_timer();
    while (rdtsc() - start < tsc_hz / 1000 * MEASURE_MS)
        pause();
    uint32_t ticks = (pm_timer() - from) & 0xffffff;
    uint64_t elapsed = rdtsc() - start;
    uint64_t expected = elapsed * (PM_TIMER_HZ / 1000) / (tsc_hz / 1000);
    in_range(ticks, expected - expected / 200, expected + expected / 200,
             "it counts 3.579545 MHz, within 0.5 %%");
}
