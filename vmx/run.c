/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The loop of VM entry, VM exit and the exit's handler, the table of handlers, and the small
 * ones. A handler reads what it uses of the VMCS; VMX_RESUME from it enters the guest again.
 */
#include "vmx/internal.h"

typedef enum vmx_outcome exit_handler(struct vmx_context *ctx);

static enum vmx_outcome exit_cpuid(struct vmx_context *ctx)
{
    ctx->client->cpuid(ctx->owner);
    vmx_skip();
    return VMX_RESUME;
}

static enum vmx_outcome exit_rdmsr(struct vmx_context *ctx)
{
    uint64_t *gpr = ctx->regs->gpr;
    uint64_t value = 0;
    enum vmx_action action = ctx->client->rdmsr(ctx->owner, gpr[VMX_RCX], &value);
    if (action == VMX_NEXT) {
        gpr[VMX_RAX] = (uint32_t)value;
        gpr[VMX_RDX] = value >> 32;
    }
    return vmx_act(ctx, action, NULL);
}

static enum vmx_outcome exit_wrmsr(struct vmx_context *ctx)
{
    const uint64_t *gpr = ctx->regs->gpr;
    uint64_t value = gpr[VMX_RDX] << 32 | (uint32_t)gpr[VMX_RAX];
    return vmx_act(ctx, ctx->client->wrmsr(ctx->owner, gpr[VMX_RCX], value), NULL);
}

static enum vmx_outcome exit_external_interrupt(struct vmx_context *ctx)
{
    ctx->client->host_interrupt(field_get(vmread32(EXIT_INTERRUPTION_INFO), EVENT_VECTOR));
    return VMX_PREEMPTED;
}

static enum vmx_outcome exit_preemption_timer(struct vmx_context *)
{
    return VMX_PREEMPTED;
}

static enum vmx_outcome exit_window(struct vmx_context *ctx)
{
    ctx->leave |= VMX_ATTEND;
    return VMX_RESUME;
}

static enum vmx_outcome exit_triple_fault(struct vmx_context *ctx)
{
    ctx->shutdown = true;
    return VMX_TRIPLE_FAULT;
}

/* INIT is blocked in VMX root operation and nobody we know sends one: it has no effect. */
static enum vmx_outcome exit_init(struct vmx_context *)
{
    return VMX_RESUME;
}

/* A debug exception ends the halt, also that of the single step over HLT. SDM Vol 2A, "HLT". */
static enum vmx_outcome exit_hlt(struct vmx_context *)
{
    return vmx_skip() ? VMX_RESUME : VMX_HALTED;
}

static enum vmx_outcome exit_pause(struct vmx_context *)
{
    vmx_skip();
    return VMX_PAUSED;
}

/* The guest's memory is ordinary RAM, coherent with all caches: nothing has to be written back. */
static enum vmx_outcome exit_cache(struct vmx_context *)
{
    vmx_skip();
    return VMX_RESUME;
}

static enum vmx_outcome exit_undefined(struct vmx_context *ctx)
{
    vmx_inject_ud(ctx);
    return VMX_RESUME;
}

/* No performance counters are offered. */
static enum vmx_outcome exit_rdpmc(struct vmx_context *ctx)
{
    vmx_inject_gp(ctx);
    return VMX_RESUME;
}

static enum vmx_outcome exit_vmcall(struct vmx_context *ctx)
{
    return vmx_act(ctx, ctx->client->vmcall(ctx->owner), NULL);
}

/* The processor has checked CR4.OSXSAVE; CPL it has not. SDM Vol 2D, "XSETBV". */
static enum vmx_outcome exit_xsetbv(struct vmx_context *ctx)
{
    const uint64_t *gpr = ctx->regs->gpr;
    uint64_t value = gpr[VMX_RDX] << 32 | (uint32_t)gpr[VMX_RAX];
    bool allowed = vmx_cpl(ctx) == 0 && (uint32_t)gpr[VMX_RCX] == 0;
    if (allowed && ctx->client->refuses_write(ctx->owner, VMX_XCR0, value))
        return VMX_RESUME;
    return vmx_act(ctx, allowed && vmx_write_xcr0(ctx, value) ? VMX_NEXT : VMX_RAISE_GP, NULL);
}

