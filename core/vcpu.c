/* SPDX-License-Identifier: BSD-2-Clause */
/* Virtual processors: their making, and the loop that runs one. */
#include "core/vcpu.h"

#include "core/assert.h"
#include "core/cpuid.h"
#include "core/epoch.h"
#include "core/exits.h"
#include "core/guest_apic.h"
#include "core/interrupt.h"
#include "core/log.h"
#include "core/memory.h"
#include "core/string.h"
#include "core/time.h"
#include "core/x86.h"

enum { NMIS_MAX = 2 }; /* one being delivered and one latched, as a processor can hold */

static bool create_context(struct vcpu *vcpu, unsigned vtl)
{
    struct context *ctx = &vcpu->contexts[vtl];
    struct vmx_policy policy;

    ctx->vcpu = vcpu;
    if (!guest_apic_create(ctx, vtl))
        return false;
    guest_policy(&policy);
    if (!vmx_context_init(&ctx->vmx, this_cpu()->vmx, &policy, &exit_client, ctx, &vcpu->regs,
                          &vcpu->vm->ept[vtl])) {
        guest_apic_destroy(ctx);
        return false;
    }
    vmx_set_tsc_offset(&ctx->vmx, vcpu->msrs.tsc_adjust - vcpu->vm->tsc_start);
    vmx_unload(&ctx->vmx);
    return true;
}

static void destroy_context(struct context *ctx)
{
    vmx_context_destroy(&ctx->vmx);
    guest_apic_destroy(ctx);
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
    vcpu->state = index == 0 ? VCPU_RUNNABLE : VCPU_WAITS_FOR_SIPI;
    vcpu->active = &vcpu->contexts[0];
    guest_msrs_reset(&vcpu->msrs);
    vcpu->fpu_size = vmx_fpu_size(xcr0);
    void *fpu = memory_alloc(vcpu->fpu_size, MEMORY_GRANULE);
    if (fpu != NULL) {
        vmx_regs_init(&vcpu->regs, xcr0, fpu);
        if (create_context(vcpu, 0))
            return vcpu;
    }
    memory_free(fpu, vcpu->fpu_size);
    memory_free(vcpu, sizeof(*vcpu));
    return NULL;
}

