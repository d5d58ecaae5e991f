/* SPDX-License-Identifier: BSD-2-Clause */
/* The machine's one APIC epoch. */
#include "core/epoch.h"

#include "core/assert.h"
#include "core/memory.h"

struct apic_epoch machine_epoch;

void epoch_init(uint32_t cpus)
{
    struct apic_epoch_cpu *slots =
        memory_alloc(cpus * sizeof(*slots), _Alignof(struct apic_epoch_cpu));

    ASSERT(slots != NULL);
    apic_epoch_init(&machine_epoch, slots, cpus);
}
