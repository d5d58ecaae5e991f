/* SPDX-License-Identifier: BSD-2-Clause */
/* Epochs: how a writer learns that nobody reads an old map any more. */
#include "apic/internal.h"
#include "apic/lock.h"

void apic_epoch_init(struct apic_epoch *epoch, struct apic_epoch_cpu *slots, unsigned cpus)
{
    atomic_init(&epoch->now, 1);
    epoch->cpus = cpus;
    epoch->cpu = slots;
    for (unsigned i = 0; i < cpus; i++)
        atomic_init(&slots[i].inside, 0);
}

void apic_epoch_wait(struct apic_epoch *all, uint64_t epoch)
{
    for (unsigned i = 0; i < all->cpus; i++) {
        for (;;) {
            uint64_t inside = atomic_load(&all->cpu[i].inside);
            if (inside == 0 || inside > epoch)
                break;
            apic_relax();
        }
    }
}
