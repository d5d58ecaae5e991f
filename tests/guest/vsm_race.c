/* SPDX-License-Identifier: BSD-2-Clause */
/* Processors that enable a Virtual Trust Level at once: one is the first, the others are refused.
 */
// hyperv: on
// vtls: 2
// vcpus: 4
#include "tests/guest/lib/smp.h"
#include "tests/guest/lib/vsm.h"

enum { PROCESSORS = 4 };

static struct hv_vp_context *parameters[PROCESSORS];
static volatile unsigned partition_status[PROCESSORS], vp_status[PROCESSORS], ready, entered;

static unsigned number(void)
{
    unsigned n = 0;
    while (cpus[n] != this_cpu())
        n++;
    return n;
}

static void meet(unsigned count)
{
    __atomic_fetch_add(&ready, 1, __ATOMIC_SEQ_CST);
    while (ready < count)
        pause();
}

static void try_both(uintptr_t unused)
{
    unsigned me = number();
    (void)unused;
    meet(PROCESSORS);
    partition_status[me] = vsm_enable_partition(1, 0);
    meet(2 * PROCESSORS);
    vp_status[me] = vsm_enable_vp(parameters[me]);
}

static unsigned with(const volatile unsigned *statuses, unsigned status)
{
    unsigned n = 0;
    for (unsigned i = 0; i < PROCESSORS; i++)
        n += statuses[i] == status;
    return n;
}

static void enter(uintptr_t first)
{
    entered = 1;
    for (unsigned i = 0; i < PROCESSORS; i++)
        if (i != first)
            vp_status[i] = vsm_enable_vp(parameters[i]);
}

static void in_vtl1(uintptr_t first)
{
    vsm_run(enter, first);
}

void test_main(void)
{
    smp_start();
    vsm_begin();
    for (unsigned i = 0; i < PROCESSORS; i++) {
        parameters[i] = page_alloc();
        vsm_fill_context(parameters[i], i, 1);
    }
    cpu_call_all(try_both, 0);
    is_u64(with(partition_status, HV_SUCCESS), 1, "one enables the partition's VTL1");
    is_u64(with(partition_status, HV_INVALID_VTL_STATE), PROCESSORS - 1, "the others come late");
    is_u64(with(vp_status, HV_SUCCESS), 1, "one takes VTL1 for its processor");
    is_u64(with(vp_status, HV_ACCESS_DENIED), PROCESSORS - 1, "which the others then may not");
    unsigned first = 0;
    while (vp_status[first] != HV_SUCCESS)
        first++;
    cpu_call(cpus[first], in_vtl1, first);
    is_u64(entered, 1, "the first one has it");
    is_u64(with(vp_status, HV_SUCCESS), PROCESSORS, "and gives it to the others");
}
