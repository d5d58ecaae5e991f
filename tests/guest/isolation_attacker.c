/* SPDX-License-Identifier: BSD-2-Clause */
// group: isolation
// vcpus: 2
// time_limit: 30s
// cmdline: 3
// variant: second cmdline=5
/* Sends every kind of message that could reach another VM with the same APIC IDs, in both modes,
   and finds that each arrives in its own VM as often as it should: so no other VM's did. */
#include "tests/guest/lib/isolation.h"

enum { VECTOR = 0x61, AP = 1 << 1, BOTH = 3 };

static unsigned rounds;
static bool all_right;

static void round(uint32_t everyone)
{
    all_right &= sent_to(0, cpus[1]->apic_id, VECTOR, AP);
    all_right &= sent_to(1, everyone, VECTOR, BOTH);
    all_right &= sent_to(0, everyone, ICR_LOGICAL | VECTOR, BOTH);
    all_right &= sent_to(0, 0, ICR_ALL | VECTOR, BOTH);
    all_right &= sent_to(1, 0, ICR_OTHERS | VECTOR, 1);
    all_right &= sent_to(0, cpus[1]->apic_id, ICR_NMI, AP);
    all_right &= sent_to(0, 0, ICR_OTHERS | ICR_NMI, AP);
    all_right &= sent_to(1, everyone, ICR_NMI, BOTH);
    all_right &= smp_restart(0, ICR_OTHERS, AP, STARTUP_PAGE);
    rounds++;
}

static void attack(uint32_t everyone, const char *mode)
{
    uint64_t end = rdtsc() + ATTACK_MS / 2 * tsc_per_ms();
    all_right = true;
    rounds = 0;
    while (all_right && rdtsc() < end)
        round(everyone);
    ok(all_right && rounds > 0, "%s: each message arrived where and as often as it should", mode);
    printf("# %u rounds\n", rounds);
}

static void to_x2apic(uintptr_t argument)
{
    (void)argument;
    lapic_enter_x2apic();
}

void test_main(void)
{
    uint64_t mark = argument_number();
    mark_memory(mark);
    set_handler(VECTOR, count_ipi);
    smp_start();
    attack(0xff, "xAPIC");
    cpu_call_all(to_x2apic, 0);
    attack(0xffffffff, "x2APIC");
    check_memory(mark);
}
