/* SPDX-License-Identifier: BSD-2-Clause */
// apic: yes
/* HLT sleeps until an interrupt that can be delivered, and goes on behind itself. */
#include "tests/guest/guest.h"

enum {
    VECTOR = 0x50,
    BLOCKED_VECTOR = 0x30,
    SLEEP_US = 2000,
};

static volatile uintptr_t interrupted_ip;

static void on_interrupt(struct trap_frame *frame)
{
    count_trap(frame);
    interrupted_ip = frame->ip;
    lapic_eoi();
}

/* STI, HLT, and the address behind HLT. */
static uintptr_t sleep(void)
{
    uintptr_t behind;
    asm volatile("lea 1f(%%rip), %0; sti; hlt; 1: cli" : "=&r"(behind) : : "memory");
    return behind;
}

static void timer_wakes(void)
{
    uint64_t ms = tsc_per_ms();
    lapic_timer_start(VECTOR, SLEEP_US);
    uint64_t start = rdtsc();
    uintptr_t behind = sleep();
    uint64_t slept = rdtsc() - start;
    is_u64(trap_count[VECTOR], 1, "the timer woke HLT");
    is_u64(interrupted_ip, behind, "the interrupt returns behind HLT");
    in_range(slept, ms * SLEEP_US / 1000 / 2, ms * SLEEP_US / 1000 * 2, "HLT slept that long");
}

static void pending_wakes_at_once(void)
{
    trap_count[VECTOR] = 0;
    self_ipi(VECTOR);
    uintptr_t behind = sleep();
    is_u64(trap_count[VECTOR], 1, "a pending interrupt ends HLT at once");
    is_u64(interrupted_ip, behind, "but STI's shadow lets HLT begin");
}

static void blocked_does_not_wake(void)
{
    trap_count[VECTOR] = trap_count[BLOCKED_VECTOR] = 0;
    write_cr8(4);
    self_ipi(BLOCKED_VECTOR);
    lapic_timer_start(VECTOR, SLEEP_US);
    sleep();
    is_u64(trap_count[VECTOR], 1, "the timer woke HLT");
    is_u64(trap_count[BLOCKED_VECTOR], 0, "an interrupt below the task priority did not");
    write_cr8(0);
    sti_nop();
    cli();
    is_u64(trap_count[BLOCKED_VECTOR], 1, "it comes once the priority is lowered");
}

static void many_times(void)
{
    enum { ROUNDS = 50 };
    trap_count[VECTOR] = 0;
    lapic_timer_start(VECTOR | LVT_PERIODIC, 200);
    for (unsigned i = 0; i < ROUNDS; i++)
        sleep();
    lapic_timer_stop();
    is_u64(trap_count[VECTOR], ROUNDS, "a periodic timer wakes HLT every time");
}

static void user_hlt(uintptr_t unused)
{
    (void)unused;
    asm volatile("hlt");
}

void test_main(void)
{
    set_handler(VECTOR, on_interrupt);
    set_handler(BLOCKED_VECTOR, on_interrupt);
    lapic_enable();
    timer_wakes();
    pending_wakes_at_once();
    blocked_does_not_wake();
    many_times();
    allow_user();
    is_fault(enter_user(user_hlt, 0), GP, 0, "HLT at CPL 3");
}
