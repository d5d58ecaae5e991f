/* SPDX-License-Identifier: BSD-2-Clause */
// vcpus: 2
/* A processor that makes VM exits with interrupts off, and then none, can still be reached: by NMI
   and by INIT. */
#include "tests/guest/lib/smp.h"

/* Under Bochs, where host interrupts are lost in such a guest, the limit is its time in the guest,
   of which there is little between exits. */
enum { SOON_MS = 3, EXITS_SLOW = 30, PAGE = 0x9 };

static volatile bool spins, enough;

static void spin(uintptr_t exits)
{
    cli();
    cpuid(0, 0);
    spins = true;
    while (!enough) {
        if (exits)
            cpuid(0, 0);
        pause();
    }
    spins = false;
    sti();
}

static void begin(uintptr_t exits)
{
    enough = false;
    cpu_begin(cpus[1], spin, exits);
    if (!WAIT_UNTIL(spins, 100))
        bail_out("CPU 1 does not begin its work");
    delay_us(100);
}

static void nmi(uintptr_t exits, const char *how)
{
    cpus[1]->count[NMI] = 0;
    begin(exits);
    ipi(cpus[1]->apic_id, ICR_NMI);
    unsigned limit = exits ? SOON_MS * EXITS_SLOW : SOON_MS;
    ok(WAIT_UNTIL(cpus[1]->count[NMI] != 0, limit), "an NMI reaches it while it %s", how);
    enough = true;
    cpu_wait(cpus[1]);
}

static void init(void)
{
    unsigned starts = cpus[1]->starts;
    begin(false);
    smp_prepare(PAGE);
    ipi(cpus[1]->apic_id, ICR_INIT);
    ipi(cpus[1]->apic_id, ICR_STARTUP | PAGE);
    ok(WAIT_UNTIL(cpus[1]->starts == starts + 1, SOON_MS), "INIT and a start-up IPI restart it");
}

void test_main(void)
{
    plan(3);
    smp_start();
    nmi(false, "spins");
    nmi(true, "makes VM exits");
    init();
}
