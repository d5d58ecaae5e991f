/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Measuring what an operation costs its processor: ticks of the TSC and VM exits, the mean of many.
 * A line "# bench NAME TICKS EXITS" says the result; tests/bench reads it.
 */
#pragma once

#include "tests/guest/guest.h"

enum { BENCH_ROUNDS = 1000 };

/* Lapwing's leaf; reading it is an exit, which counts. Behind Hyper-V's leaves it is another. */
#ifndef BENCH_LEAF
#define BENCH_LEAF 0x40000011
#endif
static inline uint64_t vm_exits(void)
{
    struct cpuid count = cpuid(BENCH_LEAF, 0);
    return (uint64_t)count.ebx << 32 | count.eax;
}

static inline void bench_report(const char *name, uint64_t ticks, uint64_t exits)
{
    printf("# bench %s %llu %llu.%02llu\n", name,
           (unsigned long long)(ticks + BENCH_ROUNDS / 2) / BENCH_ROUNDS,
           (unsigned long long)exits / BENCH_ROUNDS, (unsigned long long)exits % BENCH_ROUNDS / 10);
}

/* The statement again and again, the loop around it included. */
#define BENCH(name, statement)                                                                     \
    do {                                                                                           \
        uint64_t exits_ = vm_exits(), start_ = rdtsc();                                            \
        for (unsigned i_ = 0; i_ < BENCH_ROUNDS; i_++)                                             \
            statement;                                                                             \
        uint64_t ticks_ = rdtsc() - start_;                                                        \
        bench_report(name, ticks_, vm_exits() - exits_ - 1);                                       \
    } while (0)

/* The ticks of the first statement, RDTSC included; the exits of both. */
#define BENCH_FIRST(name, statement, afterwards)                                                   \
    do {                                                                                           \
        uint64_t exits_ = vm_exits(), ticks_ = 0;                                                  \
        for (unsigned i_ = 0; i_ < BENCH_ROUNDS; i_++) {                                           \
            uint64_t start_ = rdtsc();                                                             \
            statement;                                                                             \
            ticks_ += rdtsc() - start_;                                                            \
            afterwards;                                                                            \
        }                                                                                          \
        bench_report(name, ticks_, vm_exits() - exits_ - 1);                                       \
    } while (0)
