/* SPDX-License-Identifier: BSD-2-Clause */
/* Interrupts of two Virtual Trust Levels: whose they are, when they preempt and when they wait. */
// hyperv: on
// vtls: 2
// vcpus: 2
// variant: emulated tpr_shadow=off
// time_limit: 4s
#include "tests/guest/lib/smp.h"
#include "tests/guest/lib/vsm.h"

enum {
    VECTOR = 0x51,
    VECTOR_TIMER = 0x52,
    VECTOR_STIMER = 0x53,
    VECTOR_VINA = 0x70,
    REG_VINA = 0xd0005,
    VINA_ENABLED = 1 << 8,
    VINA_AUTO_RESET = 1 << 9,
    ASSIST_VINA = 0x0c,
    DIRECT = 1 << 12,
    STIMER_ENABLED = 1 << 0,
    US = 10, /* of reference time */
};

static volatile unsigned taken[2][256]; /* by level, on any processor */

static void on_interrupt(struct trap_frame *frame)
{
    taken[vsm_self() != NULL][frame->vector]++;
    lapic_eoi();
}

static void forget(void)
{
    for (unsigned i = 0; i < 256; i++)
        taken[0][i] = taken[1][i] = 0;
}

static void took(unsigned vector, unsigned in_vtl0, unsigned in_vtl1, const char *what)
{
    is_u64(taken[0][vector], in_vtl0, "%s: taken by VTL0", what);
    is_u64(taken[1][vector], in_vtl1, "%s: taken by VTL1", what);
}

static struct vsm_level *vtl1(void)
{
    return vsm_level(0, 1);
}

/* Interrupts on until one that is under way has come. */
static void let_in(const volatile unsigned *count)
{
    sti();
    wait_for(count, 1, 100);
    cli();
}

/* ---- In VTL1 ---- */

static volatile uint32_t first[5];

static void look(uintptr_t unused)
{
    (void)unused;
    first[0] = lapic_read(LAPIC_ID);
    first[1] = lapic_read(LAPIC_SVR);
    first[2] = (uint32_t)rdmsr(MSR_APIC_BASE);
    first[3] = lapic_read(LAPIC_VERSION);
    first[4] = lapic_read(LAPIC_TPR);
    vsm_use_assist();
    lapic_enable();
}

static void self_ipi_in_vtl1(uintptr_t unused)
{
    (void)unused;
    self_ipi(VECTOR);
}

static void set_tpr(uintptr_t tpr)
{
    lapic_write(LAPIC_TPR, (uint32_t)tpr);
}

static void timer_in_vtl1(uintptr_t us)
{
    lapic_timer_start(VECTOR_TIMER, (uint32_t)us);
}

static void stimer(unsigned us)
{
    wrmsr(HV_MSR_STIMER0_CONFIG, 0);
    wrmsr(HV_MSR_STIMER0_COUNT, rdmsr(HV_MSR_TIME_REF_COUNT) + us * US);
    wrmsr(HV_MSR_STIMER0_CONFIG, DIRECT | VECTOR_STIMER << 4 | STIMER_ENABLED);
}

static void stimer_in_vtl1(uintptr_t us)
{
    stimer((unsigned)us);
}

static volatile unsigned seen_inside;

/* Whether anything of VTL0 comes in while VTL1 runs. */
static void stay(uintptr_t us)
{
    delay_us((unsigned)us);
    seen_inside = taken[0][VECTOR] + taken[0][VECTOR_TIMER] + taken[0][VECTOR_STIMER];
}

static volatile unsigned status;

static void pv_ipi(uintptr_t vtl_and_mask)
{
    status =
        hv_call(0x0b | HV_FAST, VECTOR | (vtl_and_mask & 0xff) << 32, vtl_and_mask >> 8) & 0xffff;
}

static void ipi_to_0(uintptr_t unused)
{
    (void)unused;
    ipi(0, VECTOR);
}

/* ---- The other processor ---- */

static void in_vtl1(uintptr_t unused)
{
    (void)unused;
    vsm_run(look, 0);
}

static void ipi_from_vtl1(uintptr_t unused)
{
    (void)unused;
    vsm_run(ipi_to_0, 0);
}

static void pv_ipi_from_vtl1(uintptr_t what)
{
    vsm_run(pv_ipi, what);
}

static void late_ipi(uintptr_t unused)
{
    (void)unused;
    delay_us(300);
    ipi(0, VECTOR);
}

