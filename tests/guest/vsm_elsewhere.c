/* SPDX-License-Identifier: BSD-2-Clause */
/* What a Virtual Trust Level does to processors that run elsewhere: their registers, and the rights
   that they are just using. */
// hyperv: on
// vtls: 2
// vcpus: 2
// variant: four vcpus=4
// time_limit: 30s
#include "tests/guest/lib/smp.h"
#include "tests/guest/lib/vsm.h"

enum {
    SELF = HV_VP_SELF,
    LOWER = HV_USE_TARGET_VTL,
    REG_RBX = 0x20003,
    REG_R12 = 0x2000c,
    REG_RIP = 0x20010,
    REG_RFLAGS = 0x20011,
    REG_CR3 = 0x40002,
    REG_GS = 0x60005,
    REG_LSTAR = 0x80009,
    REG_VP_INDEX = 0x90003,
    REG_SINT1 = 0xa0001,
    REG_PARTITION_CONFIG = 0xd0007,
    REG_VP_STATUS = 0xd0003,
    CONFIG_ON = 1 | VSM_RWX << 1 | 1 << 5,
    ROUNDS = 40,
    PAGES = 8,
};

static volatile unsigned status;
static struct hv_vp_context *parameters;

static void enable_on(uintptr_t cpu)
{
    vsm_fill_context(parameters, (unsigned)cpu, 1);
    status = vsm_enable_vp(parameters);
}

/* ---- Registers ---- */

static volatile unsigned spinning, left;
static volatile uint64_t rbx_at_end, r12_at_end;
extern char spin_here[], spin_end[];

/* Never ends by itself. */
static void spin(uintptr_t unused)
{
    uint64_t rbx = 0x1111, r12 = 0x2222;
    (void)unused;
    asm volatile("mov %2, %%rbx; mov %3, %%r12; movl $1, spinning\n"
                 ".globl spin_here, spin_end\n"
                 "spin_here: pause; jmp spin_here\n"
                 "spin_end: mov %%rbx, %0; mov %%r12, %1"
                 : "=m"(rbx_at_end), "=m"(r12_at_end)
                 : "r"(rbx), "r"(r12)
                 : "rbx", "r12", "memory");
    left = 1;
}

static struct {
    unsigned status;
    uint64_t value[2];
} got[8];
static volatile uint64_t set_result;

static void take_hold(uintptr_t unused)
{
    static const uint32_t names[] = {REG_RIP,   REG_RBX,      REG_R12, REG_CR3,
                                     REG_LSTAR, REG_VP_INDEX, REG_GS,  REG_VP_STATUS};
    (void)unused;
    for (unsigned i = 0; i < 8; i++)
        got[i].status = vsm_get(1, LOWER, names[i], got[i].value);
    const struct hv_assignment list[] = {{.name = REG_RBX, .value = {0x3333}},
                                         {.name = REG_RIP, .value = {(uintptr_t)spin_end}},
                                         {.name = REG_R12, .value = {0x4444}}};
    status = vsm_set(1, LOWER, REG_RIP, 1ul << 60, 0);
    set_result = vsm_set_all(1, LOWER, list, 3);
}

static void registers(void)
{
    spinning = left = 0;
    cpu_begin(cpus[1], spin, 0);
    wait_for(&spinning, 1, 100);
    delay_us(200);
    vsm_run(take_hold, 0);
    for (unsigned i = 0; i < 8; i++)
        is_u64(got[i].status, HV_SUCCESS, "register %u of a processor that runs elsewhere", i);
    in_range(got[0].value[0], (uintptr_t)spin_here, (uintptr_t)spin_end - 1, "its RIP");
    is_u64(got[1].value[0], 0x1111, "its RBX");
    is_u64(got[2].value[0], 0x2222, "its R12");
    is_u64(got[3].value[0], read_cr3(), "its CR3");
    is_u64(got[5].value[0], 1, "its VP index");
    is_u64(got[7].value[0], 3ul << 16, "its VTLs");
    is_u64(status, HV_INVALID_REGISTER_VALUE, "a RIP that it cannot have");
    is_u64(set_result, 3ul << 32, "setting three registers");
    is_u64(wait_for(&left, 1, 100), true, "it is where it was sent");
    cpu_wait(cpus[1]);
    is_u64(rbx_at_end, 0x3333, "with the RBX that was set");
    is_u64(r12_at_end, 0x4444, "and R12");
}

static void wrong_ones(uintptr_t unused)
{
    uint64_t value[2];
    (void)unused;
    got[0].status = vsm_set(1, LOWER, REG_SINT1, 0x10055, 0);
    got[1].status = vsm_get(1, 0, REG_RIP, value);
    got[2].status = vsm_set(1, 0, REG_LSTAR, 0x5000, 0);
    got[3].status = vsm_get(cpu_count, LOWER, REG_RIP, value);
    got[4].status = cpu_count > 2 ? vsm_get(2, 0, REG_RIP, value) : HV_INVALID_VTL_STATE;
}

/* ---- Rights that are taken away while they are used ---- */

static uint64_t pages[PAGES][PAGE_SIZE / 8] __attribute__((aligned(PAGE_SIZE)));
static uint8_t *messages[VSM_CPUS];
static volatile unsigned intercepts[VSM_CPUS], go_on, writing;
static volatile bool stop;

