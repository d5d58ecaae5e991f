/* SPDX-License-Identifier: BSD-2-Clause */
/* Processor start-up as in SDM Vol 3A, "MP Initialization Protocol": INIT, then two SIPIs. */
#include "core/smp.h"

#include "boot/trampoline.h"
#include "core/cpu.h"
#include "core/handover.h"
#include "core/interrupt.h"
#include "core/log.h"
#include "core/memory.h"
#include "core/paging.h"
#include "core/time.h"
#include "core/x86.h"
#include "drivers/host/local_apic.h"

enum {
    INIT_NS = 10000000,
    FIRST_SIPI_NS = 200000,
    SECOND_SIPI_NS = 1000000000,
};

static void (*main_of_aps)(struct cpu *cpu);

/* The trampoline comes here on the CPU's own stack. */
static _Noreturn void enter_ap(struct cpu *cpu)
{
    cpu_init(cpu);
    interrupt_init_cpu();
    cpu_set_online(cpu);
    main_of_aps(cpu);
    __builtin_unreachable();
}

static bool wait_until_online(uint32_t count, uint64_t ns)
{
    uint64_t start = time_now_tsc();
    uint64_t duration = ns_to_tsc(ns);
    while (time_now_tsc() - start < duration) {
        if (cpu_count() > count)
            return true;
        pause();
    }
    return cpu_count() > count;
}

static bool start(const struct cpu *cpu, paddr_t trampoline)
{
    uint32_t count = cpu_count();
    uint32_t startup = LOCAL_APIC_IPI_STARTUP | (uint32_t)(trampoline >> PAGE_SHIFT);
    host_apic_send(cpu->apic_id, LOCAL_APIC_IPI_INIT);
    wait_until_online(count, INIT_NS);
    host_apic_send(cpu->apic_id, startup);
    if (wait_until_online(count, FIRST_SIPI_NS))
        return true;
    host_apic_send(cpu->apic_id, startup);
    if (wait_until_online(count, SECOND_SIPI_NS))
        return true;
    /* Back to waiting: it must not wake up late with the parameters of the next one. */
    host_apic_send(cpu->apic_id, LOCAL_APIC_IPI_INIT);
    return wait_until_online(count, INIT_NS);
}

static void set_parameters(const struct cpu *cpu, paddr_t trampoline)
{
    volatile struct trampoline_params *params = phys_to_virt(trampoline + TRAMPOLINE_PARAMS);
    params->entry = (vaddr_t)enter_ap;
    /* As if called: the return address, 0, ends a stack trace. */
    params->stack = cpu->stack_top[CPU_STACK_MAIN] - sizeof(uint64_t);
    params->argument = (vaddr_t)cpu;
}

void smp_start_all(const struct handover *handover, void (*ap_main)(struct cpu *cpu))
{
    main_of_aps = ap_main;
    for (uint32_t i = 1; i < handover->n_cpus; i++) {
        uint32_t apic_id = handover->cpus[i];
        struct cpu *cpu = cpu_create(apic_id);
        if (!cpu) {
            log_error("smp: no memory for the CPU with APIC ID %u", apic_id);
            continue;
        }
        set_parameters(cpu, handover->trampoline);
        if (!start(cpu, handover->trampoline))
            log_error("smp: the CPU with APIC ID %u does not start", apic_id);
    }
    paging_unmap_trampoline();
}
