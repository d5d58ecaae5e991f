/* SPDX-License-Identifier: BSD-2-Clause */
/* Reads RSDP, XSDT or RSDT, and MADT, as the ACPI specification lays them out. */
#include "drivers/host/acpi.h"

#include "core/bits.h"
#include "core/string.h"

/* ACPI specification, "Root System Description Pointer (RSDP)" and "System Description Table
 * Header". */
enum {
    RSDP_SIZE_V1 = 20,
    RSDP_SIZE_V2 = 36,
    RSDP_REVISION = 15,
    RSDP_RSDT = 16,
    RSDP_XSDT = 24,
    HEADER_SIZE = 36,
    HEADER_LENGTH = 4,
    TABLE_SIZE_MAX = 0x100000,
};

/* ACPI specification, "Multiple APIC Description Table (MADT)". */
enum {
    MADT_STRUCTURES = 44,      /* behind header, local APIC address and flags */
    MADT_STRUCTURE_HEADER = 2, /* type, length */
    MADT_IO_APIC = 1,
    MADT_IO_APIC_SIZE = 12,
    MADT_IO_APIC_ADDRESS = 4,
    MADT_IO_APIC_GSI = 8,
    MADT_OVERRIDE = 2,
    MADT_OVERRIDE_SIZE = 10,
    MADT_OVERRIDE_SOURCE = 3,
    MADT_OVERRIDE_GSI = 4,
    MADT_OVERRIDE_FLAGS = 8,
    FLAGS_POLARITY = 0x3,
    FLAGS_ACTIVE_LOW = 0x3,
    FLAGS_TRIGGER = 0xc,
    FLAGS_LEVEL = 0xc,
};

#define DEFAULT_IO_APIC 0xfec00000ull

static bool sums_to_zero(const uint8_t *bytes, uint32_t n)
{
    uint8_t sum = 0;
    while (n--)
        sum = (uint8_t)(sum + *bytes++);
    return sum == 0;
}

/* The whole table at `address`, or NULL when it is not a sound one of that name. */
static const uint8_t *map_table(paddr_t address, const char *signature, acpi_map map,
                                uint32_t *length)
{
    const uint8_t *table = map(address, HEADER_SIZE);
    if (!table || memcmp(table, signature, 4) != 0)
        return NULL;
    *length = load32(table + HEADER_LENGTH);
    if (*length < HEADER_SIZE || *length > TABLE_SIZE_MAX)
        return NULL;
    table = map(address, *length);
    return table && sums_to_zero(table, *length) ? table : NULL;
}

/* Searches the root table, which holds addresses of `width` bytes. */
static const uint8_t *find_in_root(paddr_t root_address, const char *root_signature, uint32_t width,
                                   const char *signature, acpi_map map, uint32_t *length)
{
    uint32_t root_length;
    const uint8_t *root = map_table(root_address, root_signature, map, &root_length);
    if (!root)
        return NULL;
    for (uint32_t at = HEADER_SIZE; at + width <= root_length; at += width) {
        paddr_t address = width == 8 ? load64(root + at) : load32(root + at);
        const uint8_t *table = map_table(address, signature, map, length);
        if (table)
            return table;
    }
    return NULL;
}

const uint8_t *acpi_find_table(paddr_t rsdp_address, const char *signature, acpi_map map,
                               uint32_t *length)
{
    const uint8_t *rsdp = map(rsdp_address, RSDP_SIZE_V1);
    if (!rsdp || memcmp(rsdp, "RSD PTR ", 8) != 0 || !sums_to_zero(rsdp, RSDP_SIZE_V1))
        return NULL;
    if (rsdp[RSDP_REVISION] >= 2) {
        const uint8_t *rsdp2 = map(rsdp_address, RSDP_SIZE_V2);
        if (rsdp2 && sums_to_zero(rsdp2, RSDP_SIZE_V2) && load64(rsdp2 + RSDP_XSDT))
            return find_in_root(load64(rsdp2 + RSDP_XSDT), "XSDT", 8, signature, map, length);
    }
    return find_in_root(load32(rsdp + RSDP_RSDT), "RSDT", 4, signature, map, length);
}

static void take_io_apic(const uint8_t *entry, struct acpi_interrupts *interrupts)
{
    if (interrupts->n_io_apics == ACPI_IO_APICS_MAX)
        return;
    interrupts->io_apics[interrupts->n_io_apics++] = (struct acpi_io_apic){
        load32(entry + MADT_IO_APIC_ADDRESS), load32(entry + MADT_IO_APIC_GSI)};
}

static void take_override(const uint8_t *entry, struct acpi_interrupts *interrupts)
{
    uint8_t source = entry[MADT_OVERRIDE_SOURCE];
    uint16_t flags = load16(entry + MADT_OVERRIDE_FLAGS);
    if (source >= ACPI_ISA_INTERRUPTS)
        return;
    interrupts->isa[source] = (struct acpi_isa_route){
        .gsi = load32(entry + MADT_OVERRIDE_GSI),
        .active_low = (flags & FLAGS_POLARITY) == FLAGS_ACTIVE_LOW,
        .level_triggered = (flags & FLAGS_TRIGGER) == FLAGS_LEVEL,
    };
}

const uint8_t *acpi_next_madt_structure(const uint8_t *madt, uint32_t length,
                                        const uint8_t *previous)
{
    uint32_t at = previous ? (uint32_t)(previous - madt) + previous[1] : MADT_STRUCTURES;
    if (at > length || length - at < MADT_STRUCTURE_HEADER)
        return NULL;
    uint8_t size = madt[at + 1];
    return size >= MADT_STRUCTURE_HEADER && size <= length - at ? madt + at : NULL;
}

static void read_madt(const uint8_t *madt, uint32_t length, struct acpi_interrupts *interrupts)
{
    const uint8_t *entry = NULL;
    while ((entry = acpi_next_madt_structure(madt, length, entry))) {
        if (entry[0] == MADT_IO_APIC && entry[1] >= MADT_IO_APIC_SIZE)
            take_io_apic(entry, interrupts);
        else if (entry[0] == MADT_OVERRIDE && entry[1] >= MADT_OVERRIDE_SIZE)
            take_override(entry, interrupts);
    }
}

static void set_defaults(struct acpi_interrupts *interrupts)
{
    *interrupts = (struct acpi_interrupts){.n_io_apics = 0};
    for (uint32_t i = 0; i < ACPI_ISA_INTERRUPTS; i++)
        interrupts->isa[i].gsi = i;
}

bool acpi_read_interrupts(paddr_t rsdp, acpi_map map, struct acpi_interrupts *interrupts)
{
    uint32_t length;
    const uint8_t *madt = rsdp ? acpi_find_table(rsdp, "APIC", map, &length) : NULL;
    set_defaults(interrupts);
    if (madt)
        read_madt(madt, length, interrupts);
    if (interrupts->n_io_apics)
        return true;
    set_defaults(interrupts);
    interrupts->n_io_apics = 1;
    interrupts->io_apics[0] = (struct acpi_io_apic){DEFAULT_IO_APIC, 0};
    return false;
}
