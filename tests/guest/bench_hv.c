/* SPDX-License-Identifier: BSD-2-Clause */
/* What Hyper-V's interface costs: TSC ticks, the mean of many. Under an emulator that counts
   instructions these are exact. */
// hyperv: on
// vcpus: 4
// time_limit: 60s
#include "tests/guest/lib/hv.h"
#include "tests/guest/lib/smp.h"

enum { ROUNDS = 1000, SPIN_WAIT = 0x08, SEND_IPI = 0x0b, FLUSH_SPACE = 0x02, VECTOR = 0x61 };

static uint64_t in[4] __attribute__((aligned(64)));

/* The others are halted: they take the interrupt, or flush, later or not at all. */
static void measure(const char *name, uint64_t input, uint64_t rdx, uint64_t r8)
{
    uint64_t start = rdtsc();
    for (unsigned i = 0; i < ROUNDS; i++)
        hv_call(input, rdx, r8);
    printf("# bench %s %lu\n", name, (unsigned long)((rdtsc() - start) / ROUNDS));
    smp_sync();
}

static void measure_msr(const char *name, uint32_t msr)
{
    uint64_t start = rdtsc();
    for (unsigned i = 0; i < ROUNDS; i++)
        rdmsr(msr);
    printf("# bench %s %lu\n", name, (unsigned long)((rdtsc() - start) / ROUNDS));
}

void test_main(void)
{
    plan(1);
    idle_halts = true;
    smp_start();
    set_handler(VECTOR, count_ipi);
    wrmsr(HV_MSR_GUEST_OS_ID, HV_TEST_OS_ID);
    measure("hypercall_by_registers", SPIN_WAIT | HV_FAST, 0, 0);
    measure("hypercall_by_memory", SPIN_WAIT, (uintptr_t)in, 0);
    measure("pv_ipi_to_nobody", SEND_IPI | HV_FAST, VECTOR, 0);
    measure("pv_ipi_to_one", SEND_IPI | HV_FAST, VECTOR, 2);
    measure("pv_ipi_to_three", SEND_IPI | HV_FAST, VECTOR, 0xe);
    in[1] = 3;
    measure("pv_flush_of_all", FLUSH_SPACE, (uintptr_t)in, 0);
    measure_msr("time_ref_count", HV_MSR_TIME_REF_COUNT);
    ok(true, "measured");
}
