/* SPDX-License-Identifier: BSD-2-Clause */
/* The processors found so far, by APIC ID. Pure: no firmware calls. */
#ifndef LAPWING_BOOT_CPU_LIST_H
#define LAPWING_BOOT_CPU_LIST_H

#include <stdbool.h>
#include <stdint.h>

#include "core/handover.h"

/* A processor of which some source says that it must not be used stays out, whatever the others
 * say: a firmware that disabled it did so for a reason. */
struct cpu_list {
    uint32_t n_cpus;
    uint32_t n_disabled;
    uint32_t bsp;      /* APIC ID */
    uint32_t left_out; /* enabled, but there was no room */
    uint32_t cpus[HANDOVER_MAX_CPUS];
    uint32_t disabled[HANDOVER_MAX_CPUS];
};

/* Empties the list and enters the boot processor. */
void cpu_list_start(struct cpu_list *list, uint32_t bsp);

/* Enters a processor, unless it is there already. */
void cpu_list_add(struct cpu_list *list, uint32_t apic_id, bool enabled);

/* Enters all processors of a MADT of size bytes. Stops at a structure that is not well-formed. */
void cpu_list_add_madt(struct cpu_list *list, const void *madt, uint32_t size);

#endif
