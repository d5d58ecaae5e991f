/* SPDX-License-Identifier: BSD-2-Clause */
/* The processors found so far, by APIC ID. */
#include "boot/cpu_list.h"

#include "core/string.h"

/* ACPI specification, "Multiple APIC Description Table (MADT)". */
enum {
    MADT_STRUCTURES = 44, /* behind header, local APIC address and flags */
    STRUCTURE_HEADER = 2, /* type, length */
    TYPE_LOCAL_APIC = 0,
    TYPE_LOCAL_X2APIC = 9,
    LOCAL_APIC_ID = 3, /* offsets from the start of the structure */
    LOCAL_APIC_FLAGS = 4,
    LOCAL_APIC_SIZE = 8,
    LOCAL_X2APIC_ID = 4,
    LOCAL_X2APIC_FLAGS = 8,
    LOCAL_X2APIC_SIZE = 16,
    FLAG_ENABLED = 1,
    /* Broadcast: some firmware fills unused entries with it. */
    NO_APIC_ID = 0xff,
};
#define NO_X2APIC_ID 0xffffffffu

static bool contains(const uint32_t *ids, uint32_t n, uint32_t id)
{
    for (uint32_t i = 0; i < n; i++) {
        if (ids[i] == id)
            return true;
    }
    return false;
}

void cpu_list_start(struct cpu_list *list, uint32_t bsp)
{
    *list = (struct cpu_list){.bsp = bsp};
    cpu_list_add(list, bsp, true);
}

static void take_out(struct cpu_list *list, uint32_t apic_id)
{
    for (uint32_t i = 0; i < list->n_cpus; i++) {
        if (list->cpus[i] != apic_id)
            continue;
        list->n_cpus--;
        memmove(&list->cpus[i], &list->cpus[i + 1], (list->n_cpus - i) * sizeof(list->cpus[0]));
        return;
    }
}

static void add_disabled(struct cpu_list *list, uint32_t apic_id)
{
    if (apic_id == list->bsp || contains(list->disabled, list->n_disabled, apic_id))
        return;
    take_out(list, apic_id);
    if (list->n_disabled < HANDOVER_MAX_CPUS)
        list->disabled[list->n_disabled++] = apic_id;
}

void cpu_list_add(struct cpu_list *list, uint32_t apic_id, bool enabled)
{
    if (!enabled) {
        add_disabled(list, apic_id);
        return;
    }
    if (contains(list->cpus, list->n_cpus, apic_id) ||
        contains(list->disabled, list->n_disabled, apic_id))
        return;
    if (list->n_cpus == HANDOVER_MAX_CPUS)
        list->left_out++;
    else
        list->cpus[list->n_cpus++] = apic_id;
}

static uint32_t read32(const uint8_t *p)
{
    uint32_t value;

    memcpy(&value, p, sizeof(value));
    return value;
}

static void add_structure(struct cpu_list *list, const uint8_t *s, uint32_t length)
{
    if (s[0] == TYPE_LOCAL_APIC && length >= LOCAL_APIC_SIZE && s[LOCAL_APIC_ID] != NO_APIC_ID)
        cpu_list_add(list, s[LOCAL_APIC_ID], read32(s + LOCAL_APIC_FLAGS) & FLAG_ENABLED);
    if (s[0] == TYPE_LOCAL_X2APIC && length >= LOCAL_X2APIC_SIZE &&
        read32(s + LOCAL_X2APIC_ID) != NO_X2APIC_ID)
        cpu_list_add(list, read32(s + LOCAL_X2APIC_ID),
                     read32(s + LOCAL_X2APIC_FLAGS) & FLAG_ENABLED);
}

void cpu_list_add_madt(struct cpu_list *list, const void *madt, uint32_t size)
{
    const uint8_t *table = madt;
    uint32_t at = MADT_STRUCTURES;

    while (at + STRUCTURE_HEADER <= size) {
        uint32_t length = table[at + 1];

        if (length < STRUCTURE_HEADER || length > size - at)
            return;
        add_structure(list, table + at, length);
        at += length;
    }
}
