/* SPDX-License-Identifier: BSD-2-Clause */
/* The machine's work: all processors into VMX operation, then the configured VMs, one by one. */
#include <stdatomic.h>

#include "core/assert.h"
#include "core/console.h"
#include "core/cpu.h"
#include "core/epoch.h"
#include "core/guest_ipi.h"
#include "core/handover.h"
#include "core/interrupt.h"
#include "core/log.h"
#include "core/machine.h"
#include "core/memory.h"
#include "core/panic.h"
#include "core/remote.h"
#include "core/sched.h"
#include "core/smp.h"
#include "core/start.h"
#include "core/time.h"
#include "core/vm.h"
#include "core/x86.h"
#include "vmx/vmx.h"

enum { BYTES_PER_MIB = 1 << 20, HZ_PER_MHZ = 1000000 };

static struct vmx_caps caps;

/* Into VMX operation; false, with the reason logged, when this processor must stay out of it. */
static bool enable_vmx(struct cpu *cpu)
{
    const char *refusal = vmx_feature_control_refusal(rdmsr(MSR_IA32_FEATURE_CONTROL));

    if (refusal != NULL) {
        log_error("cpu %u: APIC ID %u: %s", cpu->index, cpu->apic_id, refusal);
        return false;
    }
    struct vmx_cpu *vmx = memory_alloc(sizeof(*vmx), MEMORY_GRANULE);
    if (vmx == NULL || !vmx_cpu_enable(vmx, &caps)) {
        log_error("cpu %u: APIC ID %u: no memory for VMX", cpu->index, cpu->apic_id);
        memory_free(vmx, sizeof(*vmx));
        return false;
    }
    cpu->vmx = vmx;
    log_info("cpu %u: APIC ID %u, in VMX operation", cpu->index, cpu->apic_id);
    return true;
}

static _Atomic uint32_t settled; /* processors that have tried to enter VMX operation */
static _Atomic bool scheduling;

static void ap_main(struct cpu *cpu)
{
    bool enabled = enable_vmx(cpu);

    atomic_fetch_add(&settled, 1);
    if (!enabled)
        for (;;)
            cpu_wait();
    while (!atomic_load(&scheduling))
        cpu_wait();
    sched_loop();
}

static void start_scheduling(void)
{
    remote_init();
    guest_ipi_init();
    sched_init();
    atomic_store(&scheduling, true);
    for (uint32_t i = 1; i < cpu_count(); i++)
        interrupt_kick(cpu_get(i));
}

static void log_features(void)
{
    log_info("%-40s %-9s %s", "VMX feature", "wanted", "present");
    for (unsigned i = 0; i < VMX_FEATURES; i++) {
        enum vmx_feature feature = (enum vmx_feature)i;

        log_info("%-40s %-9s %s", vmx_feature_name(feature),
                 vmx_feature_required(feature) ? "required" : "if there",
                 vmx_has(&caps, feature) ? "yes" : "no");
    }
}

static void start_processors(const struct handover *handover)
{
    enum vmx_feature first = 0;

    vmx_caps_read_here(&caps);
    const char *missing = vmx_caps_missing(&caps, &first);
    if (missing != NULL)
        panic("the boot application accepted a processor without '%s'", missing);
    log_features();
    if (!enable_vmx(this_cpu()))
        panic("the boot application accepted a processor that cannot enter VMX operation");
    smp_start_all(handover, ap_main);
    while (atomic_load(&settled) < cpu_count() - 1)
        pause();
    log_info("%u of %u processors run", cpu_count(), handover->n_cpus);
}

/* True if the machine is to go on with the next VM. */
static bool run_configured(const struct config_vm *config, const struct handover *handover)
{
    struct vm *vm = vm_create(config, handover);

    if (vm == NULL) {
        log_info("vm %s: stopped: error: see above", config->name);
    } else {
        vm_run(vm);
        vm_destroy(vm);
    }
    return config->on_exit == CONFIG_THEN_NEXT;
}

_Noreturn void core_main(const struct handover *handover)
{
    struct memory_statistics memory = memory_statistics();
    uint32_t n = 0;

    log_info("Lapwing: %lu MiB of memory free, TSC at %lu MHz", memory.free / BYTES_PER_MIB,
             time_tsc_hz() / HZ_PER_MHZ);
    start_processors(handover);
    epoch_init(cpu_count());
    start_scheduling();
    console_enable_input(this_cpu(), machine_console_input);
    while (n < handover->config.vm_count && run_configured(&handover->config.vms[n], handover))
        n++;
    log_info("lapwing: all VMs are done");
    machine_end(true);
}
