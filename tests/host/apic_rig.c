/* SPDX-License-Identifier: BSD-2-Clause */
/* A domain with APICs for host tests. */
#include "tests/host/apic_rig.h"

#include <stdlib.h>
#include <string.h>

_Thread_local unsigned rig_cpu;

static uint64_t now(void *ctx, void *owner)
{
    (void)owner;
    return ((struct rig *)ctx)->now;
}

static void kick(void *ctx, void *owner, enum apic_kick kind)
{
    struct rig *rig = ctx;
    rig->kicks[kind]++;
    rig->kicked = owner;
}

static unsigned cpu(void *ctx)
{
    (void)ctx;
    return rig_cpu;
}

static void *alloc(void *ctx, size_t size)
{
    struct rig *rig = ctx;
    if (rig->out_of_memory) {
        return NULL;
    }
    rig->allocated += size;
    return aligned_alloc(64, (size + 63) / 64 * 64);
}

static void release(void *ctx, void *memory, size_t size)
{
    ((struct rig *)ctx)->allocated -= size;
    free(memory);
}

struct apic_config rig_default_config(void)
{
    return (struct apic_config){
        .policy = APIC_POLICY_ARCHITECTURAL,
        .groups = 1,
        .version = 0x14,
        .maxphyaddr = 46,
        .x2apic = true,
        .tsc_deadline = true,
        .cmci = true,
        .eoi_suppression = true,
        .writable_id = true,
        .bus_num = 1,
        .bus_den = 1,
    };
}

void rig_init(struct rig *rig, const struct apic_config *config, unsigned capacity)
{
    static const struct apic_callbacks calls = {
        .now = now, .kick = kick, .cpu = cpu, .alloc = alloc, .free = release};
    memset(rig, 0, sizeof(*rig));
    apic_epoch_init(&rig->epoch, rig->slots, RIG_CPUS);
    apic_domain_init(&rig->domain, config, &calls, rig, &rig->epoch);
    rig->capacity = capacity;
    rig->lapic = calloc(capacity, sizeof(*rig->lapic));
    rig->post = aligned_alloc(64, capacity * sizeof(*rig->post));
    rig->pages = aligned_alloc(APIC_PAGE_SIZE, (size_t)capacity * APIC_PAGE_SIZE);
}

void rig_destroy(struct rig *rig)
{
    apic_domain_destroy(&rig->domain);
    free(rig->lapic);
    free(rig->post);
    free(rig->pages);
}

struct lapic *rig_add(struct rig *rig, uint32_t id32, uint8_t group)
{
    unsigned i = rig->count;
    struct lapic *lapic = &rig->lapic[i];
    struct lapic_params params = {
        .id32 = id32,
        .group = group,
        .bsp = i == 0,
        .owner = lapic,
        .page = rig->pages + (size_t)i * APIC_PAGE_SIZE,
        .post = &rig->post[i],
    };
    if (i == rig->capacity || !lapic_init(lapic, &rig->domain, &params)) {
        return NULL;
    }
    rig->count++;
    return lapic;
}

uint32_t rig_get(struct lapic *lapic, uint32_t reg)
{
    uint64_t value = UINT64_MAX;
    if (lapic_mode(lapic) == APIC_X2APIC) {
        (void)lapic_rdmsr(lapic, APIC_MSR(reg), &value);
        return (uint32_t)value;
    }
    return (uint32_t)lapic_read(lapic, reg, 4);
}

void rig_set(struct lapic *lapic, uint32_t reg, uint32_t value)
{
    if (lapic_mode(lapic) == APIC_X2APIC) {
        (void)lapic_wrmsr(lapic, APIC_MSR(reg), value);
        return;
    }
    lapic_write(lapic, reg, 4, value);
}

void rig_enable(struct lapic *lapic)
{
    rig_set(lapic, APIC_SVR, APIC_SVR_ENABLE | 0xFF);
}

void rig_to_x2apic(struct lapic *lapic)
{
    (void)lapic_write_base(lapic, lapic->base | APIC_BASE_EXTD);
}

struct lapic_events rig_merge(struct lapic *lapic)
{
    struct lapic_events events;
    (void)lapic_merge(lapic, &events);
    return events;
}

bool rig_bit(struct lapic *lapic, uint32_t base, uint8_t vector)
{
    return (lapic->regs[(base + vector / 32u * 0x10u) / 4] >> (vector % 32u) & 1u) != 0;
}

bool rig_has(struct lapic *lapic, uint8_t vector)
{
    (void)rig_merge(lapic);
    return rig_bit(lapic, APIC_IRR, vector);
}
