/* SPDX-License-Identifier: BSD-2-Clause */
/* The wiring between apic/ and the virtual processors. */
#include "core/guest/apic.h"

#include "core/assert.h"
#include "core/epoch.h"
#include "core/guest/cpuid.h"
#include "core/guest/ipi.h"
#include "core/guest/trace.h"
#include "core/hyperv/hyperv.h"
#include "core/hyperv/state.h"
#include "core/interrupt.h"
#include "core/log.h"
#include "core/memory.h"
#include "core/vcpu.h"
#include "core/vm.h"
#include "core/x86.h"

static uint64_t now(void *ctx, void *)
{
    return vm_time_tsc(ctx);
}

/* A VTL below the active one gets its turn by VTL return, which looks at what was posted; unless
 * the active one wants to hear of it. */
static bool waits_its_turn(const struct context *target)
{
    const struct context *active = __atomic_load_n(&target->vcpu->active, __ATOMIC_SEQ_CST);

    return target->vtl < active->vtl && active->hv->vina == 0;
}

/*
 * The notification serves the context that runs; one that becomes active looks at what was posted
 * after it has said so (sequentially consistent, both), so that none of the two misses the other.
 */
static void kick(void *, void *owner, enum apic_kick kind)
{
    struct context *target = owner;
    struct vcpu *vcpu = target->vcpu;

    if (waits_its_turn(target))
        return;
    if (kind == APIC_KICK_PIR && atomic_load(&target->apic_posted) &&
        __atomic_load_n(&vcpu->active, __ATOMIC_SEQ_CST) == target)
        sched_notify(vcpu);
    else
        sched_wake(vcpu);
}

static void remapped(void *ctx, unsigned group)
{
    guest_ipi_remapped(ctx, group);
}

static unsigned current_cpu(void *)
{
    return this_cpu()->index;
}

static void *map_alloc(void *, size_t size)
{
    return memory_alloc(size, MEMORY_GRANULE);
}

static void map_free(void *, void *memory, size_t size)
{
    memory_free(memory, size);
}

static const struct apic_callbacks callbacks = {
    .now = now,
    .kick = kick,
    .cpu = current_cpu,
    .alloc = map_alloc,
    .free = map_free,
    .remapped = remapped,
};

_Static_assert((int)CONFIG_MATCH_ARCHITECTURAL == APIC_POLICY_ARCHITECTURAL &&
                   (int)CONFIG_MATCH_KNL == APIC_POLICY_KNL &&
                   (int)CONFIG_MATCH_KVM_32BIT == APIC_POLICY_KVM_32BIT,
               "the configuration's words stand for the engine's policies");

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

void guest_apic_virtual_wire(struct context *ctx)
{
    epoch_enter();
    lapic_write(&ctx->lapic, APIC_SVR, sizeof(uint32_t), APIC_SVR_ENABLE | 0xff);
    lapic_write(&ctx->lapic, APIC_LVT_LINT0, sizeof(uint32_t), APIC_EXTINT << 8);
    lapic_write(&ctx->lapic, APIC_LVT_LINT1, sizeof(uint32_t), APIC_NMI << 8);
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

/* ---- The processor's help -------------------------------------------------------------------- */

#define WITHOUT(set, help) ((set) & ~(1u << VMX_APIC_##help))

_Static_assert((int)CONFIG_APIC_HELPS == (int)VMX_APIC_HELPS, "each has a key, in this order");

/* Whether the configuration wants it. Delivery has a defect on one processor: docs/errata.md. */
static bool wants_help(const struct vm *vm, enum vmx_apic_help help)
{
    enum config_help word = (enum config_help)vm->config->apic_help[help];
    bool defective = help == VMX_APIC_DELIVERY && vmx_caps_is_bochs(this_cpu()->vmx->caps);

    return word == CONFIG_HELP_ON || (word == CONFIG_HELP_AUTO && !defective);
}

static void log_help(const struct vm *vm, vmx_apic_set wanted)
{
    for (unsigned help = 0; help < VMX_APIC_HELPS; help++) {
        const char *refusal = vmx_apic_refusal(this_cpu()->vmx->caps, wanted, help);
        bool avoided =
            !vmx_apic_in(wanted, help) && vm->config->apic_help[help] == CONFIG_HELP_AUTO;

        if (avoided && refusal != NULL)
            refusal = "not without defects in this processor";
        log_info("vm %s: %s: %s%s", vm->config->name, vmx_apic_name(help),
                 refusal == NULL ? "on" : "off: ", refusal == NULL ? "" : refusal);
    }
}

static void choose_help(struct vm *vm)
{
    vmx_apic_set wanted = 0;

    for (unsigned help = 0; help < VMX_APIC_HELPS; help++)
        if (wants_help(vm, help))
            wanted |= 1u << help;
    vm->apic_help = vmx_apic_usable(this_cpu()->vmx->caps, wanted);
    log_help(vm, wanted);
}

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

    struct apic_callbacks calls = callbacks;

    calls.trace = guest_trace_apic_hook(vm);
    apic_domain_init(&vm->apic, &config, &calls, vm, &machine_epoch);
    choose_help(vm);
}

