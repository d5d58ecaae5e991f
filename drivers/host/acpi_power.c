/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ACPI's reset register and its sleep state S5, "soft off". No AML is interpreted: the package that
 * is named _S5 is looked for in the DSDT's bytes. ACPI specification, "Fixed ACPI Description Table
 * (FADT)", "Generic Address Structure", "\_Sx (System States)", "AML Grammar Definition".
 */
#include "drivers/host/acpi_power.h"

#include "core/bits.h"
#include "core/string.h"
#include "core/x86.h"

enum {
    HEADER_SIZE = 36,
    HEADER_LENGTH = 4,
    DSDT_SIZE_MAX = 0x1000000,

    FADT_DSDT = 40,
    FADT_SMI_COMMAND = 48,
    FADT_ACPI_ENABLE = 52,
    FADT_PM1A_CONTROL = 64,
    FADT_PM1B_CONTROL = 68,
    FADT_SIZE_V1 = 116,
    FADT_FLAGS = 112,
    FLAG_RESET_REGISTER = 1 << 10,
    FADT_RESET_REGISTER = 116,
    FADT_RESET_VALUE = 128,
    FADT_X_DSDT = 140,
    FADT_X_PM1A_CONTROL = 172,
    FADT_X_PM1B_CONTROL = 184,

    ADDRESS_SIZE = 12, /* of a generic address structure: space, width, offset, access, address */
    ADDRESS_VALUE = 4,
    SPACE_MEMORY = 0,
    SPACE_PORT = 1,
    PORT_MAX = 0xffff,
};

enum { AML_ZERO = 0x00, AML_ONE = 0x01, AML_NAME = 0x08, AML_BYTE = 0x0a, AML_PACKAGE = 0x12 };

/* "PM1 Control Registers". */
#define PM1_SCI_ENABLED BIT(0)
#define PM1_SLEEP_TYPE  MASK(12, 10)
#define PM1_SLEEP       BIT(13)

enum { ENABLE_TRIES = 3000000, OFF_TRIES = 3000000 }; /* reads of a port, about 1 us each */

/* ---- The tables ------------------------------------------------------------------------------ */

struct table {
    const uint8_t *bytes;
    uint32_t length;
};

static bool reaches(const struct table *table, uint32_t offset, uint32_t size)
{
    return size <= table->length && offset <= table->length - size;
}

/* The port in a generic address structure, else the one in the 32-bit field of before; or 0. */
static uint16_t control_port(const struct table *fadt, uint32_t extended, uint32_t old)
{
    uint64_t address = 0;
    if (reaches(fadt, extended, ADDRESS_SIZE) && fadt->bytes[extended] == SPACE_PORT)
        address = load64(fadt->bytes + extended + ADDRESS_VALUE);
    if (address == 0)
        address = load32(fadt->bytes + old);
    return address <= PORT_MAX ? (uint16_t)address : 0;
}

static void read_reset(const struct table *fadt, struct acpi_power *power)
{
    const uint8_t *reset = fadt->bytes + FADT_RESET_REGISTER;
    if (!reaches(fadt, FADT_RESET_VALUE, 1) ||
        !(load32(fadt->bytes + FADT_FLAGS) & FLAG_RESET_REGISTER))
        return;
    power->reset = load64(reset + ADDRESS_VALUE);
    power->reset_value = fadt->bytes[FADT_RESET_VALUE];
    power->reset_is_port = reset[0] == SPACE_PORT;
    power->can_reset = power->reset_is_port ? power->reset <= PORT_MAX : reset[0] == SPACE_MEMORY;
}

static bool map_dsdt(const struct table *fadt, acpi_map map, struct table *dsdt)
{
    paddr_t address = load32(fadt->bytes + FADT_DSDT);
    if (reaches(fadt, FADT_X_DSDT, 8) && load64(fadt->bytes + FADT_X_DSDT))
        address = load64(fadt->bytes + FADT_X_DSDT);
    const uint8_t *header = map(address, HEADER_SIZE);
    if (!header || memcmp(header, "DSDT", 4) != 0)
        return false;
    dsdt->length = load32(header + HEADER_LENGTH);
    if (dsdt->length < HEADER_SIZE || dsdt->length > DSDT_SIZE_MAX)
        return false;
    dsdt->bytes = map(address, dsdt->length);
    return dsdt->bytes != NULL;
}

