/* SPDX-License-Identifier: BSD-2-Clause */
/* Virtual machines: made from configuration and files, run to their end, freed. */
#include "core/vm.h"

#include "apic/regs.h"
#include "core/assert.h"
#include "core/gdb/gdb.h"
#include "core/guest/acpi.h"
#include "core/guest/apic.h"
#include "core/guest/bios_data.h"
#include "core/guest/files.h"
#include "core/guest/ipi.h"
#include "core/guest/layout.h"
#include "core/guest/smbios.h"
#include "core/hyperv/hyperv.h"
#include "core/image/image.h"
#include "core/log.h"
#include "core/memory.h"
#include "core/sched.h"
#include "core/time.h"
#include "core/trace.h"
#include "core/vcpu.h"
#include "core/x86.h"
#include "drivers/guest/testdev.h"

/* ---- Memory ---------------------------------------------------------------------------------- */

/* One piece of guest RAM, aligned as its size lets large pages use it. */
static bool add_piece(struct vm *vm, gpa_t gpa, uint64_t size)
{
    uint64_t align = size >= PAGE_SIZE_1G   ? PAGE_SIZE_1G
                     : size >= PAGE_SIZE_2M ? PAGE_SIZE_2M
                                            : PAGE_SIZE;
    void *block = memory_alloc(size, align);

    if (block == NULL)
        return false;
    if (!gm_add(&vm->memory, gpa, size, block)) {
        memory_free(block, size);
        return false;
    }
    for (unsigned vtl = 0; vtl < vm->vtls; vtl++)
        if (!ept_map(&vm->ept[vtl], gpa, virt_to_phys(block), size, EPT_RWX, EPT_WRITE_BACK))
            return false;
    return true;
}

/* Guest RAM from @gpa on, in as few pieces as free memory allows. */
static bool add_ram(struct vm *vm, gpa_t gpa, uint64_t size)
{
    while (size > 0) {
        uint64_t piece = min(size, align_down(memory_statistics().largest, PAGE_SIZE_2M));

        while (piece >= PAGE_SIZE_2M && !add_piece(vm, gpa, piece))
            piece = align_down(piece / 2, PAGE_SIZE_2M);
        if (piece < PAGE_SIZE_2M)
            return false;
        gpa += piece;
        size -= piece;
    }
    return true;
}

static bool add_memory(struct vm *vm)
{
    uint64_t low = guest_low_ram(vm->config->memory);
    uint64_t high = guest_high_ram(vm->config->memory);

    for (unsigned vtl = 0; vtl < vm->vtls; vtl++)
        if (!ept_init(&vm->ept[vtl], this_cpu()->vmx->caps) ||
            !ept_add_view(&vm->ept[vtl], APIC_BASE_DEFAULT, vmx_apic_access_page()))
            return false;
    return add_ram(vm, 0, low) && add_ram(vm, GUEST_HIGH_RAM, high) &&
           (!vm->config->testdev || add_piece(vm, TESTDEV_MEMORY, TESTDEV_MEMORY_SIZE));
}

static void free_memory(struct vm *vm)
{
    for (unsigned vtl = 0; vtl < vm->vtls; vtl++)
        if (vm->ept[vtl].root != NULL)
            ept_destroy(&vm->ept[vtl]);
    for (uint32_t i = 0; i < vm->memory.count; i++)
        memory_free(vm->memory.slots[i].hva, vm->memory.slots[i].size);
}

/* ---- Processors ------------------------------------------------------------------------------ */

_Static_assert((uint32_t)CONFIG_VCPUS_MAX <= (uint32_t)APIC_MAX_APICS &&
                   (uint32_t)CONFIG_VCPUS_MAX <= (uint32_t)GUEST_ACPI_CPUS_MAX,
               "whatever is configured can be built");

static const uint32_t *apic_ids(const struct vm *vm, const struct handover *handover)
{
    return handover->config.apic_ids + vm->config->first_apic_id;
}

