/* SPDX-License-Identifier: BSD-2-Clause */
/* Three Virtual Trust Levels: calls and returns one by one, and what two of them deny a third. */
// hyperv: on
// vtls: 3
#include "tests/guest/lib/vsm.h"

enum {
    SELF = HV_VP_SELF,
    REG_VP_STATUS = 0xd0003,
    REG_PARTITION_STATUS = 0xd0004,
    REG_PARTITION_CONFIG = 0xd0007,
    CONFIG_ON = 1 | VSM_RWX << 1 | 1 << 5,
    VECTOR = 0x51,
};

static uint8_t page[3][PAGE_SIZE] __attribute__((aligned(2 << 20)));
static uint8_t *messages[3];
static volatile unsigned intercepts[3], taken[3];
static volatile uint32_t give[3]; /* the rights that a level gives when it is asked */

static unsigned level(void)
{
    const struct vsm_level *self = vsm_self();
    return self ? self->vtl : 0;
}

static void on_intercept(struct trap_frame *frame)
{
    uint8_t *slot = messages[level()];
    uint64_t gpa;
    (void)frame;
    memcpy(&gpa, slot + 16 + 56, sizeof(gpa));
    intercepts[level()]++;
    vsm_protect((void *)(gpa & -(uint64_t)PAGE_SIZE), 1, give[level()]);
    *(volatile uint32_t *)slot = 0;
    lapic_eoi();
}

static void on_interrupt(struct trap_frame *frame)
{
    (void)frame;
    taken[level()]++;
    lapic_eoi();
}

static volatile unsigned path[8], steps;

static void in_vtl2(uintptr_t unused)
{
    (void)unused;
    path[steps++] = 0x20 | level();
}

static void in_vtl1(uintptr_t unused)
{
    (void)unused;
    path[steps++] = 0x10 | level();
    vsm_run(in_vtl2, 0);
    path[steps++] = 0x10 | level();
}

static volatile unsigned status;

static void set_up(uintptr_t unused)
{
    (void)unused;
    messages[level()] = vsm_use_synic();
    status = vsm_set((uint32_t)SELF, 0, REG_PARTITION_CONFIG, CONFIG_ON, 0);
}

static void enable_vtl2(uintptr_t unused)
{
    (void)unused;
    vsm_enable(2);
    set_up(0);
    vsm_run(set_up, 0);
}

static void protect(uintptr_t flags)
{
    status = vsm_protect(page, 3, (uint32_t)flags);
}

static void protect_from_vtl2(uintptr_t flags)
{
    vsm_run(protect, flags);
}

static volatile uint8_t seen;

static void read_in_vtl1(uintptr_t at)
{
    seen = *(volatile uint8_t *)at;
}

static void ipi_in_vtl2(uintptr_t unused)
{
    (void)unused;
    lapic_timer_start(VECTOR, 300);
}

static void timer_in_vtl2(uintptr_t unused)
{
    vsm_run(ipi_in_vtl2, unused);
}

static void memory(void)
{
    vsm_run(protect_from_vtl2, VSM_R);
    vsm_run(protect, VSM_R | VSM_W);
    give[1] = give[2] = VSM_R | VSM_W;
    *(volatile uint8_t *)page[0] = 1;
    is_u64(intercepts[2], 1, "what VTL2 denies is VTL2's to judge");
    is_u64(intercepts[1], 0, "though VTL1 allows it");

    vsm_run(protect_from_vtl2, VSM_NONE);
    vsm_run(protect, VSM_NONE);
    seen = *(volatile uint8_t *)page[1];
    is_u64(intercepts[1], 1, "what both deny is VTL1's to judge first");
    is_u64(intercepts[2], 2, "then VTL2's");

    vsm_run(protect_from_vtl2, VSM_NONE);
    vsm_run(read_in_vtl1, (uintptr_t)page[2]);
    is_u64(intercepts[2], 3, "VTL2 denies VTL1, too");
    is_u64(intercepts[1], 1, "which is not VTL1's own to judge");
    is_u64(seen, 0x5a, "and allows it then");

    vsm_run(protect, VSM_NONE);
    vsm_run(read_in_vtl1, (uintptr_t)page[2]);
    is_u64(intercepts[1], 1, "VTL1 does not deny itself");
}

void test_main(void)
{
    uint64_t value[2];
    memset(page, 0x5a, sizeof(page));
    set_handler(VSM_INTERCEPT_VECTOR, on_intercept);
    set_handler(VECTOR, on_interrupt);
    vsm_begin();
    vsm_enable(1);
    vsm_run(enable_vtl2, 0);
    is_u64(status, HV_SUCCESS, "VTL2 protects");
    is_u64(vsm_get((uint32_t)SELF, 0, REG_VP_STATUS, value), HV_SUCCESS, "the processor's status");
    is_u64(value[0], 7ul << 16, "VTL0 is active, three are enabled");
    vsm_get((uint32_t)SELF, 0, REG_PARTITION_STATUS, value);
    is_u64(value[0], 7 | 2 << 16, "the partition has three");
    vsm_run(in_vtl1, 0);
    ok(steps == 3 && path[0] == 0x11 && path[1] == 0x22 && path[2] == 0x11,
       "calls and returns go one level at a time");
    memory();
    vsm_run(timer_in_vtl2, 0);
    wait_for(&taken[2], 1, 100);
    is_u64(taken[2], 1, "VTL2's timer preempts VTL0");
    is_u64(taken[0] + taken[1], 0, "and nobody else takes it");
    is_u64(vsm_level(0, 1)->entries[ENTRY_INTERRUPT], 2, "VTL1 was entered for its intercept only");
}
