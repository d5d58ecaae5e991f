/* SPDX-License-Identifier: BSD-2-Clause */
/* The machine's one APIC epoch (apic/domain.h): brackets every call that may route a message. */
#pragma once

#include "apic/domain.h"
#include "core/cpu.h"

extern struct apic_epoch machine_epoch;

/* Makes the epoch for CPUs 0 to @cpus - 1. Once, at start. */
void epoch_init(uint32_t cpus);

/* On any CPU; not nested. */
static inline void epoch_enter(void)
{
    apic_epoch_enter(&machine_epoch, this_cpu()->index);
}

static inline void epoch_leave(void)
{
    apic_epoch_leave(&machine_epoch, this_cpu()->index);
}