static bool add_vcpus(struct vm *vm, const uint32_t *ids)
{
    uint32_t count = vm->config->vcpus;

    vm->vcpus = memory_alloc(count * sizeof(struct vcpu *), MEMORY_GRANULE);
    if (vm->vcpus == NULL)
        return false;
    for (; vm->vcpu_count < count; vm->vcpu_count++) {
        struct vcpu *vcpu = vcpu_create(vm, vm->vcpu_count, ids[vm->vcpu_count]);

        if (vcpu == NULL)
            return false;
        vm->vcpus[vm->vcpu_count] = vcpu;
    }
    return true;
}

static bool create_ipi_tables(struct vm *vm, const uint32_t *ids)
{
    uint32_t last = 0;

    for (uint32_t i = 0; i < vm->config->vcpus; i++)
        last = max(last, ids[i]);
    return !vmx_apic_in(vm->apic_help, VMX_APIC_IPI) || guest_ipi_create(vm, last);
}

static void free_vcpus(struct vm *vm)
{
    for (uint32_t i = 0; i < vm->vcpu_count; i++)
        vcpu_destroy(vm->vcpus[i]);
    memory_free(vm->vcpus, vm->config->vcpus * sizeof(struct vcpu *));
}

/* ---- The guest's files ----------------------------------------------------------------------- */

static bool load(struct vm *vm, const struct handover *handover)
{
    struct image_boot boot;
    struct image_error error;
    struct guest_start start;

    guest_files(handover, vm->config, DIRECT_MAP_BASE, &boot);
    boot.rsdp = guest_acpi_build(&vm->memory, apic_ids(vm, handover), vm->vcpu_count, vm->config);
    if (boot.rsdp == 0 || !guest_smbios_build(&vm->memory) || !guest_bios_data_build(&vm->memory)) {
        log_error("vm %s: no RAM for the firmware tables", vm->config->name);
        return false;
    }
    if (!image_load(&boot, &vm->memory, &start, &error)) {
        log_error("vm %s: %s", vm->config->name, error.text);
        return false;
    }
    vcpu_set_start(vm->vcpus[0], &start);
    if (vm->config->legacy && !vm->config->firmware)
        guest_apic_virtual_wire(&vm->vcpus[0]->contexts[0]);
    return true;
}

/* ---- Life ------------------------------------------------------------------------------------ */

static bool make(struct vm *vm, const struct handover *handover)
{
    if (!add_memory(vm)) {
        struct memory_statistics s = memory_statistics();

        log_error("vm %s: no memory for a guest of %lu MiB: %lu MiB are free", vm->config->name,
                  vm->config->memory >> 20, s.free >> 20);
        return false;
    }
    guest_apic_init_domain(vm);
    if (!create_ipi_tables(vm, apic_ids(vm, handover)) || !hv_partition_create(vm) ||
        !add_vcpus(vm, apic_ids(vm, handover))) {
        log_error("vm %s: no memory for its virtual processors", vm->config->name);
        return false;
    }
    return load(vm, handover);
}

static void destroy(struct vm *vm)
{
    free_vcpus(vm);
    hv_partition_destroy(vm);
    guest_ipi_destroy(vm);
    apic_domain_destroy(&vm->apic);
    free_memory(vm);
    memory_free(vm, sizeof(*vm));
}

struct vm *vm_create(const struct config_vm *config, const struct handover *handover)
{
    struct vm *vm = memory_alloc(sizeof(*vm), PAGE_SIZE);

    if (vm == NULL) {
        log_error("vm %s: no memory to describe it", config->name);
        return NULL;
    }
    vm->config = config;
    vm->number = (uint8_t)(config - handover->config.vms);
    vm->trace = trace_classes(handover, vm->number);
    vm->tsc_hz = time_tsc_hz();
    vm->tsc_start = time_now_tsc();
    vm->vtls = config->hyperv ? config->vtls : 1;
    if (make(vm, handover))
        return vm;
    destroy(vm);
    return NULL;
}