/* A constant at *at that is a byte; moves behind it. */
static bool read_byte(const struct table *aml, uint32_t *at, uint8_t *value)
{
    if (!reaches(aml, *at, 1))
        return false;
    uint8_t code = aml->bytes[(*at)++];
    *value = code;
    if (code == AML_BYTE && !reaches(aml, *at, 1))
        return false;
    if (code == AML_BYTE)
        *value = aml->bytes[(*at)++];
    return code == AML_BYTE || code == AML_ZERO || code == AML_ONE;
}

/* `at` is behind the name: DefPackage, whose length takes one to four bytes, with two numbers. */
static bool read_s5(const struct table *dsdt, uint32_t at, struct acpi_power *power)
{
    if (!reaches(dsdt, at, 2) || dsdt->bytes[at] != AML_PACKAGE)
        return false;
    at += 1u + 1u + (dsdt->bytes[at + 1] >> 6) + 1u; /* the last is NumElements */
    return reaches(dsdt, at, 0) && dsdt->bytes[at - 1] >= 2 &&
           read_byte(dsdt, &at, &power->type_a) && read_byte(dsdt, &at, &power->type_b) &&
           power->type_a < 8 && power->type_b < 8;
}

/* NameOp, an optional root character, the name. */
static bool find_s5(const struct table *dsdt, struct acpi_power *power)
{
    for (uint32_t at = HEADER_SIZE + 1; reaches(dsdt, at, 4); at++) {
        const uint8_t *name = dsdt->bytes + at;
        bool defined = name[-1] == AML_NAME || (name[-1] == '\\' && name[-2] == AML_NAME);
        if (defined && memcmp(name, "_S5_", 4) == 0 && read_s5(dsdt, at + 4, power))
            return true;
    }
    return false;
}

static const char *read_off(const struct table *fadt, acpi_map map, struct acpi_power *power)
{
    struct table dsdt;
    power->pm1a = control_port(fadt, FADT_X_PM1A_CONTROL, FADT_PM1A_CONTROL);
    power->pm1b = control_port(fadt, FADT_X_PM1B_CONTROL, FADT_PM1B_CONTROL);
    power->smi_command = (uint16_t)load32(fadt->bytes + FADT_SMI_COMMAND);
    power->enable = fadt->bytes[FADT_ACPI_ENABLE];
    if (power->pm1a == 0)
        return "the FADT names no PM1a control register";
    if (!map_dsdt(fadt, map, &dsdt))
        return "there is no sound DSDT";
    return find_s5(&dsdt, power) ? NULL : "the DSDT holds no plain \\_S5";
}

void acpi_read_power(paddr_t rsdp, acpi_map map, struct acpi_power *power)
{
    struct table fadt = {0};
    *power = (struct acpi_power){.no_off = "there is no sound FADT"};
    if (rsdp)
        fadt.bytes = acpi_find_table(rsdp, "FACP", map, &fadt.length);
    if (!fadt.bytes || fadt.length < FADT_SIZE_V1)
        return;
    read_reset(&fadt, power);
    power->no_off = read_off(&fadt, map, power);
}

/* ---- Switching off --------------------------------------------------------------------------- */

/* "Legacy/ACPI Select and the SCI Interrupt": the sleep registers work in ACPI mode only. */
static void enter_acpi_mode(const struct acpi_power *power)
{
    if (power->smi_command == 0 || power->enable == 0 || in16(power->pm1a) & PM1_SCI_ENABLED)
        return;
    out8(power->smi_command, power->enable);
    for (int i = 0; i < ENABLE_TRIES && !(in16(power->pm1a) & PM1_SCI_ENABLED); i++)
        pause();
}

static void enter_sleep_state(uint16_t port, uint8_t type)
{
    uint64_t value = field_set(in16(port), PM1_SLEEP_TYPE, type);
    out16(port, (uint16_t)(value & ~PM1_SLEEP));
    out16(port, (uint16_t)(value | PM1_SLEEP));
}

void acpi_power_off(const struct acpi_power *power)
{
    enter_acpi_mode(power);
    enter_sleep_state(power->pm1a, power->type_a);
    if (power->pm1b != 0)
        enter_sleep_state(power->pm1b, power->type_b);
    for (int i = 0; i < OFF_TRIES; i++)
        in16(power->pm1a);
}