static enum vmx_outcome exit_unexpected(struct vmx_context *ctx)
{
    uint32_t reason = vmread32(EXIT_REASON);
    const char *name = vmx_exit_name(reason & EXIT_REASON_BASIC);
    if (!(reason & EXIT_REASON_ENTRY_FAILED))
        return vmx_fail(ctx, "unexpected VM exit 0x%x (%s)", reason, name ? name : "unknown");
    const char *rule = vmx_state_error(ctx);
    return vmx_fail(ctx, "VM entry failed: 0x%x (%s): %s", reason, name ? name : "unknown",
                    rule ? rule : "no rule known to us is broken");
}

/* All that nobody handles are filled in first: an exit asks for no handler that is missing. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Woverride-init"
static exit_handler *const handlers[VMX_EXIT_REASONS] = {
    [0 ... VMX_EXIT_REASONS - 1] = exit_unexpected,
    [EXIT_EXCEPTION_OR_NMI] = exit_exception,
    [EXIT_EXTERNAL_INTERRUPT] = exit_external_interrupt,
    [EXIT_TRIPLE_FAULT] = exit_triple_fault,
    [EXIT_INIT] = exit_init,
    [EXIT_INTERRUPT_WINDOW] = exit_window,
    [EXIT_NMI_WINDOW] = exit_window,
    [EXIT_TASK_SWITCH] = exit_task_switch,
    [EXIT_CPUID] = exit_cpuid,
    [EXIT_GETSEC] = exit_undefined,
    [EXIT_HLT] = exit_hlt,
    [EXIT_INVD] = exit_cache,
    [EXIT_RDPMC] = exit_rdpmc,
    [EXIT_VMCALL] = exit_vmcall,
    [EXIT_VMCLEAR] = exit_undefined,
    [EXIT_VMLAUNCH] = exit_undefined,
    [EXIT_VMPTRLD] = exit_undefined,
    [EXIT_VMPTRST] = exit_undefined,
    [EXIT_VMREAD] = exit_undefined,
    [EXIT_VMRESUME] = exit_undefined,
    [EXIT_VMWRITE] = exit_undefined,
    [EXIT_VMXOFF] = exit_undefined,
    [EXIT_VMXON] = exit_undefined,
    [EXIT_CR_ACCESS] = exit_cr_access,
    [EXIT_IO] = exit_io,
    [EXIT_RDMSR] = exit_rdmsr,
    [EXIT_WRMSR] = exit_wrmsr,
    [EXIT_MWAIT] = exit_undefined,
    [EXIT_MONITOR_TRAP_FLAG] = exit_monitor_trap,
    [EXIT_MONITOR] = exit_undefined,
    [EXIT_PAUSE] = exit_pause,
    [EXIT_TPR_BELOW_THRESHOLD] = exit_tpr_below_threshold,
    [EXIT_APIC_ACCESS] = exit_apic_access,
    [EXIT_VIRTUALIZED_EOI] = exit_virtualized_eoi,
    [EXIT_GDTR_IDTR_ACCESS] = exit_gdtr_idtr,
    [EXIT_LDTR_TR_ACCESS] = exit_ldtr_tr,
    [EXIT_EPT_VIOLATION] = exit_ept_violation,
    [EXIT_EPT_MISCONFIGURATION] = exit_ept_misconfiguration,
    [EXIT_INVEPT] = exit_undefined,
    [EXIT_PREEMPTION_TIMER_EXPIRED] = exit_preemption_timer,
    [EXIT_INVVPID] = exit_undefined,
    [EXIT_WBINVD] = exit_cache,
    [EXIT_XSETBV] = exit_xsetbv,
    [EXIT_APIC_WRITE] = exit_apic_write,
};
#pragma GCC diagnostic pop

/* For the coming entry: what the exit path leaves out while nothing asks for it. */
static void prepare_rarely(struct vmx_context *ctx)
{
    uint64_t generation = __atomic_load_n(&ctx->ept->generation, __ATOMIC_ACQUIRE);
    if (generation != ctx->ept_generation) {
        ctx->ept_generation = generation;
        invept(ctx->caps, ctx->ept_pointer);
    }
    if (ctx->event != 0)
        event_enter(ctx);
}

