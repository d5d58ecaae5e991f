/* SPDX-License-Identifier: BSD-2-Clause */
/* Time is the TSC: invariant, synchronous on all CPUs. And one wake-up timer per CPU. */
#pragma once

#include "core/cpu.h"
#include "core/types.h"
#include "core/x86.h"

#define NS_PER_SECOND 1000000000ull

/*
 * a * b / c without loss in between; UINT64_MAX when the result does not fit. c is not 0.
 */
static inline uint64_t muldiv(uint64_t a, uint64_t b, uint64_t c)
{
    uint64_t low, high, quotient, remainder;
    __asm__("mulq %3" : "=a"(low), "=d"(high) : "a"(a), "rm"(b) : "cc");
    if (high >= c)
        return UINT64_MAX;
    __asm__("divq %4" : "=a"(quotient), "=d"(remainder) : "a"(low), "d"(high), "rm"(c) : "cc");
    return quotient;
}

/* Takes the start of time, and the frequency: the processor's own word, else `measured_hz`. */
void time_init(uint64_t measured_hz);

uint64_t time_tsc_hz(void);

/* Host TSC now. */
static inline uint64_t time_now_tsc(void)
{
    return rdtsc();
}

/* Nanoseconds since time_init(); 0 before it. */
uint64_t time_now_ns(void);

/* Durations; saturate at UINT64_MAX. */
uint64_t tsc_to_ns(uint64_t duration);
uint64_t ns_to_tsc(uint64_t ns);

#define TIMER_NEVER UINT64_MAX

/*
 * Sets this CPU's timer: an interrupt at the host TSC value `tsc_deadline` (at once when it has
 * passed; TIMER_NEVER: none), which ends cpu_wait() and makes a VM exit. Without TSC-deadline mode
 * it comes a little early, or much when the deadline is far: compare with the clock, and set it
 * again. One deadline at a time; a new one replaces it, and costs nothing if it is the same. Fires
 * once. An interrupt of a deadline before may still come. Needs interrupt_init_cpu().
 */
void timer_program(uint64_t tsc_deadline);
static inline void timer_set(uint64_t tsc_deadline)
{
    if (tsc_deadline != this_cpu()->deadline)
        timer_program(tsc_deadline);
}

/* The timer's interrupt. Registered by interrupt_init(). */
void timer_interrupt(void);

/* Finds out how the timer counts. Called by interrupt_init(). */
void timer_init(void);
