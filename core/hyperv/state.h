/* SPDX-License-Identifier: BSD-2-Clause */
/* The interface's state: of a partition, a virtual processor, and a processor's VTL. */
#pragma once

#include "core/hyperv/clock.h"
#include "core/hyperv/hyperv.h"
#include "core/hyperv/overlay.h"
#include "core/hyperv/stimer.h"
#include "core/hyperv/synic.h"
#include "core/hyperv/tlfs.h"
#include "core/spinlock.h"
#include "core/vcpu.h"
#include "core/vm.h"

enum { HV_CRASH_PARAMETERS = 5 };

/* What a partition has once per VTL. */
struct hv_vtl {
    uint64_t guest_os_id;
    struct hv_overlay hypercall;
    struct hv_overlay reference_tsc;
    bool on_a_vp;    /* a processor has it */
    bool mbec;       /* its protections tell user from kernel execution */
    uint64_t config; /* HvRegisterVsmPartitionConfig */
};

struct hv_partition {
    uint64_t privileges;  /* HV_ACCESS_VSM and the like */
    uint64_t time_scale;  /* see clock.h */
    struct spinlock lock; /* what follows, all overlays, and the VM's EPTs once it runs */
    struct hv_vtl vtl[VM_VTLS_MAX];
    uint64_t crash[HV_CRASH_PARAMETERS];
    unsigned crashes; /* reported so far */
    uint16_t enabled; /* bit n: VTL n is enabled for the partition */
};

/* Belongs to the CPU that runs the processor, save where it says otherwise. */
struct hv_vp {
    _Alignas(16) uint8_t in[HV_PAGE_SIZE]; /* a hypercall's parameters */
    _Alignas(16) uint8_t out[HV_PAGE_SIZE];
    _Atomic uint32_t flush; /* bit n: forget VTL n's translations before it runs again; any CPU */
};

/* What a virtual processor has once per VTL. Belongs to the CPU that runs the processor. */
struct hv_context {
    struct hv_overlay assist_page; /* overlays: the partition's lock */
    struct hv_overlay messages;
    struct hv_overlay event_flags;
    struct stimer timers[HV_TIMERS];
    uint64_t due; /* VM time in TSC ticks at which the next timer expires; UINT64_MAX: never */

    uint64_t vina;                        /* HvRegisterVsmVina */
    _Atomic uint64_t secure[VM_VTLS_MAX]; /* HvRegisterVsmVpSecureConfigVtl<n>; any CPU reads */
    uint64_t intercepts; /* HvRegisterCrInterceptControl, and the masks behind it */
    uint64_t cr0_mask, cr4_mask, misc_enable_mask;
    bool waits_for_tlb; /* HvRegisterVsmVpWaitForTlbLock */
    bool guarded;       /* a VTL above intercepts registers of this one */

    struct spinlock
        lock; /* the following: any CPU. Taken after the partition's, inside the epoch */
    struct synic synic;
};

/* Partition reference time now. */
static inline uint64_t hv_time(const struct vm *vm)
{
    return hv_time_at(vm->hv->time_scale, vm_time_tsc(vm));
}
