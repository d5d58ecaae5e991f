/* SPDX-License-Identifier: BSD-2-Clause */
/* Stopping and starting a VM's processors and clock. */
#include "core/vm_hold.h"

#include "core/remote.h"
#include "core/sched.h"
#include "core/time.h"
#include "core/vcpu.h"
#include "core/vm.h"
#include "core/x86.h"

static void wait_until_stopped(struct vcpu *vcpu)
{
    sched_wake(vcpu);
    while (sched_is_running(vcpu)) {
        remote_poll();
        pause();
    }
}

void vm_hold(struct vm *vm, enum vm_holder holder)
{
    for (uint32_t i = 0; i < vm->vcpu_count; i++)
        vm_hold_here(vm->vcpus[i], holder);
    for (uint32_t i = 0; i < vm->vcpu_count; i++)
        wait_until_stopped(vm->vcpus[i]);
    if (vm->held_at == 0)
        vm->held_at = time_now_tsc();
}

void vm_hold_here(struct vcpu *vcpu, enum vm_holder holder)
{
    atomic_fetch_or(&vcpu->held, (uint32_t)holder);
}

static void set_clock(void *arg)
{
    vcpu_set_clock(arg);
}

static void start_clock(struct vm *vm)
{
    if (vm->held_at == 0)
        return;
    vm->tsc_start += time_now_tsc() - vm->held_at;
    vm->held_at = 0;
    for (uint32_t i = 0; i < vm->vcpu_count; i++)
        remote_call(atomic_load(&vm->vcpus[i]->sched.home), set_clock, vm->vcpus[i]);
    machine_advance(vm);
}

void vm_release(struct vm *vm, enum vm_holder holder, struct vcpu *only)
{
    uint32_t first = only != NULL ? only->index : 0;
    uint32_t end = only != NULL ? first + 1 : vm->vcpu_count;
    bool runs = false;

    for (uint32_t i = first; i < end; i++)
        runs |= (atomic_load(&vm->vcpus[i]->held) & ~(uint32_t)holder) == 0;
    if (runs)
        start_clock(vm);
    for (uint32_t i = first; i < end; i++) {
        atomic_fetch_and(&vm->vcpus[i]->held, ~(uint32_t)holder);
        sched_wake(vm->vcpus[i]);
    }
}

uint64_t vm_hold_time(const struct vm *vm)
{
    return vm->held_at != 0 ? vm->held_at - vm->tsc_start : vm_time_tsc(vm);
}
