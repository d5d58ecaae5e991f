/* SPDX-License-Identifier: BSD-2-Clause */
/* The wiring between apic/ and the virtual processors. */
#include "core/guest_apic.h"

#include "core/assert.h"
#include "core/cpuid.h"
#include "core/epoch.h"
#include "core/memory.h"
#include "core/vcpu.h"
#include "core/vm.h"
#include "core/x86.h"

static uint64_t now(void *ctx, void *owner)
{
    (void)owner;
    return vm_time_tsc(ctx);
}

static void kick(void *ctx, void *owner, enum apic_kick kind)
{
    struct context *target = owner;

    (void)ctx;
    (void)kind;
    sched_wake(target->vcpu);
}

static unsigned current_cpu(void *ctx)
{
    (void)ctx;
    return this_cpu()->index;
}

static void *map_alloc(void *ctx, size_t size)
{
    (void)ctx;
    return memory_alloc(size, MEMORY_GRANULE);
}

static void map_free(void *ctx, void *memory, size_t size)
{
    (void)ctx;
    memory_free(memory, size);
}

static const struct apic_callbacks callbacks = {
    .now = now,
    .kick = kick,
    .cpu = current_cpu,
    .alloc = map_alloc,
    .free = map_free,
};

_Static_assert((int)CONFIG_MATCH_ARCHITECTURAL == APIC_POLICY_ARCHITECTURAL &&
                   (int)CONFIG_MATCH_KNL == APIC_POLICY_KNL &&
                   (int)CONFIG_MATCH_KVM_32BIT == APIC_POLICY_KVM_32BIT,
               "the configuration's words stand for the engine's policies");

void guest_apic_init_domain(struct vm *vm)
{
    const struct apic_config config = {
        .policy = (enum apic_policy)vm->config->id_match,
        .groups = (uint8_t)vm->vtls,
        .version = 0x14,
        .maxphyaddr = (uint8_t)guest_maxphyaddr(),
        .x2apic = vm->config->x2apic,
        .tsc_deadline = true,
        .eoi_suppression = true,
        .writable_id = true,
        .bus_num = 1,
        .bus_den = 1,
    };

    apic_domain_init(&vm->apic, &config, &callbacks, vm, &machine_epoch);
}

bool guest_apic_create(struct context *ctx, unsigned vtl)
{
    ctx->apic_page = page_alloc();
    ctx->post = page_alloc();
    if (ctx->apic_page != NULL && ctx->post != NULL) {
        const struct lapic_params params = {
            .id32 = ctx->vcpu->apic_id,
            .group = (uint8_t)vtl,
            .bsp = ctx->vcpu->index == 0,
            .owner = ctx,
            .page = ctx->apic_page,
            .post = ctx->post,
        };

        if (lapic_init(&ctx->lapic, &ctx->vcpu->vm->apic, &params)) {
            if (vtl > 0)
                guest_apic_set_present(ctx, false);
            return true;
        }
    }
    guest_apic_destroy(ctx);
    return false;
}

void guest_apic_set_present(struct context *ctx, bool present)
{
    epoch_enter();
    if (present)
        lapic_reset(&ctx->lapic);
    else
        lapic_write_base(&ctx->lapic, ctx->lapic.base & ~(uint64_t)APIC_BASE_EN);
    epoch_leave();
}

void guest_apic_destroy(struct context *ctx)
{
    page_free(ctx->apic_page);
    page_free(ctx->post);
    ctx->apic_page = NULL;
    ctx->post = NULL;
}

static struct lapic *lapic_of(struct vcpu *vcpu)
{
    return &vcpu->active->lapic;
}

/* Ends an access that may have changed what can be delivered, or when. */
static void changed(struct vcpu *vcpu)
{
    epoch_leave();
    vcpu->active->vmx.leave |= VMX_ATTEND;
}

bool guest_apic_at(struct vcpu *vcpu, gpa_t gpa)
{
    struct lapic *lapic = lapic_of(vcpu);

    return lapic_mode(lapic) == APIC_XAPIC &&
           (lapic->base & APIC_BASE_ADDRESS) == align_down(gpa, PAGE_SIZE);
}

uint64_t guest_apic_read(struct vcpu *vcpu, uint32_t offset, unsigned size)
{
    return lapic_read(lapic_of(vcpu), offset, size);
}

void guest_apic_write(struct vcpu *vcpu, uint32_t offset, unsigned size, uint64_t value)
{
    epoch_enter();
    lapic_write(lapic_of(vcpu), offset, size, value);
    changed(vcpu);
}

bool guest_apic_rdmsr(struct vcpu *vcpu, uint32_t msr, uint64_t *value)
{
    return lapic_rdmsr(lapic_of(vcpu), msr, value);
}

bool guest_apic_wrmsr(struct vcpu *vcpu, uint32_t msr, uint64_t value)
{
    epoch_enter();
    bool ok = lapic_wrmsr(lapic_of(vcpu), msr, value);
    changed(vcpu);
    return ok;
}

bool guest_apic_write_base(struct vcpu *vcpu, uint64_t value)
{
    epoch_enter();
    bool ok = lapic_write_base(lapic_of(vcpu), value);
    changed(vcpu);
    return ok;
}

uint64_t guest_apic_read_deadline(struct vcpu *vcpu)
{
    return lapic_read_tsc_deadline(lapic_of(vcpu));
}

void guest_apic_write_deadline(struct vcpu *vcpu, uint64_t vm_time)
{
    epoch_enter();
    lapic_write_tsc_deadline(lapic_of(vcpu), vm_time);
    changed(vcpu);
}

void guest_apic_eoi(struct vcpu *vcpu)
{
    epoch_enter();
    lapic_eoi(lapic_of(vcpu));
    changed(vcpu);
}

void guest_apic_write_icr(struct vcpu *vcpu, uint64_t value)
{
    epoch_enter();
    lapic_write_icr(lapic_of(vcpu), value);
    changed(vcpu);
}

void guest_apic_write_tpr(struct vcpu *vcpu, uint8_t value)
{
    epoch_enter();
    lapic_write_tpr(lapic_of(vcpu), value);
    changed(vcpu);
}

uint64_t guest_apic_read_cr8(struct vcpu *vcpu)
{
    return lapic_read_cr8(lapic_of(vcpu));
}

void guest_apic_write_cr8(struct vcpu *vcpu, uint64_t value)
{
    bool ok = lapic_write_cr8(lapic_of(vcpu), value);

    ASSERT(ok);
    vcpu->active->vmx.leave |= VMX_ATTEND;
}
