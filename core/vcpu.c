/* SPDX-License-Identifier: BSD-2-Clause */
/* Virtual processors: their making, and the loop that runs one. */
#include "core/vcpu.h"

#include "core/assert.h"
#include "core/epoch.h"
#include "core/exits.h"
#include "core/gdb/gdb.h"
#include "core/guest/apic.h"
#include "core/guest/cpuid.h"
#include "core/guest/ipi.h"
#include "core/guest/trace.h"
#include "core/hyperv/hyperv.h"
#include "core/hyperv/vtl.h"
#include "core/interrupt.h"
#include "core/log.h"
#include "core/memory.h"
#include "core/remote.h"
#include "core/string.h"
#include "core/time.h"
#include "core/x86.h"

enum { NMIS_MAX = 2 }; /* one being delivered and one latched, as a processor can hold */

static bool intercept_exceptions(const struct vm *vm)
{
    uint32_t help = vm->config->intercept_exceptions;

    return help == CONFIG_HELP_ON ||
           (help == CONFIG_HELP_AUTO && vmx_caps_is_bochs(this_cpu()->vmx->caps));
}

static bool create_context(struct vcpu *vcpu, unsigned vtl)
{
    struct context *ctx = &vcpu->contexts[vtl];
    struct vmx_policy policy;

    ctx->vcpu = vcpu;
    ctx->vtl = vtl;
    if (!hv_context_create(ctx) || !guest_apic_create(ctx, vtl)) {
        hv_context_destroy(ctx);
        return false;
    }
    guest_policy(&policy);
    policy.intercept_exceptions = intercept_exceptions(vcpu->vm);
    if (!vmx_context_init(&ctx->vmx, this_cpu()->vmx, &policy, &exit_client, ctx, &vcpu->regs,
                          &vcpu->vm->ept[vtl])) {
        guest_apic_destroy(ctx);
        hv_context_destroy(ctx);
        return false;
    }
    ctx->vmx.traced = trace_wants(vcpu->vm->trace, TRACE_EXIT);
    guest_apic_attach(ctx);
    vmx_set_tsc_offset(&ctx->vmx, vcpu->msrs.tsc_adjust - vcpu->vm->tsc_start);
    vmx_unload(&ctx->vmx);
    return true;
}

static void destroy_contexts(struct vcpu *vcpu, unsigned count)
{
    for (unsigned vtl = 0; vtl < count; vtl++) {
        vmx_context_destroy(&vcpu->contexts[vtl].vmx);
        guest_apic_destroy(&vcpu->contexts[vtl]);
        hv_context_destroy(&vcpu->contexts[vtl]);
    }
}

static bool create_contexts(struct vcpu *vcpu)
{
    for (unsigned vtl = 0; vtl < vcpu->vm->vtls; vtl++) {
        if (!create_context(vcpu, vtl)) {
            destroy_contexts(vcpu, vtl);
            return false;
        }
    }
    return true;
}

struct vcpu *vcpu_create(struct vm *vm, uint32_t index, uint32_t apic_id)
{
    struct vcpu *vcpu = memory_alloc(sizeof(*vcpu), PAGE_SIZE);
    uint64_t xcr0 = guest_xcr0_allowed();

    if (vcpu == NULL)
        return NULL;
    vcpu->vm = vm;
    vcpu->index = index;
    vcpu->apic_id = apic_id;
    vcpu->enabled = 1;
    vcpu->active = &vcpu->contexts[0];
    vcpu->active->state = index == 0 ? CONTEXT_RUNNABLE : CONTEXT_WAITS_FOR_SIPI;
    guest_msrs_reset(&vcpu->msrs);
    vcpu->fpu_size = vmx_fpu_size(xcr0);
    void *fpu = memory_alloc(vcpu->fpu_size, MEMORY_GRANULE);
    if (fpu != NULL) {
        vmx_regs_init(&vcpu->regs, xcr0, fpu);
        if (hv_vp_create(vcpu) && create_contexts(vcpu))
            return vcpu;
    }
    hv_vp_destroy(vcpu);
    memory_free(fpu, vcpu->fpu_size);
    memory_free(vcpu, sizeof(*vcpu));
    return NULL;
}

void vcpu_destroy(struct vcpu *vcpu)
{
    destroy_contexts(vcpu, vcpu->vm->vtls);
    hv_vp_destroy(vcpu);
    memory_free(vcpu->regs.fpu, vcpu->fpu_size);
    memory_free(vcpu, sizeof(*vcpu));
}

