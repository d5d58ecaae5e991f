/* SPDX-License-Identifier: BSD-2-Clause */
/* What Virtual Trust Levels cost: TSC ticks, the mean of many. Under an emulator with one processor
   that counts instructions these are exact. */
// hyperv: on
// vtls: 2
// vcpus: 4
// time_limit: 60s
#define BENCH_LEAF 0x40000111

#include "tests/guest/lib/bench.h"
#include "tests/guest/lib/smp.h"
#include "tests/guest/lib/vsm.h"

enum {
    TIMES = 50,
    REG_PARTITION_CONFIG = 0xd0007,
    CONFIG_ON = 1 | VSM_RWX << 1 | 1 << 5,
    SEND_IPI = 0x0b,
    VECTOR = 0x51,
    PAGES = 512,
    BATCH = 256,
};

/* At first VTL1 does nothing but return, and leaves all registers alone. */
static volatile uint8_t at_work __attribute__((used));
asm(".pushsection .text\n"
    "return_at_once:\n\t"
    "cmpb $0, at_work\n\t"
    "jne vsm_start\n\t"
    "mov $1, %eax\n\t"
    "mov $0x12, %ecx\n\t"
    "vmcall\n\t"
    "jmp return_at_once\n"
    ".popsection");
extern char return_at_once[];

static uint8_t pages[PAGES][PAGE_SIZE] __attribute__((aligned(PAGE_SIZE)));

/* Of fewer rounds. */
static void report(const char *name, uint64_t ticks, uint64_t exits)
{
    bench_report(name, ticks * BENCH_ROUNDS / TIMES, exits * BENCH_ROUNDS / TIMES);
}

/* ---- From an interrupt's time to VTL1's handling of it ---- */

static volatile uint64_t deadline, latency;

static void entered(void)
{
    latency += rdtsc() - deadline;
    deadline = 0;
    sti_nop();
    cli();
}

static void on_timer(struct trap_frame *frame)
{
    (void)frame;
    lapic_eoi();
}

static void arm(uintptr_t ticks)
{
    deadline = rdtsc() + ticks;
    wrmsr(MSR_TSC_DEADLINE, deadline);
}

static void set_up(uintptr_t unused)
{
    (void)unused;
    vsm_use_assist();
    lapic_enable();
    lapic_write(LAPIC_LVT_TIMER, VECTOR | LVT_TSC_DEADLINE);
    vsm_self()->entered = entered;
    vsm_set((uint32_t)HV_VP_SELF, 0, REG_PARTITION_CONFIG, CONFIG_ON, 0);
}

static void preemption(void)
{
    set_handler(VECTOR, on_timer);
    uint64_t exits = vm_exits();
    for (unsigned i = 0; i < TIMES; i++) {
        vsm_run(arm, 20000);
        while (deadline != 0)
            pause();
    }
    report("vtl_preemption", latency, vm_exits() - exits - 1);
}

/* ---- Protections ---- */

static volatile uint64_t spent, spent_exits;

static void protect(uintptr_t count)
{
    uint64_t exits = vm_exits(), start = rdtsc();
    for (unsigned i = 0; i < TIMES; i++)
        for (unsigned first = 0; first < count; first += BATCH)
            vsm_protect(pages[first], count < BATCH ? (unsigned)count : BATCH,
                        i % 2 ? VSM_RWX : VSM_R);
    spent = rdtsc() - start;
    spent_exits = vm_exits() - exits - 1;
}

static void protections(void)
{
    vsm_run(protect, PAGES); /* splits large pages */
    vsm_run(protect, 1);
    report("vtl_protect_1", spent, spent_exits);
    vsm_run(protect, PAGES);
    report("vtl_protect_512", spent, spent_exits);
}

void test_main(void)
{
    struct hv_vp_context *parameters = page_alloc();
    plan(1);
    smp_start();
    vsm_begin();
    if (vsm_enable_partition(1, 0) != HV_SUCCESS)
        bail_out("no VTL1");
    vsm_fill_context(parameters, 0, 1);
    parameters->initial.rip = (uintptr_t)return_at_once;
    if (vsm_enable_vp(parameters) != HV_SUCCESS)
        bail_out("no VTL1 on the processor");
    BENCH("vtl_call_and_return", vtl_call());
    at_work = 1;
    vsm_run(set_up, 0);
    preemption();
    protections();
    BENCH("pv_ipi_1", hv_call(SEND_IPI | HV_FAST, VECTOR, 1 << 1));
    BENCH("pv_ipi_all", hv_call(SEND_IPI | HV_FAST, VECTOR, 0xe));
    ok(true, "measured");
}
