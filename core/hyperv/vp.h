/* SPDX-License-Identifier: BSD-2-Clause */
/* The synthetic interrupt controller and timers of a context, for the rest of this folder. */
#pragma once

#include "core/hyperv/state.h"

/* The state after reset. The pages of ctx->hv are there. */
void hv_synic_init(struct context *ctx);

/* Brackets every use of a context's synic. Any CPU, outside the epoch, not nested. */
struct synic *hv_synic_lock(struct context *ctx);
void hv_synic_unlock(struct context *ctx);

/* WRMSR of the @offset-th MSR from HV_MSR_STIMER0_CONFIG on; false: #GP. By the owner. */
bool hv_write_timer(struct context *ctx, uint32_t offset, uint64_t value);
