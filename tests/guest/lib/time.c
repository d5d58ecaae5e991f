/* SPDX-License-Identifier: BSD-2-Clause */
/* Waiting, with the ACPI PM timer as the reference clock. */
#include "tests/guest/guest.h"

enum {
    PM_TIMER_MASK = 0xffffff,
    CALIBRATION_MS = 10,
};

uint32_t pm_timer(void)
{
    return inl(PM_TIMER_PORT) & PM_TIMER_MASK;
}

static void wait_pm_ticks(uint32_t ticks)
{
    uint32_t start = pm_timer();
    while (((pm_timer() - start) & PM_TIMER_MASK) < ticks)
        pause();
}

uint64_t tsc_per_ms(void)
{
    static uint32_t measured;
    if (!measured) {
        uint64_t start = rdtsc();
        wait_pm_ticks(PM_TIMER_HZ / 1000 * CALIBRATION_MS);
        measured = (uint32_t)(rdtsc() - start) / CALIBRATION_MS;
    }
    return measured;
}

void delay_us(unsigned microseconds)
{
    while (microseconds > 100000) {
        wait_pm_ticks(PM_TIMER_HZ / 10);
        microseconds -= 100000;
    }
    wait_pm_ticks(microseconds * 3 + microseconds / 2 + microseconds / 12);
}

bool wait_for(const volatile unsigned *value, unsigned wanted, unsigned timeout_ms)
{
    for (unsigned waited = 0; waited < timeout_ms * 20; waited++) {
        if (*value >= wanted)
            return true;
        delay_us(50);
    }
    return *value >= wanted;
}
