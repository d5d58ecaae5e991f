/* SPDX-License-Identifier: BSD-2-Clause */
/* What the hypervisor does with the machine once its base services work. */
#include "core/cpu.h"
#include "core/handover.h"
#include "core/log.h"
#include "core/memory.h"
#include "core/panic.h"
#include "core/smp.h"
#include "core/start.h"
#include "core/time.h"

enum { BYTES_PER_MIB = 1 << 20, HZ_PER_MHZ = 1000000 };

static void ap_main(struct cpu *cpu)
{
    log_info("cpu %u: APIC ID %u", cpu->index, cpu->apic_id);
    for (;;)
        cpu_wait();
}

_Noreturn void core_main(const struct handover *handover)
{
    struct memory_statistics memory = memory_statistics();
    log_info("Lapwing: %lu MiB of memory free, TSC at %lu MHz", memory.free / BYTES_PER_MIB,
             time_tsc_hz() / HZ_PER_MHZ);
    log_info("cpu 0: APIC ID %u", this_cpu()->apic_id);
    smp_start_all(handover, ap_main);
    log_info("%u of %u processors run", cpu_count(), handover->n_cpus);
    machine_end(true);
}