/* ---- The tests ---- */

static void apics(void)
{
    uint32_t id = lapic_read(LAPIC_ID);
    vsm_run(look, 0);
    is_u64(first[0], id, "VTL1's APIC has the same ID");
    is_u64(first[1], 0xff, "and is software disabled at first");
    is_u64(first[2], LAPIC_BASE | APIC_BASE_BSP | APIC_BASE_EN, "in xAPIC mode, of the BSP");
    is_u64(first[3], lapic_read(LAPIC_VERSION), "of the same version");
    is_u64(first[4], 0, "with TPR 0");
}

static void own_level(void)
{
    forget();
    vsm_run(self_ipi_in_vtl1, 0);
    took(VECTOR, 0, 1, "VTL1's self-IPI with IF clear");
    is_u64(vtl1()->entries[ENTRY_INTERRUPT], 1, "VTL1 was entered again at its return, reason 2");
    forget();
    self_ipi(VECTOR);
    sti_nop();
    cli();
    took(VECTOR, 1, 0, "VTL0's self-IPI");
}

static void between_processors(void)
{
    forget();
    cpu_call(cpus[1], ipi_from_vtl1, 0);
    WAIT_UNTIL(taken[1][VECTOR] > 0, 100);
    took(VECTOR, 0, 1, "an IPI from VTL1, with IF clear in VTL0");

    forget();
    cpu_begin(cpus[1], late_ipi, 0);
    vsm_run(stay, 1000);
    is_u64(seen_inside, 0, "an IPI from VTL0 waits while VTL1 runs");
    cpu_wait(cpus[1]);
    let_in(&taken[0][VECTOR]);
    took(VECTOR, 1, 0, "and comes after the return");

    forget();
    pv_ipi((HV_USE_TARGET_VTL | 1) | 1 << 8);
    is_u64(status, HV_ACCESS_DENIED, "a PV IPI from VTL0 to VTL1");
    pv_ipi(1 << 8);
    is_u64(status, HV_SUCCESS, "a PV IPI from VTL0 to its own level");
    sti_nop();
    cli();
    took(VECTOR, 1, 0, "it");

    forget();
    cpu_call(cpus[1], pv_ipi_from_vtl1, (HV_USE_TARGET_VTL | 0) | 1 << 8);
    is_u64(status, HV_SUCCESS, "a PV IPI from VTL1 to VTL0");
    let_in(&taken[0][VECTOR]);
    took(VECTOR, 1, 0, "it");

    forget();
    cpu_call(cpus[1], pv_ipi_from_vtl1, 1 << 8);
    is_u64(status, HV_SUCCESS, "a PV IPI from VTL1 to VTL1");
    WAIT_UNTIL(taken[1][VECTOR] > 0, 100);
    took(VECTOR, 0, 1, "it");
}

static void task_priority(void)
{
    vsm_run(set_tpr, VECTOR & 0xf0);
    forget();
    unsigned before = vtl1()->entries[ENTRY_INTERRUPT];
    cpu_call(cpus[1], ipi_from_vtl1, 0);
    delay_us(500);
    is_u64(vtl1()->entries[ENTRY_INTERRUPT], before, "VTL1's TPR holds its interrupt back");
    vsm_run(set_tpr, 0);
    took(VECTOR, 0, 1, "with TPR lowered");
    lapic_write(LAPIC_TPR, 0xf0);
    cpu_call(cpus[1], ipi_from_vtl1, 0);
    WAIT_UNTIL(taken[1][VECTOR] > 1, 100);
    took(VECTOR, 0, 2, "VTL0's TPR does not matter");
    lapic_write(LAPIC_TPR, 0);
}

static void timers(void)
{
    lapic_ticks_per_ms();
    forget();
    vsm_run(timer_in_vtl1, 500);
    WAIT_UNTIL(taken[1][VECTOR_TIMER] > 0, 100);
    took(VECTOR_TIMER, 0, 1, "VTL1's timer while VTL0 runs");
    forget();
    lapic_timer_start(VECTOR_TIMER, 300);
    vsm_run(stay, 1000);
    is_u64(seen_inside, 0, "VTL0's timer waits while VTL1 runs");
    sti_nop();
    cli();
    took(VECTOR_TIMER, 1, 0, "and comes after the return");

    forget();
    vsm_run(stimer_in_vtl1, 500);
    WAIT_UNTIL(taken[1][VECTOR_STIMER] > 0, 100);
    took(VECTOR_STIMER, 0, 1, "VTL1's synthetic timer while VTL0 runs");
    forget();
    stimer(300);
    vsm_run(stay, 1000);
    is_u64(seen_inside, 0, "VTL0's synthetic timer waits while VTL1 runs");
    sti_nop();
    cli();
    took(VECTOR_STIMER, 1, 0, "and comes after the return");
}

