/* SPDX-License-Identifier: BSD-2-Clause */
/* Puts its local APIC into a known state and spins with interrupts disabled; an NMI makes it say
   how long the longest pause was that it saw. For tests/runner/monitor.py. */
#include "tests/guest/guest.h"

enum { PENDING = 0x31, ABOVE = 0x62, TIMER = 0x51, PRIORITY = 0x40 };

static void on_nmi(struct trap_frame *frame)
{
    (void)frame;
    trap_count[NMI]++;
}

void test_main(void)
{
    uint64_t longest = 0, last = rdtsc();
    unsigned taken = 0;

    set_handler(NMI, on_nmi);
    lapic_enable();
    lapic_write(LAPIC_LVT_TIMER, LVT_MASKED | LVT_PERIODIC | TIMER);
    lapic_write(LAPIC_TIMER_DIVIDE, DIVIDE_BY_1);
    lapic_write(LAPIC_TIMER_INITIAL, UINT32_MAX);
    lapic_write(LAPIC_TPR, PRIORITY);
    cli();
    lapic_write(LAPIC_ICR, ICR_SELF | PENDING);
    lapic_write(LAPIC_ICR, ICR_SELF | ABOVE);
    printf("ready\n");
    for (;;) {
        uint64_t now = rdtsc();

        if (now - last > longest)
            longest = now - last;
        last = now;
        if (trap_count[NMI] == taken)
            continue;
        taken = trap_count[NMI];
        printf("NMI %u, longest pause %u ms\n", taken, (unsigned)(longest / tsc_per_ms()));
        longest = 0;
        last = rdtsc();
    }
}
