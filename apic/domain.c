/* SPDX-License-Identifier: BSD-2-Clause */
/* The domain: configuration and memory. Routing is in route.c. */
#include "apic/domain.h"

#include "apic/internal.h"

void apic_domain_init(struct apic_domain *domain, const struct apic_config *config,
                      const struct apic_callbacks *calls, void *ctx, struct apic_epoch *epoch)
{
    __builtin_memset(domain, 0, sizeof(*domain));
    domain->config = *config;
    domain->calls = *calls;
    domain->ctx = ctx;
    domain->epoch = epoch;
    for (unsigned i = 0; i < APIC_MAX_GROUPS; i++)
        domain->group[i].domain = domain;
}

void apic_domain_destroy(struct apic_domain *domain)
{
    for (unsigned i = 0; i < APIC_MAX_GROUPS; i++)
        apic_group_destroy(&domain->group[i]);
}

void apic_trace_tell(struct apic_domain *domain, enum apic_trace_kind kind,
                     const struct lapic *lapic, const struct apic_msg *msg, uint64_t a, uint64_t b)
{
    struct apic_trace what = {.kind = kind, .lapic = lapic, .msg = msg, .a = a, .b = b};
    domain->calls.trace(domain->ctx, &what);
}
