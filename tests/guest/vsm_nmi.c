/* SPDX-License-Identifier: BSD-2-Clause */
/* NMIs of two Virtual Trust Levels: each stays in its level, waits for it, or preempts, and each
   level's handler blocks its own only. */
// worlds: without:bochs_2.7 (VM entry there leaves NMIs blocked by another VTL: docs/errata.md)
// hyperv: on
// vtls: 2
// vcpus: 2
// variant: emulated tpr_shadow=off
#include "tests/guest/lib/smp.h"
#include "tests/guest/lib/vsm.h"

static volatile unsigned taken[2] __attribute__((used)), depth, deepest, status;
static volatile bool return_inside; /* VTL1's handler lets VTL0 run before its IRET */

/* All levels share the general registers: who goes on in the middle has lost them. */
#define ALL_REGISTERS                                                                              \
    "rax", "rbx", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14",       \
        "r15", "memory", "cc"

static void vtl_return(void)
{
    asm volatile("push %%rbp; mov $1, %%eax; mov $0x12, %%ecx; vmcall; pop %%rbp"
                 :
                 :
                 : ALL_REGISTERS);
}

static void vtl_call_losing_registers(void)
{
    asm volatile("push %%rbp; xor %%eax, %%eax; mov $0x11, %%ecx; vmcall; pop %%rbp"
                 :
                 :
                 : ALL_REGISTERS);
}

/* Until VTL1 has taken two. */
static void wait_losing_registers(void)
{
    asm volatile("push %%rbp\n\t"
                 "1: pause; cmpl $2, taken + 4; jb 1b\n\t"
                 "pop %%rbp"
                 :
                 :
                 : ALL_REGISTERS);
}

static volatile unsigned inside;

static void on_nmi(struct trap_frame *frame)
{
    (void)frame;
    bool above = vsm_self() != NULL;
    taken[above]++;
    if (!above)
        return;
    if (++depth > deepest)
        deepest = depth;
    if (return_inside) {
        return_inside = false;
        vtl_return();
        inside = taken[0];
    }
    depth--;
}

static void forget(void)
{
    taken[0] = taken[1] = deepest = 0;
}

static void took(unsigned in_vtl0, unsigned in_vtl1, const char *what)
{
    is_u64(taken[0], in_vtl0, "%s: taken by VTL0", what);
    is_u64(taken[1], in_vtl1, "%s: taken by VTL1", what);
}

static void let_arrive(void)
{
    for (unsigned i = 0; i < 10; i++)
        cpuid(0, 0);
}

/* ---- In VTL1 ---- */

static void use_apic(uintptr_t unused)
{
    (void)unused;
    vsm_use_assist();
    lapic_enable();
}

static void nmi_to_itself(uintptr_t unused)
{
    (void)unused;
    self_ipi(ICR_NMI);
    let_arrive();
}

static void nmi_to_0(uintptr_t unused)
{
    (void)unused;
    ipi(0, ICR_NMI | ICR_ASSERT);
}

static volatile unsigned seen_inside;

static void stay(uintptr_t us)
{
    delay_us((unsigned)us);
    seen_inside = taken[0];
}

/* ---- The other processor ---- */

static void late_nmi(uintptr_t unused)
{
    (void)unused;
    delay_us(300);
    ipi(0, ICR_NMI | ICR_ASSERT);
}

static void nmi_from_vtl1(uintptr_t us)
{
    delay_us((unsigned)us);
    vsm_run(nmi_to_0, 0);
}

static void in_vtl1(uintptr_t unused)
{
    (void)unused;
    vsm_run(use_apic, 0);
}

static void enable_on_1(uintptr_t parameters)
{
    status = vsm_enable_vp((const struct hv_vp_context *)parameters);
}

/* ---- The tests ---- */

static void own_level(void)
{
    forget();
    self_ipi(ICR_NMI);
    let_arrive();
    took(1, 0, "VTL0's NMI to itself");
    forget();
    vsm_run(nmi_to_itself, 0);
    took(0, 1, "VTL1's NMI to itself");
}

static void between(void)
{
    forget();
    cpu_begin(cpus[1], late_nmi, 0);
    vsm_run(stay, 1500);
    is_u64(seen_inside, 0, "an NMI for VTL0 waits while VTL1 runs");
    cpu_wait(cpus[1]);
    let_arrive();
    took(1, 0, "and comes after the return");

    forget();
    unsigned before = vsm_level(0, 1)->entries[ENTRY_INTERRUPT];
    cpu_call(cpus[1], nmi_from_vtl1, 0);
    WAIT_UNTIL(taken[1] > 0, 100);
    took(0, 1, "an NMI for VTL1 preempts VTL0");
    is_u64(vsm_level(0, 1)->entries[ENTRY_INTERRUPT], before + 1, "as an interrupt");
}

/* VTL1's handler returns to VTL0 before its IRET. */
static void blocking(void)
{
    struct vsm_level *level = vsm_level(0, 1);
    forget();
    return_inside = true;
    level->function = nmi_to_itself;
    vtl_call_losing_registers();
    is_u64(taken[1], 1, "VTL1's handler returns without IRET");
    self_ipi(ICR_NMI);
    let_arrive();
    is_u64(taken[0], 1, "VTL0 takes NMIs all the same");
    cpu_begin(cpus[1], nmi_from_vtl1, 500);
    wait_losing_registers();
    cpu_wait(cpus[1]);
    is_u64(inside, 1, "an NMI for VTL1 enters it, and its handler goes on");
    is_u64(taken[1], 2, "the NMI itself is taken");
    is_u64(deepest, 1, "not before IRET");
}

void test_main(void)
{
    struct hv_vp_context *parameters = page_alloc();
    smp_start();
    set_handler(NMI, on_nmi);
    cli();
    vsm_begin();
    vsm_enable(1);
    vsm_run(use_apic, 0);
    vsm_fill_context(parameters, 1, 1);
    vsm_run(enable_on_1, (uintptr_t)parameters);
    is_u64(status, HV_SUCCESS, "VTL1 on both processors");
    cpu_call(cpus[1], in_vtl1, 0);
    own_level();
    between();
    blocking();
}
