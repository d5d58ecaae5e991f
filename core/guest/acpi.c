/* SPDX-License-Identifier: BSD-2-Clause */
/* The guest's ACPI tables. Source: ACPI Specification 6.4, "ACPI Software Programming Model". */
#include "core/guest/acpi.h"

#include "core/bits.h"
#include "core/guest/layout.h"
#include "core/string.h"

/* Made from core/guest/dsdt.asl: a whole table, header and checksum included. */
static const uint8_t dsdt[] = {
#include "dsdt.inc"
};

enum { ACPI_ROOM = GUEST_ACPI_END - GUEST_ACPI_BASE };

/* Tables written one after the other; positions are offsets from GUEST_ACPI_BASE. */
struct tables {
    uint8_t *base;
    uint32_t used;
};

enum rsdp {
    RSDP_CHECKSUM = 8, /* of the first RSDP_SIZE_V1 bytes */
    RSDP_OEM_ID = 9,
    RSDP_REVISION = 15,
    RSDP_RSDT = 16,
    RSDP_SIZE_V1 = 20,
    RSDP_LENGTH = 20,
    RSDP_XSDT = 24,
    RSDP_CHECKSUM_ALL = 32,
    RSDP_SIZE = 36,
};

enum table_header {
    HEADER_LENGTH = 4,
    HEADER_REVISION = 8,
    HEADER_CHECKSUM = 9,
    HEADER_OEM_ID = 10,
    HEADER_OEM_TABLE_ID = 16,
    HEADER_OEM_REVISION = 24,
    HEADER_CREATOR_ID = 28,
    HEADER_CREATOR_REVISION = 32,
    HEADER_SIZE = 36,
};

enum facs {
    FACS_LENGTH = 4,
    FACS_VERSION = 32,
    FACS_SIZE = 64,
    FACS_ALIGNMENT = 64,
};

enum fadt {
    FADT_FIRMWARE_CTRL = 36,
    FADT_DSDT = 40,
    FADT_X_DSDT = 140,
    FADT_SIZE = 276,
    FADT_REVISION = 6,

    PM1_EVT_LENGTH = 4,
    PM1_CNT_LENGTH = 2,
    PM_TMR_LENGTH = 4,
    NO_C2 = 101,  /* a latency above 100 us: there is no C2 */
    NO_C3 = 1001, /* above 1000 us */
    RTC_CENTURY = 0x32,
};

enum fadt_boot_arch {
    BOOT_LEGACY_DEVICES = 1 << 0, /* something on an ISA bus: the serial port */
    BOOT_NO_VGA = 1 << 2,
    BOOT_NO_CMOS_RTC = 1 << 5,
};

enum fadt_flags {
    FLAG_WBINVD = 1 << 0,
    FLAG_PROC_C1 = 1 << 2,
    FLAG_NO_POWER_BUTTON = 1 << 4, /* as a fixed feature */
    FLAG_NO_SLEEP_BUTTON = 1 << 5,
    FLAG_NO_FIXED_RTC = 1 << 6,
    FLAG_TIMER_32 = 1 << 8,
    FLAG_RESET_REG = 1 << 10,
    FLAG_HEADLESS = 1 << 12,
};

/* A generic address structure's first half: I/O space, width in bits, access size (1, 2 or 4 bytes
 * by 1, 2 or 3). The port follows 4 bytes behind. */
#define IO_PORT(bits, access) (1 | (bits) << 8 | (access) << 24)

/* What a configuration decides. */
enum { PM_TIMER = 1 << 0, RESET_REG = 1 << 1, CLOCK = 1 << 2, NO_CLOCK = 1 << 3 };

/* All but the addresses of other tables. SMI_CMD and the GPE blocks stay 0: the machine is always
 * in ACPI mode and has no such events. */
