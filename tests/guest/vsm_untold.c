/* SPDX-License-Identifier: BSD-2-Clause */
/* A processor without VTL1 reaches for what VTL1 of another one denies: nobody can be told, and the
   VM stops. */
// hyperv: on
// vtls: 2
// vcpus: 2
// expect: error
#include "tests/guest/lib/smp.h"
#include "tests/guest/lib/vsm.h"

enum {
    SELF = HV_VP_SELF,
    REG_PARTITION_CONFIG = 0xd0007,
    CONFIG_ON = 1 | VSM_RWX << 1 | 1 << 5,
    GPA_INTERCEPT = (int)0x80000001,
};

static uint8_t page[PAGE_SIZE] __attribute__((aligned(PAGE_SIZE)));
static volatile uint32_t *slot;
static volatile unsigned status[2], told;

static void on_intercept(struct trap_frame *frame)
{
    (void)frame;
    told += *slot == (uint32_t)GPA_INTERCEPT;
    vsm_protect(page, 1, VSM_R);
    *slot = 0;
    lapic_eoi();
}

static void start(uintptr_t unused)
{
    (void)unused;
    slot = (void *)vsm_use_synic();
    status[0] = vsm_set((uint32_t)SELF, 0, REG_PARTITION_CONFIG, CONFIG_ON, 0);
    status[1] = vsm_protect(page, 1, VSM_NONE);
}

static volatile uint8_t seen;

static void read(uintptr_t unused)
{
    (void)unused;
    seen = *(volatile uint8_t *)page;
}

static void write(uintptr_t unused)
{
    (void)unused;
    *(volatile uint8_t *)page = 1;
}

void test_main(void)
{
    plan(5);
    memset(page, 0x5a, sizeof(page));
    set_handler(VSM_INTERCEPT_VECTOR, on_intercept);
    smp_start();
    vsm_begin();
    vsm_enable(1);
    vsm_run(start, 0);
    is_u64(status[0] | status[1], HV_SUCCESS, "VTL1 of one processor denies a page");
    read(0);
    is_u64(told, 1, "it is told of an access on its processor");
    cpu_call(cpus[1], read, 0);
    is_u64(seen, 0x5a, "the other one, without VTL1, reads what may be read");
    is_u64(told, 1, "of which nobody is told");
    ok(true, "about to write there");
    cpu_call(cpus[1], write, 0);
    ok(false, "the guest survived");
}