static bool auto_eoi(const struct context *ctx)
{
    return ctx->hv != NULL && hv_auto_eoi(ctx);
}

/*
 * The processor knows neither the software enable bit, nor a base address for each APIC, nor
 * interrupts that need no EOI: the help that would then do wrong is left out for this APIC.
 */
static vmx_apic_set help_for(const struct context *ctx)
{
    const struct lapic *lapic = &ctx->lapic;
    vmx_apic_set set = ctx->vcpu->vm->apic_help;
    enum apic_mode mode = lapic_mode(lapic);

    if (mode != APIC_X2APIC)
        set = WITHOUT(set, X2APIC);
    if (mode != APIC_XAPIC || (lapic->base & APIC_BASE_ADDRESS) != APIC_BASE_DEFAULT)
        set = WITHOUT(set, ACCESS);
    if (!lapic_enabled(lapic) || auto_eoi(ctx))
        set = WITHOUT(WITHOUT(WITHOUT(set, DELIVERY), POSTED), IPI);
    return set;
}

static void set_eoi_exits(struct context *ctx)
{
    uint64_t bitmap[4];

    ctx->eoi_exits_stale = false;
    lapic_eoi_exit_bitmap(&ctx->lapic, bitmap);
    if (ctx->hv != NULL)
        hv_eoi_exits(ctx, bitmap);
    vmx_apic_set_eoi_exits(&ctx->vmx, bitmap);
}

static void adapt(struct context *ctx)
{
    vmx_apic_set set = help_for(ctx);

    ctx->apic_identity = lapic_identity(&ctx->lapic);
    ctx->apic_base = ctx->lapic.base;
    ctx->apic_auto_eoi = auto_eoi(ctx);
    atomic_store(&ctx->apic_posted, vmx_apic_in(set, VMX_APIC_POSTED));
    ctx->eoi_exits_stale = true;
    vmx_apic_use(&ctx->vmx, set);
}

void guest_apic_attach(struct context *ctx)
{
    const struct vmx_apic apic = {
        .registers = ctx->apic_page,
        .descriptor = ctx->post,
        .notification_vector = VECTOR_POSTED,
        .ipi_table = ctx->vcpu->vm->ipi_table[ctx->vtl],
        .ipi_last = ctx->vcpu->vm->ipi_last,
    };

    vmx_apic_init(&ctx->vmx, &apic);
    adapt(ctx);
}

bool guest_apic_merge(struct context *ctx, struct lapic_events *events)
{
    bool changed = lapic_merge(&ctx->lapic, events);

    ctx->eoi_exits_stale |= changed;
    return changed;
}

/* ---- Delivery -------------------------------------------------------------------------------- */

/* Whether one more is pending. */
static __attribute__((noinline)) bool inject_one(struct context *ctx)
{
    uint8_t vector = lapic_acknowledge(&ctx->lapic);

    vmx_inject_interrupt(&ctx->vmx, vector);
    if (ctx->hv != NULL)
        hv_acknowledged(ctx, vector);
    ctx->state = CONTEXT_RUNNABLE;
    return lapic_pending(&ctx->lapic) >= 0;
}

/* @window: something else waits for one. */
static inline __attribute__((always_inline)) void inject(struct context *ctx, bool window)
{
    bool more = lapic_pending(&ctx->lapic) >= 0;

    if (more && vmx_can_take_interrupt(&ctx->vmx))
        more = inject_one(ctx);
    vmx_want_interrupt_window(&ctx->vmx, more || window);
    if (vmx_apic_in(ctx->vmx.apic_help, VMX_APIC_TPR_SHADOW))
        vmx_apic_set_threshold(&ctx->vmx, lapic_tpr_threshold(&ctx->lapic));
}

void guest_apic_sample_lint0(struct context *ctx)
{
    bool level = machine_intr(&ctx->vcpu->vm->machine);

    if (level == ((ctx->external & EXTERNAL_LINT0) != 0))
        return;
    ctx->external ^= EXTERNAL_LINT0;
    lapic_lint(&ctx->lapic, 0, level);
}

/*
 * An external interrupt, whose vector the 8259 pair has, goes past the APIC's registers: SDM Vol
 * 3A, "Local Vector Table", delivery mode ExtINT. The level may be gone once it was acknowledged,
 * and must not be taken for another request. Whether one still waits for the guest to take it.
 */
