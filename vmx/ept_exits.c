/* SPDX-License-Identifier: BSD-2-Clause */
/* EPT violations go to the client; a misconfiguration is our bug and ends the VM. */
#include "core/log.h"
#include "vmx/internal.h"

enum vmx_outcome exit_ept_violation(struct vmx_context *ctx)
{
    uint64_t qualification = vmread(EXIT_QUALIFICATION);
    struct vmx_ept_violation violation = decode_ept_violation(qualification);
    violation.gpa = vmread64(GUEST_PHYSICAL_ADDRESS);
    if (violation.gla_valid)
        violation.gla = vmread(GUEST_LINEAR_ADDRESS);
    event_requeue(ctx);
    violation.in_delivery = ctx->event != 0;
    if (ctx->event == 0 && (qualification & EPT_VIOLATION_NMI_UNBLOCK))
        event_block_nmi_again();
    return vmx_act(ctx, ctx->client->ept_violation(ctx->owner, &violation), NULL);
}

enum vmx_outcome exit_ept_misconfiguration(struct vmx_context *ctx)
{
    uint64_t gpa = vmread64(GUEST_PHYSICAL_ADDRESS);
    uint64_t entries[4];
    unsigned n = ept_walk(ctx->ept, gpa, entries);
    for (unsigned i = 0; i < n; i++)
        log_error("EPT entry of level %u: 0x%016lx", 4 - i, entries[i]);
    return vmx_fail(ctx, "EPT misconfiguration at guest-physical 0x%lx", gpa);
}