static struct vmx_segment flat_segment(uint16_t selector, uint32_t type_and_size)
{
    return (struct vmx_segment){
        .selector = selector,
        .limit = 0xffffffff,
        .access = SEGMENT_S | SEGMENT_P | SEGMENT_G | SEGMENT_ACCESSED | type_and_size,
    };
}

static void set_reset_start(struct vmx_context *vmx, uint64_t cs_base)
{
    struct vmx_segment cs = vmx_get_segment(vmx, VMX_CS);

    cs.base = cs_base;
    vmx_set_segment(vmx, VMX_CS, &cs);
}

void vcpu_set_start(struct vcpu *vcpu, const struct guest_start *start)
{
    struct vmx_context *vmx = &vcpu->contexts[0].vmx;
    bool long_mode = start->mode == GUEST_ENTRY_LONG64;
    struct vmx_segment code = flat_segment(start->cs, SEGMENT_CODE | SEGMENT_WRITABLE |
                                                          (long_mode ? SEGMENT_L : SEGMENT_DB));
    struct vmx_segment data = flat_segment(start->ds, SEGMENT_WRITABLE | SEGMENT_DB);

    vmx_load(this_cpu()->vmx, &vcpu->contexts[0].vmx);
    if (start->mode == GUEST_ENTRY_RESET) {
        set_reset_start(vmx, start->cs_base);
        vmx_unload(vmx);
        return;
    }
    vmx_set(vmx, VMX_CR3, start->cr3);
    vmx_set(vmx, VMX_CR4, long_mode ? CR4_PAE : 0);
    vmx_set(vmx, VMX_CR0, CR0_PE | CR0_ET | CR0_NE | (long_mode ? CR0_PG : 0));
    vmx_set(vmx, VMX_EFER, long_mode ? EFER_LME | EFER_LMA : 0);
    vmx_set(vmx, VMX_RIP, start->rip);
    vmx_set(vmx, VMX_RSP, start->rsp);
    vmx_set_table(vmx, VMX_TABLE_GDTR,
                  (struct vmx_table){.base = start->gdt_base, .limit = start->gdt_limit});
    vmx_set_segment(vmx, VMX_CS, &code);
    for (unsigned i = VMX_ES; i <= VMX_GS; i++)
        if (i != VMX_CS)
            vmx_set_segment(vmx, (enum vmx_segment_name)i, &data);
    memset(vcpu->regs.gpr, 0, sizeof(vcpu->regs.gpr));
    vcpu->regs.gpr[VMX_RAX] = start->rax;
    vcpu->regs.gpr[VMX_RBX] = start->rbx;
    vcpu->regs.gpr[VMX_RSI] = start->rsi;
    vmx_unload(vmx);
}

static void unload(struct vcpu *vcpu)
{
    for (unsigned vtl = 0; vtl < vcpu->vm->vtls; vtl++)
        vmx_unload(&vcpu->contexts[vtl].vmx);
}

void vcpu_set_clock(struct vcpu *vcpu)
{
    for (unsigned vtl = 0; vtl < vcpu->vm->vtls; vtl++) {
        struct vmx_context *before = vcpu_borrow(&vcpu->contexts[vtl]);

        vmx_set_tsc_offset(&vcpu->contexts[vtl].vmx, vcpu->msrs.tsc_adjust - vcpu->vm->tsc_start);
        vcpu_give_back(before);
    }
}

void vcpu_start_clock(struct vcpu *vcpu)
{
    vcpu_set_clock(vcpu);
    unload(vcpu);
}

uint64_t vcpu_exits(const struct vcpu *vcpu, unsigned reason)
{
    uint64_t count = 0;

    for (unsigned vtl = 0; vtl < vcpu->vm->vtls; vtl++)
        count += vcpu->contexts[vtl].vmx.exits[reason];
    return count;
}

uint64_t vcpu_cr4(struct vcpu *vcpu)
{
    return vmx_get(&vcpu->active->vmx, VMX_CR4);
}

/* ---- The run loop ---------------------------------------------------------------------------- */

/* Each context whose VTL is enabled on the processor. */
#define FOR_ENABLED(vcpu, ctx)                                                                     \
    for (struct context *ctx = (vcpu)->contexts; ctx < (vcpu)->contexts + (vcpu)->vm->vtls; ctx++) \
        if (vcpu_has_vtl(vcpu, ctx->vtl))

