/* SPDX-License-Identifier: BSD-2-Clause */
/* What Hyper-V's interface costs on one processor, by TSC ticks. PV IPIs: bench_vsm.c. */
// hyperv: on
// time_limit: 60s
#define BENCH_LEAF 0x40000111

#include "tests/guest/lib/bench.h"
#include "tests/guest/lib/hv.h"

enum { SPIN_WAIT = 0x08, FLUSH_SPACE = 0x02, SIGNAL_EVENT = 0x5d, SINT_POLLING = 1 << 18 };

void test_main(void)
{
    uint64_t *in = page_alloc();

    plan(1);
    wrmsr(HV_MSR_GUEST_OS_ID, HV_TEST_OS_ID);
    wrmsr(HV_MSR_SIEFP, (uintptr_t)page_alloc() | 1);
    wrmsr(HV_MSR_SINT0 + 2, SINT_POLLING | 0x50);
    wrmsr(HV_MSR_SCONTROL, 1);
    in[1] = 3;
    BENCH("hypercall_by_registers", hv_call(SPIN_WAIT | HV_FAST, 0, 0));
    BENCH("hypercall_by_memory", hv_call(SPIN_WAIT, (uintptr_t)in, 0));
    BENCH("pv_flush_of_itself", hv_call(FLUSH_SPACE, (uintptr_t)in, 0));
    BENCH("signal_event", hv_call(SIGNAL_EVENT | HV_FAST, 2, 0));
    BENCH("reference_counter", rdmsr(HV_MSR_TIME_REF_COUNT));
    BENCH("synthetic_timer_write", wrmsr(HV_MSR_STIMER0_COUNT, ~0ull));
    ok(true, "measured");
}
