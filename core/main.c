/* SPDX-License-Identifier: BSD-2-Clause */
/* The machine's work: all processors into VMX operation, then the configured VMs, in groups. */
#include <stdatomic.h>

#include "core/assert.h"
#include "core/console.h"
#include "core/cpu.h"
#include "core/epoch.h"
#include "core/gdb/gdb.h"
#include "core/guest/ipi.h"
#include "core/handover.h"
#include "core/interrupt.h"
#include "core/log.h"
#include "core/memory.h"
#include "core/monitor/monitor.h"
#include "core/panic.h"
#include "core/power.h"
#include "core/remote.h"
#include "core/sched.h"
#include "core/smp.h"
#include "core/start.h"
#include "core/time.h"
#include "core/trace.h"
#include "core/vm.h"
#include "core/vm_console.h"
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

_Static_assert((int)CONFIG_MITIGATE_AUTO == (int)VMX_MITIGATE_AUTO &&
                   (int)CONFIG_MITIGATE_OFF == (int)VMX_MITIGATE_OFF &&
                   (int)CONFIG_MITIGATE_ON == (int)VMX_MITIGATE_ON,
               "mitigations");

static void log_mitigations(const struct vmx_mitigations *m)
{
    bool none = true;

    for (unsigned i = 0; i < VMX_THREATS; i++) {
        const char *name = vmx_threat_name((enum vmx_threat)i);

        none &= m->of[i].state == VMX_NOT_AFFECTED;
        if (m->of[i].state == VMX_MITIGATED)
            log_info("mitigated: %s: %s", name, m->of[i].how);
        else if (m->of[i].state == VMX_NOT_MITIGATED)
            log_warn("not mitigated: %s: %s", name, m->of[i].how);
    }
    if (none)
        log_info("mitigated: nothing, this processor is not affected");
}

/* Against what guests could learn of each other, and of us, by transient execution. */
static void mitigate(const struct handover *handover)
{
    struct vmx_speculation s;
    struct vmx_mitigations m;

    vmx_speculation_read(&s, &caps, handover->cpus, handover->n_cpus, rdmsr);
    vmx_mitigations_decide(&m, &s, (enum vmx_mitigate)handover->config.mitigations);
    log_mitigations(&m);
    if (m.small_pages) {
        vmx_caps_forget(&caps, VMX_EPT_2M);
        vmx_caps_forget(&caps, VMX_EPT_1G);
    }
    vmx_mitigations_use(&m);
}

static void start_processors(const struct handover *handover)
{
    enum vmx_feature first = 0;

    vmx_caps_read(&caps, rdmsr);
    const char *missing = vmx_caps_missing(&caps, &first);
    if (missing != NULL)
        panic("the boot application accepted a processor without '%s'", missing);
    log_features();
    mitigate(handover);
    if (!enable_vmx(this_cpu()))
        panic("the boot application accepted a processor that cannot enter VMX operation");
    smp_start_all(handover, ap_main);
    while (atomic_load(&settled) < cpu_count() - 1)
        pause();
    log_info("%u of %u processors run", cpu_count(), handover->n_cpus);
}

/* ---- VMs ------------------------------------------------------------------------------------- */

static struct vm *vms[CONFIG_VMS_MAX]; /* those that run; NULL: no more */

static void create(const struct handover *handover, uint32_t first, uint32_t i)
{
    const struct config_vm *config = &handover->config.vms[first + i];

    vms[i] = vm_create(config, handover);
    if (vms[i] == NULL)
        log_info("vm %s: stopped: error: see above", config->name);
}

static void start(const struct handover *handover, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (vms[i] != NULL)
            vm_start(vms[i], handover, count > 1);
}

/* One has ended, or something else is to be done between turns. */
static bool has_work(void *arg)
{
    const uint32_t *count = arg;

    if (monitor_is_wanted() || gdb_is_wanted())
        return true;

    for (uint32_t i = 0; i < *count; i++)
        if (vms[i] != NULL && vm_has_ended(vms[i]))
            return true;
    return false;
}

/* One that is to start anew is made again. */
static void end(const struct handover *handover, uint32_t first, uint32_t count, uint32_t i)
{
    bool anew = vms[i]->starts_anew;

    vm_end(vms[i]);
    vms[i] = NULL;
    if (!anew)
        return;
    create(handover, first, i);
    if (vms[i] != NULL)
        vm_start(vms[i], handover, count > 1);
}

/* Whether any is left. */
static bool end_those_that_have(const struct handover *handover, uint32_t first, uint32_t count)
{
    bool left = false;

    for (uint32_t i = 0; i < count; i++) {
        if (vms[i] != NULL && vm_has_ended(vms[i]))
            end(handover, first, count, i);
        left |= vms[i] != NULL;
    }
    return left;
}

/* What one of the group says, for all. */
static enum config_on_exit what_follows(const struct config_vm *vms_of_group, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (vms_of_group[i].on_exit != CONFIG_THEN_NEXT)
            return (enum config_on_exit)vms_of_group[i].on_exit;
    return CONFIG_THEN_NEXT;
}

/* Runs VMs side by side until all have ended. */
static void run_group(const struct handover *handover, uint32_t first, uint32_t count)
{
    uint64_t free_before = memory_statistics().free;

    for (uint32_t i = 0; i < count; i++)
        create(handover, first, i);
    start(handover, count);
    while (end_those_that_have(handover, first, count)) {
        sched_loop_until(has_work, &count);
        monitor_run(vms, count);
        gdb_run();
    }
    trace_flush();
    if (memory_statistics().free != free_before)
        log_error("lapwing: %lu of %lu bytes of free memory are left after vm %s",
                  memory_statistics().free, free_before, handover->config.vms[first].name);
}

/* All groups, until one says that it is the last; returns what it says. */
static enum config_on_exit run_groups(const struct handover *handover)
{
    const struct config *config = &handover->config;
    enum config_on_exit then = CONFIG_THEN_NEXT;

    for (uint32_t first = 0, count; then == CONFIG_THEN_NEXT && first < config->vm_count;
         first += count) {
        count = config_group_size(config, first);
        run_group(handover, first, count);
        then = what_follows(&config->vms[first], count);
    }
    return then;
}

_Noreturn void core_main(const struct handover *handover)
{
    struct memory_statistics memory = memory_statistics();

    log_info("Lapwing: %lu MiB of memory free, TSC at %lu MHz", memory.free / BYTES_PER_MIB,
             time_tsc_hz() / HZ_PER_MHZ);
    start_processors(handover);
    epoch_init(cpu_count());
    start_scheduling();
    trace_init(handover);
    console_enable_input(this_cpu(), vm_console_input);
    console_want_input(true);
    gdb_init(handover);
    enum config_on_exit then = run_groups(handover);
    trace_end();
    log_info("lapwing: all VMs are done");
    if (then == CONFIG_THEN_RESET)
        power_reset(handover->rsdp);
    else if (then == CONFIG_THEN_POWER_OFF)
        power_off(handover->rsdp);
    machine_end(true);
}
