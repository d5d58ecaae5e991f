/* SPDX-License-Identifier: BSD-2-Clause */
/* The interface's state: of a partition, a virtual processor, and a processor's VTL. */
#ifndef LAPWING_CORE_HYPERV_STATE_H
#define LAPWING_CORE_HYPERV_STATE_H

#include "core/hyperv/hyperv.h"
#include "core/hyperv/overlay.h"
#include "core/hyperv/tlfs.h"
#include "core/spinlock.h"
#include "core/vcpu.h"
#include "core/vm.h"

/* What a partition has once per VTL. */
struct hv_vtl {
    uint64_t guest_os_id;
    struct hv_overlay hypercall;
    bool on_a_vp; /* a processor has it */
    bool mbec;    /* its protections tell user from kernel execution */
};

struct hv_partition {
    uint64_t privileges;  /* HV_ACCESS_VSM and the like */
    struct spinlock lock; /* what follows, and the VM's EPTs once it runs */
    struct hv_vtl vtl[VM_VTLS_MAX];
    uint16_t enabled; /* bit n: VTL n is enabled for the partition */
};

/* Belongs to the CPU that runs the processor. */
struct hv_vp {
    _Alignas(16) uint8_t in[HV_PAGE_SIZE]; /* a hypercall's parameters */
    _Alignas(16) uint8_t out[HV_PAGE_SIZE];
};

/* What a virtual processor has once per VTL. Belongs to the CPU that runs the processor. */
struct hv_context {
    struct hv_overlay assist_page;
};

/*
 * Where the hypervisor reaches the aligned page, or part of one, at @gpa as the active VTL of @vcpu
 * sees it: RAM or an overlay over RAM, with all of @rights (vmx/ept.h). NULL if it is not that. Any
 * CPU; the rights are those of now.
 */
void *hv_gpa(struct vcpu *vcpu, gpa_t gpa, unsigned rights);

#endif
