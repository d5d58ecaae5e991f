/* SPDX-License-Identifier: BSD-2-Clause */
/* VTL calls and returns without end, while the timers of both levels run. */
// hyperv: on
// vtls: 2
// cmdline: 20000
// time_limit: 20s
// long_variant: million cmdline=1000000 time_limit=60s
#include "tests/guest/lib/vsm.h"

enum { VECTOR = 0x51, PERIOD_US = 700 };

static volatile unsigned ticks[2], lost;

static void on_timer(struct trap_frame *frame)
{
    (void)frame;
    ticks[vsm_self() != NULL]++;
    lapic_eoi();
}

static void start_timer(uintptr_t us)
{
    if (vsm_self()) {
        vsm_use_assist();
        lapic_enable();
    }
    lapic_timer_start(VECTOR | LVT_PERIODIC, (uint32_t)us);
}

static volatile unsigned calls;

static void count(uintptr_t expected)
{
    lost += calls != expected;
    calls++;
}

static unsigned number(const char *text)
{
    unsigned n = 0;
    while (*text >= '0' && *text <= '9')
        n = 10 * n + (unsigned)(*text++ - '0');
    return n;
}

void test_main(void)
{
    unsigned rounds = number(argument());
    struct vsm_level *vtl1 = vsm_level(0, 1);
    set_handler(VECTOR, on_timer);
    lapic_enable();
    lapic_ticks_per_ms();
    vsm_begin();
    vsm_enable(1);
    vsm_run(start_timer, PERIOD_US);
    start_timer(PERIOD_US + 100);
    sti();
    uint64_t start = rdtsc();
    for (unsigned i = 0; i < rounds; i++) {
        uint64_t rbx = i, r15 = ~(uint64_t)i;
        vtl1->argument = i;
        vtl1->function = count;
        asm volatile("mov %0, %%rbx\n\tmov %1, %%r15\n\t"
                     "xor %%eax, %%eax\n\tmov $0x11, %%ecx\n\tvmcall\n\t"
                     "mov %%rbx, %0\n\tmov %%r15, %1"
                     : "+r"(rbx), "+r"(r15)
                     :
                     : "rax", "rcx", "rbx", "r15", "memory");
        lost += rbx != i || r15 != ~(uint64_t)i;
    }
    uint64_t us = (rdtsc() - start) / (tsc_per_ms() / 1000);
    cli();
    is_u64(calls, rounds, "each call came to VTL1, once");
    is_u64(lost, 0, "in order, and with the registers that both levels share");
    /* One in twenty more than there is time for: the clocks were measured, not known. */
    in_range(ticks[0], us / (PERIOD_US + 100) / 2, us * 21 / 20 / (PERIOD_US + 100) + 2,
             "VTL0's timer");
    in_range(ticks[1], us / PERIOD_US / 2, us * 21 / 20 / PERIOD_US + 2, "VTL1's timer");
    is_u64(vtl1->entries[ENTRY_CALL] + vtl1->entries[0], rounds + 1, "VTL1's entries by call");
    in_range(vtl1->entries[ENTRY_INTERRUPT], 1, ticks[1], "VTL1's entries by interrupt");
}
