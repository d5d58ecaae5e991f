/* SPDX-License-Identifier: BSD-2-Clause */
/* The wake-up timer of each CPU: its local APIC timer. */
#include "core/assert.h"
#include "core/bits.h"
#include "core/interrupt.h"
#include "core/time.h"
#include "core/x86.h"
#include "drivers/host/local_apic.h"

enum { CALIBRATION_NS = 10000000 };

static uint64_t bus_hz; /* what the timer counts where it has no TSC-deadline mode, else 0 */

static uint64_t measure_bus_hz(void)
{
    uint64_t start = rdtsc();
    uint64_t duration = ns_to_tsc(CALIBRATION_NS);
    host_apic_timer_count(VECTOR_TIMER, UINT32_MAX);
    while (rdtsc() - start < duration)
        pause();
    uint32_t counted = UINT32_MAX - host_apic_timer_remaining();
    uint64_t passed = rdtsc() - start;
    host_apic_timer_count(VECTOR_TIMER, 0);
    return muldiv(counted, time_tsc_hz(), passed);
}

void timer_init(void)
{
    if (host_apic_has_tsc_deadline())
        return;
    bus_hz = measure_bus_hz();
    ASSERT(bus_hz != 0);
}

static __attribute__((noinline)) void program_count(uint64_t tsc_deadline)
{
    uint64_t now = rdtsc();
    uint64_t count = tsc_deadline > now ? muldiv(tsc_deadline - now, bus_hz, time_tsc_hz()) : 0;
    /* One more, as the division rounds down and 0 would stop the timer. */
    count = min(count, (uint64_t)UINT32_MAX - 1) + 1;
    host_apic_timer_count(VECTOR_TIMER, tsc_deadline == TIMER_NEVER ? 0 : (uint32_t)count);
}

void timer_program(uint64_t tsc_deadline)
{
    this_cpu()->deadline = tsc_deadline;
    if (bus_hz != 0)
        program_count(tsc_deadline);
    else if (tsc_deadline == TIMER_NEVER)
        host_apic_timer_deadline(0);
    else
        host_apic_timer_deadline(max(tsc_deadline, (uint64_t)1));
}

void timer_interrupt(void)
{
    this_cpu()->deadline = 0;
}
