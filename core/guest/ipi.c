/* SPDX-License-Identifier: BSD-2-Clause */
/* Tables of posted-interrupt descriptors, and where their notifications go. */
#include "core/guest/ipi.h"

#include "apic/domain.h"
#include "core/interrupt.h"
#include "core/memory.h"
#include "core/vcpu.h"
#include "core/vm.h"
#include "drivers/host/local_apic.h"

static uint64_t table_size(const struct vm *vm)
{
    return ((uint64_t)vm->ipi_last + 1) * sizeof(uint64_t);
}

bool guest_ipi_create(struct vm *vm, uint32_t last)
{
    vm->ipi_last = (uint16_t)min(last, (uint32_t)UINT16_MAX);
    for (unsigned vtl = 0; vtl < vm->vtls; vtl++) {
        vm->ipi_table[vtl] = memory_alloc(table_size(vm), PAGE_SIZE);
        if (vm->ipi_table[vtl] == NULL)
            return false;
    }
    return true;
}

void guest_ipi_destroy(struct vm *vm)
{
    for (unsigned vtl = 0; vtl < vm->vtls; vtl++)
        if (vm->ipi_table[vtl] != NULL)
            memory_free(vm->ipi_table[vtl], table_size(vm));
}

void guest_ipi_remapped(struct vm *vm, unsigned vtl)
{
    uint64_t *table = vm->ipi_table[vtl];

    if (table == NULL)
        return;
    for (uint32_t id = 0; id <= vm->ipi_last; id++)
        __atomic_store_n(&table[id], vmx_apic_ipi_entry(apic_sole_target(&vm->apic, vtl, id)),
                         __ATOMIC_SEQ_CST);
}

static void direct(struct vcpu *vcpu, const struct context *running)
{
    /* The descriptor has the APIC ID as an interrupt message has it. */
    uint32_t id = this_cpu()->apic_id << (host_apic_is_x2apic() ? 0 : 8);

    for (unsigned vtl = 0; vtl < vcpu->vm->vtls; vtl++)
        apic_post_notify(vcpu->contexts[vtl].post,
                         &vcpu->contexts[vtl] == running ? VECTOR_POSTED : VECTOR_WAKE, id);
    vcpu->notified = running;
}

void guest_ipi_runs(struct vcpu *vcpu)
{
    if (vcpu->vm->ipi_table[0] != NULL && vcpu->notified != vcpu->active)
        direct(vcpu, vcpu->active);
}

void guest_ipi_stops(struct vcpu *vcpu)
{
    if (vcpu->vm->ipi_table[0] != NULL)
        direct(vcpu, NULL);
}

static void wake_if_posted(struct vcpu *vcpu)
{
    for (unsigned vtl = 0; vtl < vcpu->vm->vtls; vtl++)
        if (apic_posted(vcpu->contexts[vtl].post))
            sched_wake(vcpu);
}

/* The interrupt does not say whose descriptor it is about. */
static void wake(void)
{
    sched_for_members(wake_if_posted);
}

void guest_ipi_init(void)
{
    interrupt_register(VECTOR_WAKE, wake);
}