/* INIT as seen by the processor. SDM Vol 3A, "Processor State After Reset" and "...After INIT". */
static void take_init(struct context *ctx)
{
    guest_trace(ctx, TRACE_INJECT, APIC_INIT << 8, 0, 0);
    lapic_init_signal(&ctx->lapic);
    vmx_regs_init_signal(&ctx->vmx);
    ctx->vcpu->regs.gpr[VMX_RDX] = cpuid(1, 0).eax; /* as the guest sees it */
    vmx_context_reset(&ctx->vmx, VMX_INIT);
    ctx->nmis = 0;
    ctx->external &= ~(unsigned)EXTERNAL_MESSAGE;
    ctx->state = ctx->lapic.base & APIC_BASE_BSP ? CONTEXT_RUNNABLE : CONTEXT_WAITS_FOR_SIPI;
}

/* The start-up vector is the page number of a real-mode address. */
static void take_sipi(struct context *ctx, uint8_t vector)
{
    struct vmx_context *vmx = &ctx->vmx;
    struct vmx_segment cs = vmx_get_segment(vmx, VMX_CS);

    if (ctx->state != CONTEXT_WAITS_FOR_SIPI)
        return;
    guest_trace(ctx, TRACE_INJECT, APIC_SIPI << 8 | vector, 0, 0);
    cs.selector = (uint16_t)(vector << 8);
    cs.base = (uint64_t)vector << PAGE_SHIFT;
    vmx_set_segment(vmx, VMX_CS, &cs);
    vmx_set(vmx, VMX_RIP, 0);
    ctx->state = CONTEXT_RUNNABLE;
}

/* While it waits for a SIPI NMIs are blocked, of which a processor latches one: SDM Vol 3C, "Other
 * Causes of VM Exits". */
void context_take_nmis(struct context *ctx, unsigned count)
{
    unsigned most = ctx->state == CONTEXT_WAITS_FOR_SIPI ? 1 : NMIS_MAX;

    ctx->nmis = min(ctx->nmis + count, most);
}

/*
 * TLFS, "Virtual Secure Mode", "Virtual Processor Startup": a processor that has a higher VTL is
 * not restarted by INIT and SIPI, and no VTL but the lowest has a real mode to start in.
 */
static void take_events(struct context *ctx, const struct lapic_events *events)
{
    bool alone = ctx->vcpu->enabled == 1;

    if (events->init && alone)
        take_init(ctx);
    context_take_nmis(ctx, events->nmi);
    if (events->sipi && alone)
        take_sipi(ctx, events->sipi_vector);
    if (events->extint)
        ctx->external |= EXTERNAL_MESSAGE;
}

/* Brings the APICs up to date: their timers and what others posted. */
static void collect(struct vcpu *vcpu)
{
    uint64_t now = vm_time_tsc(vcpu->vm);

    epoch_enter();
    if (vcpu->index == 0)
        guest_apic_sample_lint0(&vcpu->contexts[0]);
    FOR_ENABLED (vcpu, ctx) {
        struct lapic_events events = {0};

        lapic_timer_expire(&ctx->lapic, now);
        if (ctx->hv != NULL)
            hv_expire(ctx, now);
        if (apic_posted(ctx->post) && guest_apic_merge(ctx, &events))
            take_events(ctx, &events);
    }
    epoch_leave();
}

static __attribute__((noinline)) void deliver_nmi(struct context *ctx)
{
    /* While one is handled, one more is latched: SDM Vol 3A, "Handling Multiple NMIs". */
    if (ctx->nmis > 1 && vmx_handles_nmi(&ctx->vmx))
        ctx->nmis = 1;
    if (vmx_can_take_nmi(&ctx->vmx)) {
        vmx_inject_nmi(&ctx->vmx);
        guest_trace(ctx, TRACE_INJECT, APIC_NMI << 8, 0, 0);
        ctx->nmis--;
        ctx->state = CONTEXT_RUNNABLE;
    }
    vmx_want_nmi_window(&ctx->vmx, ctx->nmis > 0);
}

/* Gives the guest what it can take now, and asks for a window where it cannot. */
static void deliver(struct vcpu *vcpu)
{
    struct context *ctx = vcpu->active;

    if (ctx->nmis > 0)
        deliver_nmi(ctx);
    else
        vmx_want_nmi_window(&ctx->vmx, false);
    guest_apic_deliver(ctx);
}