static const struct {
    uint8_t at, bytes;
    uint32_t value;
    uint8_t with; /* is there with this; 0: always */
} fadt_fields[] = {
    {46, 2, GUEST_GSI_SCI, 0},              /* SCI_INT */
    {56, 4, GUEST_PORT_PM1_EVENT, 0},       /* PM1a_EVT_BLK */
    {64, 4, GUEST_PORT_PM1_CONTROL, 0},     /* PM1a_CNT_BLK */
    {76, 4, GUEST_PORT_PM_TIMER, PM_TIMER}, /* PM_TMR_BLK */
    {88, 1, PM1_EVT_LENGTH, 0},
    {89, 1, PM1_CNT_LENGTH, 0},
    {91, 1, PM_TMR_LENGTH, PM_TIMER},
    {96, 2, NO_C2, 0},
    {98, 2, NO_C3, 0},
    {108, 1, RTC_CENTURY, CLOCK},
    {109, 2, BOOT_LEGACY_DEVICES | BOOT_NO_VGA, 0}, /* IAPC_BOOT_ARCH */
    {109, 2, BOOT_NO_CMOS_RTC, NO_CLOCK},
    {112, 4,
     FLAG_WBINVD | FLAG_PROC_C1 | FLAG_NO_POWER_BUTTON | FLAG_NO_SLEEP_BUTTON | FLAG_NO_FIXED_RTC |
         FLAG_HEADLESS,
     0},
    {112, 4, FLAG_TIMER_32, PM_TIMER},
    {112, 4, FLAG_RESET_REG, RESET_REG},
    {116, 4, IO_PORT(8, 1), RESET_REG},
    {120, 4, GUEST_PORT_RESET, RESET_REG},
    {128, 1, GUEST_RESET_VALUE, RESET_REG},
    {148, 4, IO_PORT(PM1_EVT_LENGTH * 8, 2), 0}, /* X_PM1a_EVT_BLK */
    {152, 4, GUEST_PORT_PM1_EVENT, 0},
    {172, 4, IO_PORT(PM1_CNT_LENGTH * 8, 2), 0}, /* X_PM1a_CNT_BLK */
    {176, 4, GUEST_PORT_PM1_CONTROL, 0},
    {208, 4, IO_PORT(PM_TMR_LENGTH * 8, 3), PM_TIMER}, /* X_PM_TMR_BLK */
    {212, 4, GUEST_PORT_PM_TIMER, PM_TIMER},
};

enum madt {
    MADT_REVISION = 5,
    MADT_LOCAL_APIC = 0,
    MADT_IO_APIC = 1,
    MADT_SOURCE_OVERRIDE = 2,
    MADT_LOCAL_X2APIC = 9,
    MADT_PCAT_COMPAT = 1 << 0, /* there are 8259s */
    MADT_ENABLED = 1 << 0,
    MADT_ACTIVE_HIGH = 1 << 0,
    MADT_LEVEL = 3 << 2,
    MADT_XAPIC_IDS = 255, /* IDs and processor UIDs from here on take an x2APIC entry */

    MADT_LOCAL_X2APIC_SIZE = 16,
    MADT_SOURCE_OVERRIDE_SIZE = 10,
    MADT_FIXED_SIZE =
        HEADER_SIZE + 8 + 12 +
        2 * MADT_SOURCE_OVERRIDE_SIZE, /* what is there with any number of processors */
};

/* All but the MADT, generously. */
enum { OTHER_TABLES_MAX = 4096 };

_Static_assert(sizeof(dsdt) < OTHER_TABLES_MAX / 2, "the DSDT is small");
_Static_assert(OTHER_TABLES_MAX + MADT_FIXED_SIZE + GUEST_ACPI_CPUS_MAX * MADT_LOCAL_X2APIC_SIZE <=
                   ACPI_ROOM,
               "the largest MADT fits");

static const char oem_id[6] = {'L', 'A', 'P', 'W', 'N', 'G'};
static const char oem_table_id[8] = {'L', 'A', 'P', 'W', 'I', 'N', 'G', ' '};
static const char creator_id[4] = {'L', 'P', 'W', 'G'};

static void align(struct tables *t, uint32_t alignment)
{
    t->used = (t->used + alignment - 1) & ~(alignment - 1);
}

static void set(struct tables *t, uint32_t at, uint64_t value, uint32_t bytes)
{
    memcpy(t->base + at, &value, bytes);
}

static void append(struct tables *t, uint64_t value, uint32_t bytes)
{
    set(t, t->used, value, bytes);
    t->used += bytes;
}

