/* SPDX-License-Identifier: BSD-2-Clause */
/* The processors found so far, by APIC ID. */
#include "boot/cpu_list.h"

#include <stddef.h>

#include "core/bits.h"
#include "drivers/host/acpi.h"

/* ACPI specification, "Multiple APIC Description Table (MADT)": offsets from the start of the
 * structure. */
enum {
    TYPE_LOCAL_APIC = 0,
    LOCAL_APIC_ID = 3,
    LOCAL_APIC_FLAGS = 4,
    LOCAL_APIC_SIZE = 8,
    TYPE_LOCAL_X2APIC = 9,
    LOCAL_X2APIC_ID = 4,
    LOCAL_X2APIC_FLAGS = 8,
    LOCAL_X2APIC_SIZE = 16,
    FLAG_ENABLED = 1,
    NO_APIC_ID = 0xff, /* broadcast: some firmware fills unused entries with it */
};
#define NO_X2APIC_ID 0xffffffffu

void cpu_list_start(struct cpu_list *list, uint32_t bsp)
{
    list->count = 0;
    cpu_list_add(list, bsp, true);
}

void cpu_list_add(struct cpu_list *list, uint32_t apic_id, bool enabled)
{
    uint32_t i = 0;

    while (i < list->count && list->cpus[i].apic_id != apic_id)
        i++;
    if (i == CPU_LIST_MAX)
        return;
    if (i == list->count) {
        list->cpus[i].apic_id = apic_id;
        list->cpus[i].enabled = true;
        list->count++;
    }
    if (!enabled && i > 0) /* the first is the one this code runs on */
        list->cpus[i].enabled = false;
}

void cpu_list_add_madt(struct cpu_list *list, const uint8_t *madt, uint32_t size)
{
    const uint8_t *s = NULL;

    while ((s = acpi_next_madt_structure(madt, size, s)) != NULL) {
        if (s[0] == TYPE_LOCAL_APIC && s[1] >= LOCAL_APIC_SIZE && s[LOCAL_APIC_ID] != NO_APIC_ID)
            cpu_list_add(list, s[LOCAL_APIC_ID], load32(s + LOCAL_APIC_FLAGS) & FLAG_ENABLED);
        if (s[0] == TYPE_LOCAL_X2APIC && s[1] >= LOCAL_X2APIC_SIZE &&
            load32(s + LOCAL_X2APIC_ID) != NO_X2APIC_ID)
            cpu_list_add(list, load32(s + LOCAL_X2APIC_ID),
                         load32(s + LOCAL_X2APIC_FLAGS) & FLAG_ENABLED);
    }
}

uint32_t cpu_list_enabled(const struct cpu_list *list, uint32_t *apic_ids, uint32_t max)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < list->count; i++) {
        if (!list->cpus[i].enabled)
            continue;
        if (n < max)
            apic_ids[n] = list->cpus[i].apic_id;
        n++;
    }
    return n;
}
