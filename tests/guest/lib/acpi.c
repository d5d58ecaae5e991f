/* SPDX-License-Identifier: BSD-2-Clause */
/* Finding ACPI tables. Source: ACPI Specification, "ACPI Software Programming Model". */
#include "tests/guest/guest.h"

enum {
    BIOS_AREA = 0xe0000,
    BIOS_AREA_END = 0x100000,
    RSDP_ALIGN = 16,
    RSDP_RSDT = 16,
    RSDP_XSDT = 24,
    RSDP_REVISION = 15,
    FADT_DSDT = 40,
    AML_PACKAGE = 0x12,
    AML_BYTE = 0x0a,
};

const uint8_t *acpi_rsdp(void)
{
    for (uintptr_t at = BIOS_AREA; at < BIOS_AREA_END; at += RSDP_ALIGN)
        if (!memcmp((const void *)at, "RSD PTR ", 8))
            return (const uint8_t *)at;
    return NULL;
}

bool acpi_sum_is_zero(const void *bytes, size_t count)
{
    uint8_t sum = 0;
    for (size_t i = 0; i < count; i++)
        sum = (uint8_t)(sum + ((const uint8_t *)bytes)[i]);
    return sum == 0;
}

static uint32_t u32_at(const void *from)
{
    uint32_t value;
    memcpy(&value, from, sizeof(value));
    return value;
}

uint32_t acpi_u32(const struct acpi_table *table, unsigned offset)
{
    return u32_at((const uint8_t *)table + offset);
}

static const struct acpi_table *table_at(uint32_t address)
{
    return (const struct acpi_table *)(uintptr_t)address;
}

const struct acpi_table *acpi_find(const char *signature)
{
    const uint8_t *rsdp = acpi_rsdp();
    if (!rsdp)
        return NULL;
    if (!memcmp(signature, "DSDT", 4)) {
        const struct acpi_table *fadt = acpi_find("FACP");
        return fadt ? table_at(acpi_u32(fadt, FADT_DSDT)) : NULL;
    }
    bool wide = rsdp[RSDP_REVISION] >= 2;
    const struct acpi_table *root = table_at(u32_at(rsdp + (wide ? RSDP_XSDT : RSDP_RSDT)));
    for (const uint8_t *entry = root->body; entry < (const uint8_t *)root + root->length;
         entry += wide ? 8 : 4) {
        const struct acpi_table *table = table_at(u32_at(entry));
        if (!memcmp(table->signature, signature, 4))
            return table;
    }
    return NULL;
}

/* NameOp's target followed by a short package whose first element is a small integer. */
bool acpi_s5_type(unsigned *type)
{
    const struct acpi_table *dsdt = acpi_find("DSDT");
    if (!dsdt)
        return false;
    for (const uint8_t *p = dsdt->body; p + 8 < (const uint8_t *)dsdt + dsdt->length; p++) {
        if (memcmp(p, "_S5_", 4) || p[4] != AML_PACKAGE)
            continue;
        *type = p[7] == AML_BYTE ? p[8] : p[7];
        return true;
    }
    return false;
}
