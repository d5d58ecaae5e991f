/* SPDX-License-Identifier: BSD-2-Clause */
/* The guest's SMBIOS tables. Source: DMTF DSP0134 3.4, "SMBIOS Reference Specification". */
#include "core/guest/smbios.h"

#include "core/guest/layout.h"
#include "core/string.h"
#include "core/version.h"

enum smbios {
    /* The 64-bit entry point. */
    ENTRY_CHECKSUM = 5,
    ENTRY_LENGTH = 6,
    ENTRY_MAJOR = 7,
    ENTRY_MINOR = 8,
    ENTRY_REVISION = 10,
    ENTRY_TABLE_SIZE = 12,
    ENTRY_TABLE = 16,
    ENTRY_SIZE = 24,

    /* Every structure; formatted fields end at its length, then come its strings. */
    STRUCTURE_LENGTH = 1,
    STRUCTURE_HANDLE = 2,

    BIOS_TYPE = 0,
    BIOS_VENDOR = 4,
    BIOS_VERSION = 5,
    BIOS_DATE = 8,
    BIOS_CHARACTERISTICS = 10,
    BIOS_EXTENSION_2 = 19,
    BIOS_MAJOR = 20, /* 0xff in these four: not supported */
    BIOS_SIZE = 24,
    BIOS_UNKNOWN = 1 << 3,         /* the characteristics are not given */
    BIOS_VIRTUAL_MACHINE = 1 << 4, /* in extension byte 2 */

    SYSTEM_TYPE = 1,
    SYSTEM_MANUFACTURER = 4,
    SYSTEM_PRODUCT = 5,
    SYSTEM_VERSION = 6,
    SYSTEM_WAKE_UP = 24,
    SYSTEM_SIZE = 27,
    SYSTEM_WAKE_UP_POWER_SWITCH = 6,

    END_TYPE = 127,
    END_SIZE = 4,
};

enum {
    TABLE_OFFSET = 32, /* of the first structure, from the entry point */
    SMBIOS_ROOM = GUEST_SMBIOS_END - GUEST_SMBIOS_BASE,
};

/* Strings of a structure, each with its NUL; an empty one, the literal's own NUL, ends them. */
static const char bios_strings[] = "Lapwing\0" LAPWING_VERSION "\0"
                                   "01/01/2026\0";
static const char system_strings[] = "Lapwing\0"
                                     "Virtual machine\0" LAPWING_VERSION "\0";
static const char no_strings[] = "\0";

struct writer {
    uint8_t *base;
    uint32_t used;
    uint16_t handle;
};

/* Returns the structure's formatted part, all zero but its header, and appends its strings. */
static uint8_t *add(struct writer *w, uint8_t type, uint8_t size, const char *strings,
                    uint32_t strings_size)
{
    uint8_t *structure = w->base + w->used;

    structure[0] = type;
    structure[STRUCTURE_LENGTH] = size;
    memcpy(structure + STRUCTURE_HANDLE, &w->handle, sizeof(w->handle));
    memcpy(structure + size, strings, strings_size);
    w->handle++;
    w->used += size + strings_size;
    return structure;
}

static void add_bios(struct writer *w)
{
    uint8_t *bios = add(w, BIOS_TYPE, BIOS_SIZE, bios_strings, sizeof(bios_strings));

    bios[BIOS_VENDOR] = 1;
    bios[BIOS_VERSION] = 2;
    bios[BIOS_DATE] = 3;
    bios[BIOS_CHARACTERISTICS] = BIOS_UNKNOWN;
    bios[BIOS_EXTENSION_2] = BIOS_VIRTUAL_MACHINE;
    memset(bios + BIOS_MAJOR, 0xff, BIOS_SIZE - BIOS_MAJOR);
}

static void add_system(struct writer *w)
{
    uint8_t *system = add(w, SYSTEM_TYPE, SYSTEM_SIZE, system_strings, sizeof(system_strings));

    system[SYSTEM_MANUFACTURER] = 1;
    system[SYSTEM_PRODUCT] = 2;
    system[SYSTEM_VERSION] = 3;
    system[SYSTEM_WAKE_UP] = SYSTEM_WAKE_UP_POWER_SWITCH;
}

static void set_entry_point(uint8_t *entry, uint32_t table_size)
{
    const uint64_t table = GUEST_SMBIOS_BASE + TABLE_OFFSET;
    uint8_t sum = 0;

    memcpy(entry, "_SM3_", 5);
    entry[ENTRY_LENGTH] = ENTRY_SIZE;
    entry[ENTRY_MAJOR] = 3;
    entry[ENTRY_MINOR] = 4;
    entry[ENTRY_REVISION] = 1;
    memcpy(entry + ENTRY_TABLE_SIZE, &table_size, sizeof(table_size));
    memcpy(entry + ENTRY_TABLE, &table, sizeof(table));
    for (uint32_t i = 0; i < ENTRY_SIZE; i++)
        sum += entry[i];
    entry[ENTRY_CHECKSUM] = (uint8_t)-sum;
}

bool guest_smbios_build(const struct guest_memory *gm)
{
    uint8_t *base = gm_ptr(gm, GUEST_SMBIOS_BASE, SMBIOS_ROOM);

    if (!base)
        return false;
    memset(base, 0, SMBIOS_ROOM);
    struct writer w = {.base = base, .used = TABLE_OFFSET};
    add_bios(&w);
    add_system(&w);
    add(&w, END_TYPE, END_SIZE, no_strings, sizeof(no_strings));
    set_entry_point(base, w.used - TABLE_OFFSET);
    return true;
}