static void set_checksum(struct tables *t, uint32_t table, uint32_t size, uint32_t at)
{
    uint8_t sum = 0;

    t->base[at] = 0;
    for (uint32_t i = 0; i < size; i++)
        sum += t->base[table + i];
    t->base[at] = (uint8_t)-sum;
}

static uint64_t address_of(uint32_t table)
{
    return GUEST_ACPI_BASE + table;
}

/* Returns the table's offset; end() completes what begin() leaves open. */
static uint32_t begin(struct tables *t, const char *signature, uint8_t revision)
{
    align(t, 16);
    uint32_t table = t->used;

    memcpy(t->base + table, signature, 4);
    set(t, table + HEADER_REVISION, revision, 1);
    memcpy(t->base + table + HEADER_OEM_ID, oem_id, sizeof(oem_id));
    memcpy(t->base + table + HEADER_OEM_TABLE_ID, oem_table_id, sizeof(oem_table_id));
    set(t, table + HEADER_OEM_REVISION, 1, 4);
    memcpy(t->base + table + HEADER_CREATOR_ID, creator_id, sizeof(creator_id));
    set(t, table + HEADER_CREATOR_REVISION, 1, 4);
    t->used += HEADER_SIZE;
    return table;
}

static void end(struct tables *t, uint32_t table)
{
    uint32_t size = t->used - table;

    set(t, table + HEADER_LENGTH, size, 4);
    set_checksum(t, table, size, table + HEADER_CHECKSUM);
}

static uint32_t add_facs(struct tables *t)
{
    align(t, FACS_ALIGNMENT);
    uint32_t facs = t->used;

    memcpy(t->base + facs, "FACS", 4);
    set(t, facs + FACS_LENGTH, FACS_SIZE, 4);
    set(t, facs + FACS_VERSION, 2, 1);
    t->used += FACS_SIZE;
    return facs;
}

/* The value of _STA, which the clock alone has. */
static void set_no_clock(struct tables *t, uint32_t table)
{
    static const uint8_t status[] = {'_', 'S', 'T', 'A', 0x0a /* BytePrefix */};
    uint8_t *aml = t->base + table;

    for (size_t i = HEADER_SIZE; i + sizeof(status) < sizeof(dsdt); i++)
        if (!memcmp(aml + i, status, sizeof(status)))
            aml[i + sizeof(status)] = 0;
    set_checksum(t, table, sizeof(dsdt), table + HEADER_CHECKSUM);
}

static uint32_t add_dsdt(struct tables *t, bool clock)
{
    align(t, 16);
    uint32_t table = t->used;

    memcpy(t->base + table, dsdt, sizeof(dsdt));
    t->used += sizeof(dsdt);
    if (!clock)
        set_no_clock(t, table);
    return table;
}

static void add_bits(struct tables *t, uint32_t at, uint32_t value, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        t->base[at + i] |= (uint8_t)(value >> 8 * i);
}

static uint32_t add_fadt(struct tables *t, uint32_t facs, uint32_t dsdt_table,
                         const struct config_vm *config)
{
    unsigned there = (config->pm_timer ? PM_TIMER : 0) | (config->pci ? RESET_REG : 0) |
                     (config->cmos ? CLOCK : NO_CLOCK);
    uint32_t fadt = begin(t, "FACP", FADT_REVISION);

    t->used = fadt + FADT_SIZE;
    set(t, fadt + FADT_FIRMWARE_CTRL, address_of(facs), 4);
    set(t, fadt + FADT_DSDT, address_of(dsdt_table), 4);
    set(t, fadt + FADT_X_DSDT, address_of(dsdt_table), 8);
    for (size_t i = 0; i < ARRAY_SIZE(fadt_fields); i++)
        if (!(fadt_fields[i].with & ~there))
            add_bits(t, fadt + fadt_fields[i].at, fadt_fields[i].value, fadt_fields[i].bytes);
    end(t, fadt);
    return fadt;
}

