/* SPDX-License-Identifier: BSD-2-Clause */
/* A TLB that VTL1 has locked: flushes of VTL0 on other processors wait, again and again. */
// hyperv: on
// vtls: 2
// vcpus: 2
// time_limit: 20s
#include "tests/guest/lib/smp.h"
#include "tests/guest/lib/vsm.h"

enum {
    SELF = HV_VP_SELF,
    REG_SECURE_CONFIG = 0xd0010,
    REG_WAIT_FOR_TLB_LOCK = 0xd0020,
    LOCKED = 1 << 1,
    FLUSH_SPACE = 0x02,
    ALL = 3,
    ROUNDS = 10,
    HOLD_US = 2500, /* Bochs 3.0 lets a processor that has interrupts off hear of others each ms */
};

static volatile unsigned status, flushed, early, late;
static volatile bool by_register;

static void flush_all(uintptr_t unused)
{
    (void)unused;
    status = hv_call(FLUSH_SPACE | HV_FAST, 0, ALL) & 0xffff;
    flushed++;
}

/* VTL1: locks, lets the other processor begin to flush, and looks whether it comes to an end. */
static void hold(uintptr_t us)
{
    unsigned before = flushed;
    vsm_set((uint32_t)SELF, 0, REG_SECURE_CONFIG, LOCKED, 0);
    cpu_begin(cpus[1], flush_all, 0);
    uint64_t end = rdtsc() + us * tsc_per_ms() / 1000;
    while (rdtsc() < end)
        pause();
    early += flushed - before;
    if (by_register) {
        vsm_set((uint32_t)SELF, 0, REG_SECURE_CONFIG, 0, 0);
        wait_for(&flushed, before + 1, 100);
        late += before + 1 - flushed;
    }
}

static void unknown(uintptr_t bits)
{
    status = vsm_set((uint32_t)SELF, 0, REG_SECURE_CONFIG, bits, 0);
}

/* ---- A VTL that is made to wait for the locks of others ---- */

static volatile unsigned held, released, waited_early;

static void hold_there(uintptr_t us)
{
    vsm_set((uint32_t)SELF, 0, REG_SECURE_CONFIG, LOCKED, 0);
    held = 1;
    delay_us((unsigned)us);
    released = 1;
    vsm_set((uint32_t)SELF, 0, REG_SECURE_CONFIG, 0, 0);
}

static void hold_on_1(uintptr_t us)
{
    vsm_run(hold_there, us);
}

static void let_wait(uintptr_t value)
{
    uint64_t set[2];
    status = vsm_set((uint32_t)SELF, HV_USE_TARGET_VTL, REG_WAIT_FOR_TLB_LOCK, value, 0);
    vsm_get((uint32_t)SELF, HV_USE_TARGET_VTL, REG_WAIT_FOR_TLB_LOCK, set);
    waited_early = set[0] != value;
}

static void enable_on_1(uintptr_t parameters)
{
    status = vsm_enable_vp((const struct hv_vp_context *)parameters);
}

static void waiting(void)
{
    struct hv_vp_context *parameters = page_alloc();
    uint64_t value[2];
    vsm_fill_context(parameters, 1, 1);
    vsm_run(enable_on_1, (uintptr_t)parameters);
    is_u64(status, HV_SUCCESS, "VTL1 on the other processor");
    vsm_run(let_wait, 1);
    is_u64(status, HV_SUCCESS, "VTL0 is to wait for locks, of which there is none");
    is_u64(waited_early, 0, "as the register says");
    vsm_get((uint32_t)SELF, 0, REG_WAIT_FOR_TLB_LOCK, value);
    is_u64(value[0], 0, "no more when VTL0 has come to run");
    is_u64(vsm_set((uint32_t)SELF, 0, REG_WAIT_FOR_TLB_LOCK, 1, 0), HV_INVALID_PARAMETER,
           "VTL0 does not make itself wait");
    for (unsigned wait = 0; wait < 2; wait++) {
        held = released = 0;
        cpu_begin(cpus[1], hold_on_1, 3 * HOLD_US);
        wait_for(&held, 1, 100);
        vsm_run(let_wait, wait);
        is_u64(released, wait,
               wait ? "VTL0 waits for the other processor's lock" : "and not unless it is told to");
        cpu_wait(cpus[1]);
    }
}

void test_main(void)
{
    smp_start();
    vsm_begin();
    vsm_enable(1);
    vsm_run(unknown, 1 << 4);
    is_u64(status, HV_INVALID_REGISTER_VALUE, "an unknown bit of the secure configuration");
    vsm_run(unknown, 1);
    is_u64(status, HV_INVALID_REGISTER_VALUE, "MBEC, which the partition's VTL1 does not have");
    flush_all(0);
    is_u64(status, HV_SUCCESS, "a flush without a lock");

    smp_idle(false); /* VTL1 cannot wake VTL0 of another processor */

    by_register = true;
    for (unsigned i = 0; i < ROUNDS; i++) {
        vsm_run(hold, HOLD_US + 70 * i);
        cpu_wait(cpus[1]);
    }
    is_u64(early, 0, "no flush ends while the TLB is locked");
    is_u64(late, 0, "each ends when VTL1 unlocks it");
    by_register = false;
    for (unsigned i = 0; i < ROUNDS; i++) {
        vsm_run(hold, HOLD_US + 70 * i);
        cpu_wait(cpus[1]);
    }
    is_u64(early, 0, "none ends before VTL1 returns");
    is_u64(flushed, 2 * ROUNDS + 1, "each ends after that");
    is_u64(status, HV_SUCCESS, "with success");
    waiting();
}
