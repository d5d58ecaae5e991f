/* SPDX-License-Identifier: BSD-2-Clause */
/* What a VTL demands of the ones below it on a processor, memory aside. */
#pragma once

#include "core/hyperv/state.h"

/* HvRegisterVsmVpSecureConfigVtl<below>, of the VTL of @ctx, which is loaded on this CPU. */
enum hv_status hv_set_secure_config(struct context *ctx, unsigned below, uint64_t value);

/* HvRegisterCrInterceptControl of the VTL of @ctx. */
enum hv_status hv_set_intercepts(struct context *ctx, uint64_t value);

/* Sets one of the masks behind it, which lie in ctx->hv. */
void hv_set_intercept_mask(struct context *ctx, uint64_t *mask, uint64_t value);

/*
 * Whether a VTL above the active one of @vcpu wants to judge an access: it has been told, and the
 * instruction is not to be carried out. On the CPU that runs @vcpu, at the exit for the access.
 */
bool hv_refuses_msr(struct vcpu *vcpu, uint32_t msr, bool write, uint64_t value);
bool hv_refuses_write(struct vcpu *vcpu, enum vmx_reg reg, uint64_t value);
bool hv_refuses_table(struct vcpu *vcpu, enum vmx_table_register which, bool memory,
                      uint64_t operand);

/* Ends the TLB locks that the VTL of @ctx holds on its processor. */
void hv_unlock_tlbs(struct context *ctx);

/* The VTL of @ctx locks the TLB of VTL @below on its processor. */
void hv_lock_tlb(struct context *ctx, unsigned below);

/* HvRegisterVsmVpWaitForTlbLock of @ctx, set by a VTL above it on the same processor. */
enum hv_status hv_set_tlb_wait(const struct context *caller, struct context *ctx, uint64_t value);

/* Whether @ctx, to which its processor is about to return, has to wait for a TLB lock. */
bool hv_waits_for_tlb(struct context *ctx);

/* Whether a VTL above @vtl holds its TLB on this processor. Any CPU. */
bool hv_tlb_locked(const struct vcpu *vcpu, unsigned vtl);
