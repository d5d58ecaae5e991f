/* SPDX-License-Identifier: BSD-2-Clause */
// group: isolation
// expect: triple fault
/* Crashes while others run beside it. They end later: their own results say how. */
#include "tests/guest/lib/isolation.h"

void test_main(void)
{
    uint64_t end = rdtsc() + CRASH_MS * tsc_per_ms();
    plan(1);
    mark_memory(7);
    while (rdtsc() < end)
        pause();
    ok(true, "about to crash");
    lidt(idt, 0);
    asm volatile("ud2");
}
