/* SPDX-License-Identifier: BSD-2-Clause */
/* What the monitor says of VMs, their processors and their exits. */
#include "core/vm.h"
#include "core/bits.h"
#include "core/console.h"
#include "core/monitor/monitor.h"
#include "core/remote.h"
#include "core/sched.h"
#include "core/string.h"
#include "core/time.h"
#include "core/vcpu.h"
#include "core/vm_hold.h"

/* ---- Processors ------------------------------------------------------------------------------ */

/* Of a processor's active context, as its owner finds it. */
struct sight {
    struct vcpu *vcpu;
    unsigned vtl, vtls; /* vtls: a bit for each that is enabled */
    enum context_state state;
    uint64_t rip, cr3;
    uint16_t cs;
    const char *mode;
    unsigned nmis;
};

/* SDM Vol 3A, "Modes of Operation". */
static const char *mode_of(struct vmx_context *vmx)
{
    uint32_t code = vmx_get_segment(vmx, VMX_CS).access;

    if (!(vmx_get(vmx, VMX_CR0) & CR0_PE))
        return "real mode";
    if (vmx_get(vmx, VMX_RFLAGS) & RFLAGS_VM)
        return "virtual-8086 mode";
    if (vmx_get(vmx, VMX_EFER) & EFER_LMA)
        return code & SEGMENT_L ? "64-bit mode" : "compatibility mode";
    return code & SEGMENT_DB ? "32-bit protected mode" : "16-bit protected mode";
}

static void look(void *arg)
{
    struct sight *sight = arg;
    struct context *ctx = sight->vcpu->active;
    struct vmx_context *before = vcpu_borrow(ctx);

    sight->vtl = ctx->vtl;
    sight->vtls = sight->vcpu->enabled;
    sight->state = ctx->state;
    sight->nmis = ctx->nmis;
    sight->rip = vmx_get(&ctx->vmx, VMX_RIP);
    sight->cr3 = vmx_get(&ctx->vmx, VMX_CR3);
    sight->cs = vmx_get_segment(&ctx->vmx, VMX_CS).selector;
    sight->mode = mode_of(&ctx->vmx);
    vcpu_give_back(before);
}

static const char *state_of(const struct sight *sight)
{
    if (atomic_load(&sight->vcpu->held) & VM_HELD_BY_MONITOR)
        return "paused";
    if (atomic_load(&sight->vcpu->held))
        return "held by the debugger";
    switch (sight->state) {
    case CONTEXT_HALTED:
        return "halted";
    case CONTEXT_WAITS_FOR_SIPI:
        return "waits to be started";
    case CONTEXT_RUNNABLE:
        break;
    }
    return sched_is_running(sight->vcpu) ? "runs" : "waits its turn";
}

static void show_processor(struct vcpu *vcpu)
{
    struct sight sight = {.vcpu = vcpu};
    struct cpu *home = atomic_load(&vcpu->sched.home);

    remote_call(home, look, &sight);
    console_print("  vcpu %u: APIC ID %xh, on CPU %u: %s, VTL %u of %xh, %s, cs:rip %x:%lx, "
                  "cr3 %lx%s",
                  vcpu->index, vcpu->apic_id, home->index, state_of(&sight), sight.vtl, sight.vtls,
                  sight.mode, sight.cs, sight.rip, sight.cr3,
                  sight.nmis > 0 ? ", an NMI waits" : "");
}

void monitor_show_vms(struct vm *const *vms, uint32_t count, const struct vm *chosen)
{
    for (uint32_t i = 0; i < count; i++) {
        struct vm *vm = vms[i];
        uint64_t ms = vm != NULL ? tsc_to_ns(vm_hold_time(vm)) / 1000000 : 0;

        if (vm == NULL)
            continue;
        console_print("%c %u: vm %s: %lu MiB, %lu.%03u s of its time, %u vCPUs, %u VTLs%s",
                      vm == chosen ? '*' : ' ', i, vm->config->name, vm->config->memory >> 20,
                      ms / 1000, (unsigned)(ms % 1000), vm->vcpu_count, vm->vtls,
                      vm == vm_console_focus() ? ", gets what is typed" : "");
        for (uint32_t v = 0; v < vm->vcpu_count; v++)
            show_processor(vm->vcpus[v]);
    }
    if (chosen == NULL)
        console_print("no VM runs");
}

/* ---- Exits ----------------------------------------------------------------------------------- */

static struct {
    const struct vm *vm;
    uint64_t tsc;
    uint64_t exits[VMX_EXIT_REASONS];
} last, now;

static void count(void *arg)
{
    const struct vcpu *vcpu = arg;

    for (unsigned reason = 0; reason < VMX_EXIT_REASONS; reason++)
        now.exits[reason] += vcpu_exits(vcpu, reason);
}

static void show_reason(const char *name, uint64_t total, uint64_t before, uint64_t tsc)
{
    uint64_t us = tsc_to_ns(tsc) / 1000;

    if (total > 0)
        console_print("  %14lu %12lu/s  %s", total, us > 0 ? (total - before) * 1000000 / us : 0,
                      name != NULL ? name : "unknown reason");
}

/* Per second of the VM's time: since the last question if that was about the same VM. */
void monitor_show_exits(struct vm *vm, uint32_t)
{
    uint64_t all = 0, all_before = 0;

    memset(&now, 0, sizeof(now));
    now.vm = vm;
    now.tsc = vm_hold_time(vm);
    for (uint32_t i = 0; i < vm->vcpu_count; i++)
        remote_call(atomic_load(&vm->vcpus[i]->sched.home), count, vm->vcpus[i]);
    if (last.vm != vm || last.tsc > now.tsc)
        memset(&last, 0, sizeof(last));
    console_print("vm %s: exits, and their rate over %lu ms", vm->config->name,
                  tsc_to_ns(now.tsc - last.tsc) / 1000000);
    for (unsigned reason = 0; reason < VMX_EXIT_REASONS; reason++) {
        show_reason(vmx_exit_name(reason), now.exits[reason], last.exits[reason],
                    now.tsc - last.tsc);
        all += now.exits[reason];
        all_before += last.exits[reason];
    }
    show_reason("all", all, all_before, now.tsc - last.tsc);
    last = now;
}

/* ---- NMI ------------------------------------------------------------------------------------- */

static void take_nmi(void *arg)
{
    struct vcpu *vcpu = arg;

    context_take_nmis(&vcpu->contexts[0], 1);
}

void monitor_nmi(struct vm *vm, uint32_t index)
{
    struct vcpu *vcpu = vm->vcpus[index];

    remote_call(atomic_load(&vcpu->sched.home), take_nmi, vcpu);
    sched_wake(vcpu);
}