static volatile bool woken_early;

static void halted(void)
{
    forget();
    vsm_run(timer_in_vtl1, 300);
    stimer(2000);
    sti_hlt();
    cli();
    woken_early = taken[0][VECTOR_STIMER] == 0;
    took(VECTOR_TIMER, 0, 1, "VTL1's timer while VTL0 halts");
    ok(!woken_early, "VTL0 goes on halting until an interrupt of its own");
}

static volatile unsigned vina[4];

static void set_vina(uintptr_t value)
{
    status = vsm_set((uint32_t)HV_VP_SELF, 0, REG_VINA, value, 0);
}

static void watch_vina(uintptr_t us)
{
    struct vsm_level *self = vsm_self();
    self->assist[ASSIST_VINA] = 0;
    sti();
    delay_us((unsigned)us);
    cli();
    vina[0] = taken[1][VECTOR_VINA];
    vina[1] = self->assist[ASSIST_VINA];
}

static void notification(void)
{
    uint64_t value[2];
    is_u64(vsm_set((uint32_t)HV_VP_SELF, 0, REG_VINA, 1, 0), HV_INVALID_PARAMETER,
           "VTL0 has no VINA");
    is_u64(vsm_get((uint32_t)HV_VP_SELF, 0, REG_VINA, value), HV_INVALID_PARAMETER, "nor reads it");
    vsm_run(set_vina, VECTOR_VINA | VINA_ENABLED);
    is_u64(status, HV_SUCCESS, "VTL1 sets its own");
    forget();
    sti();
    cpu_begin(cpus[1], late_ipi, 0);
    vsm_run(watch_vina, 2000);
    cli();
    cpu_wait(cpus[1]);
    is_u64(vina[0], 1, "VTL1 hears once that VTL0 has an interrupt");
    is_u64(vina[1], 1, "and the page says so");
    sti_nop();
    cli();
    took(VECTOR, 1, 0, "the interrupt itself");

    forget();
    cpu_begin(cpus[1], late_ipi, 0);
    vsm_run(watch_vina, 2000);
    cpu_wait(cpus[1]);
    is_u64(vina[0], 0, "not when VTL0 has IF clear");
    let_in(&taken[0][VECTOR]);
    vsm_run(set_vina, 0);
}

static void off(uintptr_t unused)
{
    (void)unused;
    lapic_write(LAPIC_SVR, 0xff);
    wrmsr(MSR_APIC_BASE, rdmsr(MSR_APIC_BASE) & ~(uint64_t)APIC_BASE_EN);
}

static void disabled(void)
{
    forget();
    vsm_run(off, 0);
    self_ipi(VECTOR);
    sti_nop();
    cli();
    took(VECTOR, 1, 0, "VTL0's APIC after VTL1 has turned its own off");
    cpu_call(cpus[1], ipi_from_vtl1, 0);
    delay_us(200);
    took(VECTOR, 1, 0, "an IPI to the APIC that is off");
}

static void enable_on_1(uintptr_t parameters)
{
    status = vsm_enable_vp((const struct hv_vp_context *)parameters);
}

void test_main(void)
{
    struct hv_vp_context *parameters = page_alloc();
    for (unsigned i = VECTOR; i <= VECTOR_STIMER; i++)
        set_handler(i, on_interrupt);
    set_handler(VECTOR_VINA, on_interrupt);
    smp_start();
    cli();
    vsm_begin();
    vsm_enable(1);
    apics();
    vsm_fill_context(parameters, 1, 1);
    vsm_run(enable_on_1, (uintptr_t)parameters);
    is_u64(status, HV_SUCCESS, "VTL1 enables itself on the other processor");
    cpu_call(cpus[1], in_vtl1, 0);
    is_u64(first[0] >> 24, 1, "where its APIC has that processor's ID");
    own_level();
    between_processors();
    task_priority();
    timers();
    halted();
    notification();
    disabled();
}
