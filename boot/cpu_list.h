/* SPDX-License-Identifier: BSD-2-Clause */
/* The processors found so far, by APIC ID. Pure: no firmware calls. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum { CPU_LIST_MAX = 4096 };

/* The boot processor first. One of which some source says that it must not be used stays out,
 * whatever the others say: a firmware that disabled it did so for a reason. */
struct cpu_list {
    uint32_t count;
    struct {
        uint32_t apic_id;
        bool enabled;
    } cpus[CPU_LIST_MAX];
};

/* Empties the list and enters the boot processor. */
void cpu_list_start(struct cpu_list *list, uint32_t bsp);

/* Enters a processor, or what another source says of it. Without effect on a full list. */
void cpu_list_add(struct cpu_list *list, uint32_t apic_id, bool enabled);

/* Enters all processors of a MADT of size bytes. Stops at a structure that is not well-formed. */
void cpu_list_add_madt(struct cpu_list *list, const uint8_t *madt, uint32_t size);

/* The first max enabled processors; returns how many there are. */
uint32_t cpu_list_enabled(const struct cpu_list *list, uint32_t *apic_ids, uint32_t max);