/* VTL1 of the processor that was refused holds it until the other one gives the rights back. */
static void on_intercept(struct trap_frame *frame)
{
    unsigned cpu = 0;
    (void)frame;
    while (vsm_self() != vsm_level(cpu, 1))
        cpu++;
    intercepts[cpu]++;
    while (!go_on)
        pause();
    *(volatile uint32_t *)messages[cpu] = 0;
    lapic_eoi();
}

static void set_up(uintptr_t cpu)
{
    messages[cpu] = vsm_use_synic();
}

static void set_up_on(uintptr_t cpu)
{
    vsm_run(set_up, cpu);
}

static void write_always(uintptr_t cpu)
{
    __atomic_fetch_add(&writing, 1, __ATOMIC_SEQ_CST);
    while (!stop)
        for (unsigned i = 0; i < PAGES; i++)
            __atomic_fetch_add(&pages[i][cpu], 1, __ATOMIC_RELAXED);
}

static volatile unsigned late, refused;
static volatile bool whole;

static uint64_t sum(void)
{
    uint64_t all = 0;
    for (unsigned i = 0; i < PAGES; i++)
        for (unsigned cpu = 1; cpu < cpu_count; cpu++)
            all += __atomic_load_n(&pages[i][cpu], __ATOMIC_RELAXED);
    return all;
}

/* Takes the right to write away: from the call's return on nobody writes. */
static void flip(uintptr_t round)
{
    go_on = 0;
    refused += vsm_protect(pages, PAGES, round % 2 ? VSM_NONE : VSM_R) != HV_SUCCESS;
    uint64_t then = sum();
    delay_us(50 + 10 * (unsigned)round);
    late += sum() != then;
    refused += vsm_protect(pages, PAGES, VSM_RWX) != HV_SUCCESS;
    go_on = 1;
    uint64_t end = rdtsc() + 200 * tsc_per_ms();
    while (sum() == then && rdtsc() < end)
        pause();
    whole = whole && sum() != then;
}

static void configure(uintptr_t unused)
{
    set_up(unused);
    status = vsm_set((uint32_t)SELF, 0, REG_PARTITION_CONFIG, CONFIG_ON, 0);
}

static void rights(void)
{
    whole = true;
    vsm_run(configure, 0);
    is_u64(status, HV_SUCCESS, "VTL1 protects");
    for (unsigned cpu = 1; cpu < cpu_count; cpu++)
        cpu_call(cpus[cpu], set_up_on, cpu);
    for (unsigned cpu = 1; cpu < cpu_count; cpu++)
        cpu_begin(cpus[cpu], write_always, cpu);
    wait_for(&writing, cpu_count - 1, 100);
    for (unsigned round = 0; round < ROUNDS; round++)
        vsm_run(flip, round);
    stop = true;
    for (unsigned cpu = 1; cpu < cpu_count; cpu++)
        cpu_wait(cpus[cpu]);
    is_u64(refused, 0, "changing rights while others use them");
    is_u64(late, 0, "nobody writes once the right is gone");
    ok(whole, "each goes on when it is back");
    unsigned others = intercepts[1] + intercepts[2] + intercepts[3];
    in_range(others, ROUNDS / 2, 100 * ROUNDS, "the other processors were refused");
    is_u64(intercepts[0], 0, "the own one was not");
}

/* ---- Two processors that change rights at once ---- */

static void change_own(uintptr_t cpu)
{
    for (unsigned i = 0; i < 100; i++) {
        refused += vsm_protect(pages[2 * cpu], 2, i % 2 ? VSM_R : VSM_RWX) != HV_SUCCESS;
        refused += vsm_protect(pages[0], PAGES, VSM_RWX) != HV_SUCCESS;
    }
    vsm_protect(pages[2 * cpu], 2, VSM_RWX);
}

static void change_in_vtl1(uintptr_t cpu)
{
    vsm_run(change_own, cpu);
}

static void at_once(void)
{
    go_on = 1;
    refused = 0;
    cpu_begin(cpus[1], change_in_vtl1, 1);
    change_in_vtl1(0);
    cpu_wait(cpus[1]);
    is_u64(refused, 0, "two processors change rights at once");
    for (unsigned i = 0; i < PAGES; i++)
        pages[i][0] = 1;
    is_u64(intercepts[0], 0, "all is allowed at the end");
}

void test_main(void)
{
    parameters = page_alloc();
    set_handler(VSM_INTERCEPT_VECTOR, on_intercept);
    smp_start();
    cli();
    vsm_begin();
    vsm_enable(1);
    vsm_run(enable_on, 1);
    is_u64(status, HV_SUCCESS, "VTL1 on both processors");
    registers();
    vsm_run(wrong_ones, 0);
    is_u64(got[0].status, HV_INVALID_PARAMETER, "a synthetic register elsewhere is not set");
    is_u64(got[1].status, HV_SUCCESS, "VTL1's own registers elsewhere are read");
    is_u64(got[2].status, HV_SUCCESS, "and set");
    is_u64(got[3].status, HV_INVALID_VP_INDEX, "a processor that does not exist");
    is_u64(got[4].status, HV_INVALID_VTL_STATE, "one that does not have VTL1");
    for (unsigned cpu = 2; cpu < cpu_count; cpu++)
        vsm_run(enable_on, cpu);
    rights();
    at_once();
}
