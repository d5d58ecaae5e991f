/* SPDX-License-Identifier: BSD-2-Clause */
// vcpus: 6
/* More processors that never pause than there are real ones get equal shares of those. */
#include "tests/guest/lib/smp.h"

enum { CPUS = 6, BEGIN_MS = 20, RUN_MS = 300, TOLERANCE = 5 /* percent */ };

static volatile uint64_t start;
static uint64_t rounds[CPUS];

static void count(uintptr_t argument)
{
    (void)argument;
    uint64_t end = start + RUN_MS * tsc_per_ms(), n = 0, now;
    while (rdtsc() < start)
        ;
    while ((now = rdtsc()) < end)
        n++;
    rounds[this_cpu()->number] = n;
}

void test_main(void)
{
    uint64_t all = 0;
    smp_start();
    start = rdtsc() + BEGIN_MS * tsc_per_ms();
    cpu_call_all(count, 0);
    for (unsigned n = 0; n < CPUS; n++)
        all += rounds[n];
    for (unsigned n = 0; n < CPUS; n++)
        in_range(rounds[n] * CPUS * 100 / all, 100 - TOLERANCE, 100 + TOLERANCE,
                 "CPU %u's share, in percent of the mean", n);
}