/*
 * The highest VTL above the active one that has something its task priority lets through. Whether
 * either has interrupts enabled does not matter. TLFS, "Virtual Interrupt Controller", "Virtual
 * Interrupt Handling".
 */
static void preempt(struct vcpu *vcpu)
{
    for (unsigned vtl = vcpu->vm->vtls - 1; vtl > vcpu->active->vtl; vtl--) {
        struct context *ctx = &vcpu->contexts[vtl];

        if (vcpu_has_vtl(vcpu, vtl) && (ctx->nmis > 0 || lapic_pending(&ctx->lapic) >= 0)) {
            hv_enter_vtl(ctx, HV_ENTRY_INTERRUPT);
            vmx_load(this_cpu()->vmx, &ctx->vmx);
            return;
        }
    }
}

void *context_view(const struct context *ctx, gpa_t gpa, unsigned rights)
{
    struct ept_mapping mapping;

    if (!ept_lookup(&ctx->vcpu->vm->ept[ctx->vtl], gpa, &mapping) ||
        (mapping.rights & rights) != rights)
        return NULL;
    return phys_to_virt(mapping.hpa);
}

bool context_has(const struct context *ctx, gpa_t gpa)
{
    struct ept_mapping mapping;

    return ept_lookup(&ctx->vcpu->vm->ept[ctx->vtl], gpa, &mapping);
}

struct vmx_context *vcpu_borrow(struct context *ctx)
{
    struct vmx_cpu *cpu = this_cpu()->vmx;
    struct vmx_context *before = cpu->current;

    vmx_load(cpu, &ctx->vmx);
    return before;
}

void vcpu_give_back(struct vmx_context *before)
{
    if (before != NULL)
        vmx_load(this_cpu()->vmx, before);
}

static __attribute__((noinline)) uint64_t hv_and_higher_deadline(struct vcpu *vcpu)
{
    uint64_t due = UINT64_MAX;

    FOR_ENABLED (vcpu, ctx) {
        due = min(due, lapic_timer_deadline(&ctx->lapic));
        due = min(due, hv_deadline(ctx));
    }
    return due;
}

/* The one that keeps the VM's own deadlines; the others sleep through them. */
static bool keeps_time(const struct vcpu *vcpu)
{
    return vcpu->index == 0;
}

/* Host TSC at which something is due that no interrupt announces. */
static uint64_t next_deadline(struct vcpu *vcpu, uint64_t apic_due)
{
    struct vm *vm = vcpu->vm;
    uint64_t due = apic_due;

    if (keeps_time(vcpu)) {
        due = min(due, machine_due_tsc(&vm->machine));
        due = min(due, vm->tsc_limit);
    }
    if (vcpu->hv != NULL)
        due = min(due, hv_and_higher_deadline(vcpu));
    return due == UINT64_MAX ? TIMER_NEVER : due + vm->tsc_start;
}

/* Nothing else of it changes while the guest runs without an interrupt that ends the run. */
void vcpu_set_timer(struct vcpu *vcpu)
{
    uint64_t apic_due = lapic_timer_deadline(&vcpu->contexts[0].lapic);

    vcpu->apic_due = apic_due;
    timer_set(min(next_deadline(vcpu, apic_due), sched_turn_end()));
}

static void announce_lower(struct vcpu *vcpu)
{
    hv_announce_lower(vcpu->active);
    if (apic_posted(vcpu->active->post))
        collect(vcpu);
}

static void keep_time(struct vm *vm)
{
    uint64_t now = vm_time_tsc(vm);

    if (now >= vm->tsc_limit)
        vm_stop(vm, VM_TIME_LIMIT, 0);
    if (now >= machine_due_tsc(&vm->machine))
        machine_advance(vm);
}

static void settle(struct vcpu *vcpu)
{
    if (keeps_time(vcpu))
        keep_time(vcpu->vm);
    if (vcpu->hv != NULL)
        hv_settle(vcpu);
    collect(vcpu);
    if (vcpu->active->state == CONTEXT_WAITS_FOR_SIPI)
        return;
    preempt(vcpu);
    if (vcpu->active->vtl > 0)
        announce_lower(vcpu);
    deliver(vcpu);
}

