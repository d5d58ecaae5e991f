/* SPDX-License-Identifier: BSD-2-Clause */
/* What Virtual Trust Levels cost: TSC ticks, the mean of many. Under an emulator that counts
   instructions these are exact. */
// hyperv: on
// vtls: 2
// time_limit: 60s
#include "tests/guest/lib/vsm.h"

enum { ROUNDS = 1000 };

/* VTL1 does nothing but return, and leaves all registers alone. */
asm(".pushsection .text\n"
    "return_at_once:\n\t"
    "mov $1, %eax\n\t"
    "mov $0x12, %ecx\n\t"
    "vmcall\n\t"
    "jmp return_at_once\n"
    ".popsection");
extern char return_at_once[];

static void report(const char *name, uint64_t ticks)
{
    printf("# bench %s %llu\n", name, (unsigned long long)ticks / ROUNDS);
}

void test_main(void)
{
    struct hv_vp_context *parameters = page_alloc();
    plan(1);
    vsm_begin();
    if (vsm_enable_partition(1, 0) != HV_SUCCESS)
        bail_out("no VTL1");
    vsm_fill_context(parameters, 0, 1);
    parameters->initial.rip = (uintptr_t)return_at_once;
    if (vsm_enable_vp(parameters) != HV_SUCCESS)
        bail_out("no VTL1 on the processor");
    uint64_t start = rdtsc();
    for (unsigned i = 0; i < ROUNDS; i++)
        vtl_call();
    report("vtl_call_and_return", rdtsc() - start);
    ok(true, "measured");
}
