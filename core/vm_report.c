/* SPDX-License-Identifier: BSD-2-Clause */
/* The summary of a VM's life. */
#include "core/vm_report.h"

#include "core/assert.h"
#include "core/bits.h"
#include "core/format.h"
#include "core/log.h"
#include "core/time.h"
#include "core/vcpu.h"
#include "core/vm.h"

static void report_reason(const struct vm *vm)
{
    const char *name = vm->config->name;

    switch ((enum vm_stop)atomic_load(&vm->stop)) {
    case VM_POWER_OFF:
        log_info("vm %s: stopped: power-off", name);
        return;
    case VM_RESET:
        log_info("vm %s: stopped: reset", name);
        return;
    case VM_DEBUG_EXIT:
        log_info("vm %s: stopped: debug-exit code %u", name, vm->stop_code);
        return;
    case VM_TIME_LIMIT:
        log_info("vm %s: stopped: time limit of %llu ms reached", name,
                 (unsigned long long)(vm->config->time_limit_ns / 1000000));
        return;
    case VM_TRIPLE_FAULT:
        log_info("vm %s: stopped: triple fault", name);
        return;
    case VM_ERROR:
        log_info("vm %s: stopped: error: see above", name);
        return;
    case VM_RUNS:
        break;
    }
    panic("vm %s is said to have stopped and runs", name);
}

static uint64_t count_exits(const struct vm *vm, unsigned reason)
{
    uint64_t count = 0;

    for (uint32_t i = 0; i < vm->vcpu_count; i++)
        for (unsigned vtl = 0; vtl < vm->vtls; vtl++)
            count += vm->vcpus[i]->contexts[vtl].vmx.exits[reason];
    return count;
}

static void report_exits(const struct vm *vm)
{
    uint64_t total = 0;
    uint64_t ns = vm_time_ns(vm);

    for (unsigned reason = 0; reason < VMX_EXIT_REASONS; reason++)
        total += count_exits(vm, reason);
    log_info("vm %s: %llu.%03u s of guest time, %llu exits", vm->config->name,
             (unsigned long long)(ns / NS_PER_SECOND), (unsigned)(ns % NS_PER_SECOND / 1000000),
             (unsigned long long)total);
    for (unsigned reason = 0; reason < VMX_EXIT_REASONS; reason++) {
        uint64_t count = count_exits(vm, reason);
        const char *text = vmx_exit_name(reason);

        if (count > 0)
            log_info("vm %s: %12llu %s", vm->config->name, (unsigned long long)count,
                     text != NULL ? text : "unknown reason");
    }
}

void vm_report(const struct vm *vm)
{
    report_reason(vm);
    report_exits(vm);
}