uint64_t vm_time_ns(const struct vm *vm)
{
    return tsc_to_ns(vm_time_tsc(vm));
}

void vm_stop(struct vm *vm, enum vm_stop reason, uint32_t code)
{
    uint32_t running = VM_RUNS;

    if (!atomic_compare_exchange_strong(&vm->stop, &running, reason))
        return;
    vm->stop_code = code;
    for (uint32_t i = 0; i < vm->vcpu_count; i++)
        sched_wake(vm->vcpus[i]);
}

void vm_vcpu_finished(struct vm *vm)
{
    if (atomic_fetch_sub(&vm->vcpus_left, 1) == 1)
        sched_interrupt(cpu_get(0));
}

static void set_clock(struct vm *vm)
{
    vm->tsc_start = time_now_tsc();
    vm->tsc_limit =
        vm->config->time_limit_ns == 0 ? UINT64_MAX : ns_to_tsc(vm->config->time_limit_ns);
}

bool vm_has_ended(const struct vm *vm)
{
    return atomic_load(&vm->vcpus_left) == 0;
}

void vm_start(struct vm *vm, const struct handover *handover, bool beside)
{
    log_info("vm %s: started", vm->config->name);
    atomic_store(&vm->vcpus_left, vm->vcpu_count);
    set_clock(vm);
    gdb_vm_starts(vm);
    machine_init(vm, handover, beside);
    for (uint32_t i = 0; i < vm->vcpu_count; i++)
        vcpu_start_clock(vm->vcpus[i]);
    for (uint32_t i = 0; i < vm->vcpu_count; i++)
        sched_start(vm->vcpus[i]);
    if (vm->config->console)
        vm_console_take_input(&vm->machine.console);
}

static void report_reason(const struct vm *vm)
{
    static const char *const reasons[] = {
        [VM_POWER_OFF] = "power-off",
        [VM_RESET] = "reset",
        [VM_TRIPLE_FAULT] = "triple fault",
        [VM_ERROR] = "error: see above",
    };
    const char *name = vm->config->name;
    uint32_t reason = atomic_load(&vm->stop);

    ASSERT(reason != VM_RUNS);
    if (reason == VM_DEBUG_EXIT)
        log_info("vm %s: stopped: debug-exit code %u", name, vm->stop_code);
    else if (reason == VM_TIME_LIMIT)
        log_info("vm %s: stopped: time limit of %lu ms reached", name,
                 vm->config->time_limit_ns / 1000000);
    else
        log_info("vm %s: stopped: %s", name, reasons[reason]);
}

static uint64_t count_exits(const struct vm *vm, unsigned reason)
{
    uint64_t count = 0;

    for (uint32_t i = 0; i < vm->vcpu_count; i++)
        count += vcpu_exits(vm->vcpus[i], reason);
    return count;
}

static void report_exits(const struct vm *vm)
{
    uint64_t total = 0;
    uint64_t ms = vm_time_ns(vm) / 1000000;

    for (unsigned reason = 0; reason < VMX_EXIT_REASONS; reason++)
        total += count_exits(vm, reason);
    log_info("vm %s: %lu.%03lu s of guest time, %lu exits", vm->config->name, ms / 1000, ms % 1000,
             total);
    for (unsigned reason = 0; reason < VMX_EXIT_REASONS; reason++) {
        const char *text = vmx_exit_name(reason);

        if (count_exits(vm, reason) > 0)
            log_info("vm %s: %12lu %s", vm->config->name, count_exits(vm, reason),
                     text != NULL ? text : "unknown reason");
    }
}

void vm_end(struct vm *vm)
{
    gdb_vm_ends(vm);
    vm_console_close(&vm->machine.console);
    report_reason(vm);
    report_exits(vm);
    for (uint32_t i = 0; i < vm->vcpu_count; i++)
        vcpu_retire(vm->vcpus[i]);
    destroy(vm);
}