void vcpu_destroy(struct vcpu *vcpu)
{
    destroy_context(&vcpu->contexts[0]);
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

void vcpu_set_start(struct vcpu *vcpu, const struct guest_start *start)
{
    struct vmx_context *vmx = &vcpu->contexts[0].vmx;
    bool long_mode = start->mode == GUEST_ENTRY_LONG64;
    struct vmx_segment code = flat_segment(start->cs, SEGMENT_CODE | SEGMENT_WRITABLE |
                                                          (long_mode ? SEGMENT_L : SEGMENT_DB));
    struct vmx_segment data = flat_segment(start->ds, SEGMENT_WRITABLE | SEGMENT_DB);

    vmx_load(this_cpu()->vmx, &vcpu->contexts[0].vmx);
    vmx_set(vmx, VMX_CR3, start->cr3);
    vmx_set(vmx, VMX_CR4, long_mode ? CR4_PAE : 0);
    vmx_set(vmx, VMX_CR0, CR0_PE | CR0_ET | CR0_NE | (long_mode ? CR0_PG : 0));
    vmx_set(vmx, VMX_EFER, long_mode ? EFER_LME | EFER_LMA : 0);
    vmx_set(vmx, VMX_RIP, start->rip);
    vmx_set(vmx, VMX_RSP, start->rsp);
    vmx_set_gdtr(vmx, (struct vmx_table){.base = start->gdt_base, .limit = start->gdt_limit});
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

uint64_t vcpu_cr4(struct vcpu *vcpu)
{
    return vmx_get(&vcpu->active->vmx, VMX_CR4);
}

/* ---- The run loop ------------------------------------------------------------------------------
 */

/* INIT as seen by the processor. SDM Vol 3A, "Processor State After Reset" and "...After INIT". */
static void take_init(struct vcpu *vcpu)
{
    struct context *ctx = vcpu->active;

    lapic_init_signal(&ctx->lapic);
    vmx_regs_init_signal(&ctx->vmx);
    vmx_context_reset(&ctx->vmx, VMX_INIT);
    ctx->nmis = 0;
    vcpu->state = ctx->lapic.base & APIC_BASE_BSP ? VCPU_RUNNABLE : VCPU_WAITS_FOR_SIPI;
}

/* The start-up vector is the page number of a real-mode address. */
static void take_sipi(struct vcpu *vcpu, uint8_t vector)
{
    struct vmx_context *vmx = &vcpu->active->vmx;
    struct vmx_segment cs = vmx_get_segment(vmx, VMX_CS);

    if (vcpu->state != VCPU_WAITS_FOR_SIPI)
        return;
    cs.selector = (uint16_t)(vector << 8);
    cs.base = (uint64_t)vector << PAGE_SHIFT;
    vmx_set_segment(vmx, VMX_CS, &cs);
    vmx_set(vmx, VMX_RIP, 0);
    vcpu->state = VCPU_RUNNABLE;
}

static void take_events(struct vcpu *vcpu, const struct lapic_events *events)
{
    struct context *ctx = vcpu->active;

    if (events->init)
        take_init(vcpu);
    if (events->sipi)
        take_sipi(vcpu, events->sipi_vector);
    ctx->nmis = min(ctx->nmis + events->nmi, (unsigned)NMIS_MAX);
}

/* Brings the APIC up to date: its timer and what others posted. */
static void collect(struct vcpu *vcpu)
{
    struct context *ctx = vcpu->active;
    struct lapic_events events = {0};

    epoch_enter();
    lapic_timer_expire(&ctx->lapic, vm_time_tsc(vcpu->vm));
    if (apic_posted(ctx->post) && lapic_merge(&ctx->lapic, &events))
        take_events(vcpu, &events);
    epoch_leave();
}

/* Gives the guest what it can take now, and asks for a window where it cannot. */
static void deliver(struct vcpu *vcpu)
{
    struct context *ctx = vcpu->active;
    bool interrupt = lapic_pending(&ctx->lapic) >= 0;

    if (ctx->nmis > 0 && vmx_can_take_nmi(&ctx->vmx)) {
        vmx_inject_nmi(&ctx->vmx);
        ctx->nmis--;
        vcpu->state = VCPU_RUNNABLE;
    }
    if (interrupt && vmx_can_take_interrupt(&ctx->vmx)) {
        vmx_inject_interrupt(&ctx->vmx, lapic_acknowledge(&ctx->lapic));
        vcpu->state = VCPU_RUNNABLE;
        interrupt = lapic_pending(&ctx->lapic) >= 0;
    }
    vmx_want_nmi_window(&ctx->vmx, ctx->nmis > 0);
    vmx_want_interrupt_window(&ctx->vmx, interrupt);
}

/* Host TSC at which something is due that no interrupt announces. */
static uint64_t next_deadline(struct vcpu *vcpu)
{
    struct vm *vm = vcpu->vm;
    uint64_t due = min(lapic_timer_deadline(&vcpu->active->lapic), vm->tsc_limit);

    due = min(due, machine_due_tsc(&vm->machine));
    return due == UINT64_MAX ? VMX_NO_DEADLINE : due + vm->tsc_start;
}

static void settle(struct vcpu *vcpu)
{
    struct vm *vm = vcpu->vm;
    uint64_t now = vm_time_tsc(vm);

    if (now >= vm->tsc_limit)
        vm_stop(vm, VM_TIME_LIMIT, 0);
    if (now >= machine_due_tsc(&vm->machine) || machine_input_arrived(&vm->machine))
        machine_advance(vm);
    collect(vcpu);
    if (vcpu->state != VCPU_WAITS_FOR_SIPI)
        deliver(vcpu);
}

void vcpu_attend(struct vcpu *vcpu)
{
    deliver(vcpu);
    vmx_set_deadline(&vcpu->active->vmx, min(next_deadline(vcpu), sched_slice_end()));
}

static void enter(struct vcpu *vcpu, uint64_t slice_end)
{
    struct context *ctx = vcpu->active;

    vmx_set_deadline(&ctx->vmx, min(next_deadline(vcpu), slice_end));
    switch (vmx_run(&ctx->vmx)) {
    case VMX_RESUME:
    case VMX_PREEMPTED:
    case VMX_PAUSED:
    case VMX_STOPPED:
        return;
    case VMX_HALTED:
        vcpu->state = VCPU_HALTED;
        return;
    case VMX_TRIPLE_FAULT:
        vm_stop(vcpu->vm, VM_TRIPLE_FAULT, 0);
        return;
    case VMX_ERROR:
        vm_stop(vcpu->vm, VM_ERROR, 0);
        return;
    }
}

enum sched_result vcpu_run(struct vcpu *vcpu, uint64_t *deadline)
{
    vmx_load(this_cpu()->vmx, &vcpu->active->vmx);
    for (;;) {
        settle(vcpu);
        if (vm_stopping(vcpu->vm)) {
            vmx_unload(&vcpu->active->vmx);
            return SCHED_FINISHED;
        }
        if (vcpu->state != VCPU_RUNNABLE) {
            *deadline = next_deadline(vcpu);
            return SCHED_SLEEPS;
        }
        uint64_t slice_end = sched_slice_end();
        if (time_now_tsc() >= slice_end)
            return SCHED_YIELDED;
        enter(vcpu, slice_end);
    }
}
