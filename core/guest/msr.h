/* SPDX-License-Identifier: BSD-2-Clause */
/* The model-specific registers that a guest has. */
#pragma once

#include "core/guest/mtrr.h"
#include "core/types.h"
#include "vmx/vmx.h"

struct vcpu;

/* MSRs with a value of their own, shared by all VTLs of a virtual processor. */
struct guest_msrs {
    uint64_t tsc_adjust; /* guest TSC = VM time + this */
    uint64_t misc_enable;
    uint64_t mcg_status;
    struct mtrr mtrr;
};

void guest_msrs_reset(struct guest_msrs *msrs);

static inline enum vmx_action msr_ok_or_gp(bool ok)
{
    return ok ? VMX_NEXT : VMX_RAISE_GP;
}

/* RDMSR of one that is @is. */
static inline enum vmx_action msr_is(uint64_t *value, uint64_t is)
{
    *value = is;
    return VMX_NEXT;
}

/*
 * RDMSR and WRMSR of the context that is active on @vcpu, by the CPU that runs it: VMX_NEXT or
 * VMX_RAISE_GP. What is not known here does not exist: #GP. SDM Vol 4.
 */
enum vmx_action guest_rdmsr(struct vcpu *vcpu, uint32_t msr, uint64_t *value);
enum vmx_action guest_wrmsr(struct vcpu *vcpu, uint32_t msr, uint64_t value);
