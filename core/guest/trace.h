/* SPDX-License-Identifier: BSD-2-Clause */
/* What of a VM is traced: core/trace.h. Off, each of these costs a load, a test and a branch. */
#pragma once

#include "apic/domain.h"
#include "core/trace.h"
#include "core/vcpu.h"

/* The hook of vm's APIC domain: NULL unless it traces something of it. */
typedef void apic_trace_hook(void *vm, const struct apic_trace *what);
apic_trace_hook *guest_trace_apic_hook(const struct vm *vm);

/* Any CPU. */
void guest_trace_put(const struct context *ctx, enum trace_type type, uint16_t info, uint64_t a,
                     uint64_t b);

static inline void guest_trace(const struct context *ctx, enum trace_type type, uint16_t info,
                               uint64_t a, uint64_t b)
{
    if (__builtin_expect(trace_wants(ctx->vcpu->vm->trace, type), 0))
        guest_trace_put(ctx, type, info, a, b);
}