static void add_processor(struct tables *t, uint32_t index, uint32_t apic_id)
{
    if (apic_id < MADT_XAPIC_IDS && index < MADT_XAPIC_IDS) {
        append(t, MADT_LOCAL_APIC, 1);
        append(t, 8, 1);
        append(t, index, 1);
        append(t, apic_id, 1);
        append(t, MADT_ENABLED, 4);
        return;
    }
    append(t, MADT_LOCAL_X2APIC, 1);
    append(t, MADT_LOCAL_X2APIC_SIZE, 1);
    append(t, 0, 2);
    append(t, apic_id, 4);
    append(t, MADT_ENABLED, 4);
    append(t, index, 4);
}

/* ISA interrupts that do not have the line of their number, edge-triggered. */
static void add_override(struct tables *t, uint8_t isa, uint8_t gsi, uint16_t flags)
{
    append(t, MADT_SOURCE_OVERRIDE, 1);
    append(t, MADT_SOURCE_OVERRIDE_SIZE, 1);
    append(t, 0, 1); /* ISA */
    append(t, isa, 1);
    append(t, gsi, 4);
    append(t, flags, 2);
}

static uint32_t add_madt(struct tables *t, const uint32_t *apic_ids, uint32_t count, bool legacy)
{
    uint32_t madt = begin(t, "APIC", MADT_REVISION);

    append(t, GUEST_LAPIC_BASE, 4);
    append(t, legacy ? MADT_PCAT_COMPAT : 0, 4);
    for (uint32_t i = 0; i < count; i++)
        add_processor(t, i, apic_ids[i]);

    append(t, MADT_IO_APIC, 1);
    append(t, 12, 1);
    append(t, GUEST_IOAPIC_ID, 1);
    append(t, 0, 1);
    append(t, GUEST_IOAPIC_BASE, 4);
    append(t, 0, 4); /* first GSI */

    if (legacy)
        add_override(t, 0, GUEST_GSI_PIT, 0);
    add_override(t, GUEST_GSI_SCI, GUEST_GSI_SCI, MADT_ACTIVE_HIGH | MADT_LEVEL);
    end(t, madt);
    return madt;
}

/* RSDT or XSDT, which differ in the size of their pointers. */
static uint32_t add_root(struct tables *t, const char *signature, uint32_t pointer_size,
                         uint32_t fadt, uint32_t madt)
{
    uint32_t table = begin(t, signature, 1);

    append(t, address_of(fadt), pointer_size);
    append(t, address_of(madt), pointer_size);
    end(t, table);
    return table;
}

static void set_rsdp(struct tables *t, uint32_t rsdp, uint32_t rsdt, uint32_t xsdt)
{
    memcpy(t->base + rsdp, "RSD PTR ", 8);
    memcpy(t->base + rsdp + RSDP_OEM_ID, oem_id, sizeof(oem_id));
    set(t, rsdp + RSDP_REVISION, 2, 1);
    set(t, rsdp + RSDP_RSDT, address_of(rsdt), 4);
    set(t, rsdp + RSDP_LENGTH, RSDP_SIZE, 4);
    set(t, rsdp + RSDP_XSDT, address_of(xsdt), 8);
    set_checksum(t, rsdp, RSDP_SIZE_V1, rsdp + RSDP_CHECKSUM);
    set_checksum(t, rsdp, RSDP_SIZE, rsdp + RSDP_CHECKSUM_ALL);
}

uint64_t guest_acpi_build(const struct guest_memory *gm, const uint32_t *apic_ids, uint32_t count,
                          const struct config_vm *config)
{
    struct tables t = {.base = gm_ptr(gm, GUEST_ACPI_BASE, ACPI_ROOM)};

    if (!t.base || !count || count > GUEST_ACPI_CPUS_MAX)
        return 0;
    memset(t.base, 0, ACPI_ROOM);
    t.used = RSDP_SIZE;
    uint32_t facs = add_facs(&t);
    uint32_t dsdt_table = add_dsdt(&t, config->cmos);
    uint32_t fadt = add_fadt(&t, facs, dsdt_table, config);
    uint32_t madt = add_madt(&t, apic_ids, count, config->legacy);
    uint32_t rsdt = add_root(&t, "RSDT", 4, fadt, madt);
    uint32_t xsdt = add_root(&t, "XSDT", 8, fadt, madt);
    set_rsdp(&t, 0, rsdt, xsdt);
    return address_of(0);
}
