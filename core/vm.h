/* SPDX-License-Identifier: BSD-2-Clause */
/* A virtual machine: memory, devices, one APIC domain, virtual processors. */
#pragma once

#include <stdatomic.h>

#include "apic/domain.h"
#include "core/config/config.h"
#include "core/guest/machine.h"
#include "core/guest/memory.h"
#include "core/handover.h"
#include "core/time.h"
#include "core/types.h"
#include "vmx/apic.h"
#include "vmx/ept.h"

struct hv_partition;
struct vcpu;

enum { VM_VTLS_MAX = CONFIG_VTLS_MAX };

enum vm_stop {
    VM_RUNS,
    VM_POWER_OFF,
    VM_RESET,
    VM_DEBUG_EXIT,
    VM_TIME_LIMIT,
    VM_TRIPLE_FAULT,
    VM_ERROR, /* the reason was logged where it was found */
};

struct vm {
    const struct config_vm *config;
    uint8_t number; /* in the configuration, from 0 */
    uint32_t trace; /* classes of events that are traced: core/trace.h */
    struct guest_memory memory;
    unsigned vtls; /* how many Virtual Trust Levels its processors can have, 1 to VM_VTLS_MAX */
    struct ept ept[VM_VTLS_MAX]; /* by VTL */
    struct apic_domain apic;
    uint64_t *ipi_table[VM_VTLS_MAX]; /* core/guest/ipi.c; NULL without IPI virtualization */
    uint16_t ipi_last;
    vmx_apic_set apic_help; /* of the processor, as far as it has it and the configuration allows */
    struct machine machine;
    struct hv_partition *hv; /* NULL: without Hyper-V's interface */

    struct vcpu **vcpus;
    uint32_t vcpu_count;

    uint64_t tsc_hz;    /* of the guest: the host's */
    uint64_t tsc_start; /* host TSC at which guest time is 0 */
    uint64_t held_at; /* host TSC at which all processors were held; 0: some run. core/vm_hold.h */
    uint64_t tsc_limit; /* guest time in TSC ticks at which the VM is stopped; UINT64_MAX: never */

    _Atomic uint32_t vcpus_left; /* that the scheduler has not finished */

    bool starts_anew; /* once it has ended; the boot processor's */

    /* The first to set `stop` away from VM_RUNS also sets the code; then every vCPU is woken. */
    _Atomic uint32_t stop; /* enum vm_stop */
    uint32_t stop_code;    /* with VM_DEBUG_EXIT */
};

/*
 * Makes a VM from its configuration and the files boot/ loaded: memory, tables, kernel, devices,
 * processors, ready to run. NULL, with the reason logged, when memory is short or a file does not
 * load; then nothing is left behind.
 */
struct vm *vm_create(const struct config_vm *config, const struct handover *handover);

/*
 * Gives its processors to the scheduler; its time begins. @handover is the one it was made with.
 * `beside`: other VMs run at the same time. On the boot processor.
 */
void vm_start(struct vm *vm, const struct handover *handover, bool beside);

/* Whether no CPU will run it any more. */
bool vm_has_ended(const struct vm *vm);

/* Logs why it has ended and what it cost, and frees everything. On the boot processor. */
void vm_end(struct vm *vm);

/* One of its vCPUs will not run again. For core/sched.c, on any CPU. */
void vm_vcpu_finished(struct vm *vm);

/*
 * Ends the VM: its vCPUs leave the guest. The first reason stands. Any CPU; returns at once.
 */
void vm_stop(struct vm *vm, enum vm_stop reason, uint32_t code);

static inline bool vm_stopping(const struct vm *vm)
{
    return atomic_load_explicit(&vm->stop, memory_order_relaxed) != VM_RUNS;
}

/* Guest time: TSC ticks, and nanoseconds, since the VM started. */
static inline uint64_t vm_time_tsc(const struct vm *vm)
{
    return time_now_tsc() - vm->tsc_start;
}
uint64_t vm_time_ns(const struct vm *vm);