static enum vmx_outcome entry_failed(struct vmx_context *ctx, enum enter_result result)
{
    if (result == ENTRY_FAIL_INVALID)
        panic("VM entry without a current VMCS");
    uint32_t error = vmread32(INSTRUCTION_ERROR);
    return vmx_fail(ctx, "VM entry failed: error %u, %s", error, instruction_error_text(error));
}

/* After an exit that ended so, or with ctx->leave or ctx->event set: whether to enter again. */
static __attribute__((noinline)) bool attended(struct vmx_context *ctx, enum vmx_outcome outcome)
{
    ctx->outcome = outcome;
    if (outcome != VMX_RESUME || (ctx->leave & (VMX_LEAVE | VMX_SWITCH)))
        return false;
    if (ctx->leave & VMX_ATTEND) {
        ctx->leave = 0;
        ctx->launched = true; /* noted at the end of the loop otherwise */
        ctx->client->attend(ctx->owner);
        if (ctx->leave != 0)
            return false;
    }
    prepare_rarely(ctx);
    return true;
}

void vmx_switch(struct vmx_context *from, struct vmx_context *to)
{
    from->next = to;
    from->leave |= VMX_SWITCH;
}

/* To the context that is to be entered next; NULL: vmx_run() returns. */
static struct vmx_context *switched(struct vmx_context *ctx)
{
    struct vmx_context *to = vmx_take_over(ctx, ctx->next);
    if (!to)
        return NULL;
    ctx->leave = 0;
    to->client->switched(to->owner);
    to->outcome = VMX_RESUME;
    if (to->leave != 0)
        return NULL;
    prepare_rarely(to);
    return to;
}

/* The context to enter at once; NULL: none. */
static inline __attribute__((always_inline)) struct vmx_context *handle(struct vmx_context *ctx,
                                                                        uint64_t reason)
{
    if (reason >= VMX_EXIT_REASONS) {
        ctx->outcome = exit_unexpected(ctx);
        return NULL;
    }
    ctx->exits[reason]++;
    enum vmx_outcome outcome = handlers[reason](ctx);
    if ((outcome | ctx->leave | ctx->event) == 0 || attended(ctx, outcome))
        return ctx;
    return ctx->leave == VMX_SWITCH ? switched(ctx) : NULL;
}

static void trace_entry(const struct vmx_context *ctx)
{
    ctx->client->enters(ctx->owner, vmread(GUEST_RIP));
}

static __attribute__((noinline)) struct vmx_context *handle_traced(struct vmx_context *ctx,
                                                                   uint64_t reason)
{
    ctx->client->exited(ctx->owner, (uint32_t)reason, vmread(GUEST_RIP),
                        vmread(EXIT_QUALIFICATION));
    struct vmx_context *to = handle(ctx, reason);
    if (to)
        trace_entry(to);
    return to;
}

struct vmx_context *vmx_exited(struct vmx_context *ctx)
{
    uint64_t reason = vmread32(EXIT_REASON);
    if (__builtin_expect(ctx->traced, false))
        return handle_traced(ctx, reason);
    return handle(ctx, reason);
}

enum vmx_outcome vmx_run(struct vmx_context *ctx)
{
    ASSERT(ctx->cpu && ctx->cpu->current == ctx);
    vmx_make_live(ctx);
    if (ctx->shutdown)
        return VMX_TRIPLE_FAULT;
    prepare_rarely(ctx);
    vmwrite32(PREEMPTION_TIMER, ctx->stay); /* exits save what is left */
    if (ctx->traced)
        trace_entry(ctx);
    const struct vmx_cpu *cpu = ctx->cpu;
    enum enter_result result =
        vmx_is_guarded() ? vmx_enter_guarded(ctx, ctx->regs, &ctx->host_rsp, ctx->launched)
                         : vmx_enter(ctx, ctx->regs, &ctx->host_rsp, ctx->launched);
    ctx = cpu->current;
    if (result != ENTERED)
        return entry_failed(ctx, result);
    ctx->launched = true;
    ctx->leave = 0;
    return ctx->shutdown ? VMX_TRIPLE_FAULT : ctx->outcome;
}