/* With no interrupt in sight for it or a VTL above it a context goes on as it was left. */
void vcpu_switched(struct vcpu *vcpu)
{
    struct context *to = vcpu->active;
    bool quiet = to->state == CONTEXT_RUNNABLE && !guest_apic_has_changed(to);

    for (const struct context *ctx = to; ctx < vcpu->contexts + vcpu->vm->vtls; ctx++)
        quiet = quiet && ctx->nmis == 0 && lapic_highest_irr(&ctx->lapic) == 0 &&
                !apic_posted(ctx->post);
    if (!quiet)
        to->vmx.leave |= VMX_LEAVE;
}

void vcpu_attend(struct vcpu *vcpu)
{
    if (vcpu->hv != NULL)
        hv_retry(vcpu->active);
    if (apic_posted(vcpu->active->post))
        collect(vcpu);
    if (vcpu->active->state != CONTEXT_RUNNABLE) {
        vcpu->active->vmx.leave |= VMX_LEAVE;
        return;
    }
    deliver(vcpu);
    if (vcpu->hv != NULL || lapic_timer_deadline(&vcpu->contexts[0].lapic) != vcpu->apic_due)
        vcpu_set_timer(vcpu);
}

/* Whether it should go on running. */
static bool enter(struct vcpu *vcpu)
{
    struct context *ctx = vcpu->active;

    vcpu_set_timer(vcpu);
    vmx_watch_pauses(&ctx->vmx, sched_others_wait());
    enum vmx_outcome outcome =
        __builtin_expect(vcpu->steps, false) ? gdb_step(vcpu) : vmx_run(&ctx->vmx);
    cpu_take_interrupts(); /* those that made no exit: docs/errata.md, "Bochs 2.7's and 3.0's" */
    switch (outcome) {
    case VMX_RESUME:
    case VMX_PREEMPTED:
    case VMX_STOPPED:
        break;
    case VMX_PAUSED:
        return false;
    case VMX_HALTED:
        vcpu->active->state = CONTEXT_HALTED;
        break;
    case VMX_TRIPLE_FAULT:
        vm_stop(vcpu->vm, VM_TRIPLE_FAULT, 0);
        break;
    case VMX_ERROR:
        vm_stop(vcpu->vm, VM_ERROR, 0);
        break;
    }
    return true;
}

static bool anything_posted(struct vcpu *vcpu)
{
    FOR_ENABLED (vcpu, ctx) {
        if (apic_posted(ctx->post))
            return true;
    }
    return false;
}

/* The end of its VM lets it go. */
static bool is_held(const struct vcpu *vcpu)
{
    return __builtin_expect(atomic_load_explicit(&vcpu->held, memory_order_relaxed) != 0, false) &&
           !vm_stopping(vcpu->vm);
}

static enum run_result run(struct vcpu *vcpu, uint64_t *deadline)
{
    for (;;) {
        remote_poll();
        trace_poll();
        if (is_held(vcpu)) {
            *deadline = TIMER_NEVER;
            return RUN_SLEEPS;
        }
        vmx_load(this_cpu()->vmx, &vcpu->active->vmx);
        guest_ipi_runs(vcpu);
        settle(vcpu);
        if (vm_stopping(vcpu->vm)) {
            unload(vcpu);
            return RUN_FINISHED;
        }
        if (vcpu->active->state != CONTEXT_RUNNABLE) {
            *deadline = next_deadline(vcpu, lapic_timer_deadline(&vcpu->contexts[0].lapic));
            return RUN_SLEEPS;
        }
        if (time_now_tsc() >= sched_turn_end())
            return RUN_YIELDED;
        if (!enter(vcpu))
            return RUN_GAVE_WAY;
    }
}

enum run_result vcpu_run(struct vcpu *vcpu, uint64_t *deadline)
{
    guest_trace(vcpu->active, TRACE_RUN, 0, 0, 0);
    enum run_result result = run(vcpu, deadline);

    guest_trace(vcpu->active, TRACE_STOP, result, vcpu->active->state, 0);
    guest_ipi_stops(vcpu);
    return result == RUN_SLEEPS && !is_held(vcpu) && anything_posted(vcpu) ? RUN_YIELDED : result;
}

static void unload_here(void *arg)
{
    unload(arg);
}

/* It has left the processor at its end, but who looks at its registers may have loaded it again. */
void vcpu_retire(struct vcpu *vcpu)
{
    bool loaded = false;

    for (unsigned vtl = 0; vtl < vcpu->vm->vtls; vtl++)
        loaded |= vcpu->contexts[vtl].vmx.cpu != NULL;
    if (loaded)
        remote_call(atomic_load(&vcpu->sched.home), unload_here, vcpu);
}