static bool inject_external(struct context *ctx)
{
    if (!(ctx->external & EXTERNAL_MESSAGE) && !lapic_extint(&ctx->lapic))
        return false;
    if (!vmx_can_take_interrupt(&ctx->vmx))
        return true;
    int vector = machine_acknowledge(ctx->vcpu->vm);
    if (vector >= 0) {
        vmx_inject_interrupt(&ctx->vmx, (uint8_t)vector);
        ctx->state = CONTEXT_RUNNABLE;
        guest_trace(ctx, TRACE_INJECT, APIC_EXTINT << 8 | (unsigned)vector, 0, 0);
    }
    ctx->external &= ~(unsigned)EXTERNAL_MESSAGE;
    if (ctx->external == 0)
        return false;
    epoch_enter();
    guest_apic_sample_lint0(ctx);
    epoch_leave();
    return lapic_extint(&ctx->lapic);
}

/* What virtual-interrupt delivery goes by. */
static __attribute__((noinline)) void update_processor(struct context *ctx, bool window)
{
    struct lapic *lapic = &ctx->lapic;

    if (ctx->eoi_exits_stale)
        set_eoi_exits(ctx);
    vmx_apic_set_pending(&ctx->vmx, lapic_highest_irr(lapic), lapic_highest_isr(lapic));
    vmx_want_interrupt_window(&ctx->vmx, window);
    if (ctx->state == CONTEXT_HALTED && lapic_pending(lapic) >= 0 &&
        vmx_can_take_interrupt(&ctx->vmx))
        ctx->state = CONTEXT_RUNNABLE;
}

bool guest_apic_has_changed(const struct context *ctx)
{
    return lapic_identity(&ctx->lapic) != ctx->apic_identity || ctx->lapic.base != ctx->apic_base ||
           auto_eoi(ctx) != ctx->apic_auto_eoi;
}

static inline __attribute__((always_inline)) void deliver(struct context *ctx, bool window)
{
    if (vmx_apic_in(ctx->vmx.apic_help, VMX_APIC_DELIVERY))
        update_processor(ctx, window);
    else
        inject(ctx, window);
}

static __attribute__((noinline)) void deliver_with_external(struct context *ctx)
{
    deliver(ctx, inject_external(ctx));
}

void guest_apic_deliver(struct context *ctx)
{
    if (guest_apic_has_changed(ctx))
        adapt(ctx);
    if (ctx->external != 0)
        deliver_with_external(ctx);
    else
        deliver(ctx, false);
}

/* ---- Accesses -------------------------------------------------------------------------------- */

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

void guest_apic_write(struct vcpu *vcpu, uint32_t offset, unsigned size, uint64_t value)
{
    epoch_enter();
    lapic_write(lapic_of(vcpu), offset, size, value);
    changed(vcpu);
}

/* Nothing else can come of a WRMSR than its end: what it changed is acted upon at once. */
bool guest_apic_wrmsr(struct vcpu *vcpu, uint32_t msr, uint64_t value)
{
    epoch_enter();
    bool ok = lapic_wrmsr(lapic_of(vcpu), msr, value);
    epoch_leave();
    if (vcpu->hv != NULL) {
        vcpu->active->vmx.leave |= VMX_ATTEND;
        return ok;
    }
    struct context *only = &vcpu->contexts[0]; /* there are no VTLs without Hyper-V's interface */
    guest_apic_deliver(only);
    if (lapic_timer_deadline(&only->lapic) != vcpu->apic_due)
        vcpu_set_timer(vcpu);
    return ok;
}

bool guest_apic_write_base(struct vcpu *vcpu, uint64_t value)
{
    epoch_enter();
    bool ok = lapic_write_base(lapic_of(vcpu), value);
    changed(vcpu);
    return ok;
}

void guest_apic_written(struct vcpu *vcpu, uint16_t offset)
{
    epoch_enter();
    lapic_written(lapic_of(vcpu), offset);
    changed(vcpu);
}

void guest_apic_ended(struct vcpu *vcpu, uint8_t vector)
{
    epoch_enter();
    lapic_eoi_exit(lapic_of(vcpu), vector);
    changed(vcpu);
}

void guest_apic_write_deadline(struct vcpu *vcpu, uint64_t vm_time)
{
    epoch_enter();
    bool delivered = lapic_write_tsc_deadline(lapic_of(vcpu), vm_time);
    epoch_leave();
    if (delivered)
        vcpu->active->vmx.leave |= VMX_ATTEND;
    else
        vcpu_set_timer(vcpu);
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

void guest_apic_write_cr8(struct vcpu *vcpu, uint64_t value)
{
    bool ok = lapic_write_cr8(lapic_of(vcpu), value);

    ASSERT(ok);
    vcpu->active->vmx.leave |= VMX_ATTEND;
}
