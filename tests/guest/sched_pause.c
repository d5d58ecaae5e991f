/* SPDX-License-Identifier: BSD-2-Clause */
// vcpus: 4
// worlds: without:sandy_bridge (this processor cannot tell a PAUSE loop)
/* Processors that wait for each other in PAUSE loops and share a real one (with two: CPUs 1 and 3)
   hand it over long before their slices end. */
#include "tests/guest/lib/smp.h"

enum { ONE = 1, OTHER = 3, ROUNDS = 200, BOUND_US = 300 /* of a slice of 1000 */ };

static volatile unsigned turn;

static void play(uintptr_t odd)
{
    while (turn < 2 * ROUNDS) {
        while (turn % 2 != odd && turn < 2 * ROUNDS)
            pause();
        if (turn < 2 * ROUNDS)
            turn++;
    }
}

void test_main(void)
{
    smp_start();
    uint64_t began = rdtsc();
    cpu_begin(cpus[ONE], play, 0);
    cpu_begin(cpus[OTHER], play, 1);
    cpu_wait(cpus[ONE]);
    cpu_wait(cpus[OTHER]);
    uint64_t ticks = (rdtsc() - began) / (2 * ROUNDS);
    printf("# a hand-over takes %lu ticks\n", ticks);
    in_range(ticks * 1000 / tsc_per_ms(), 0, BOUND_US, "mean time of a hand-over, in us");
}
