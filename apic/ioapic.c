/* SPDX-License-Identifier: BSD-2-Clause */
/* I/O APIC (82093AA datasheet, with the EOI register of version 20h). Its lock is held while a
 * message is routed, so that remote IRR, EOI and the line's level stay consistent. */
#include "apic/ioapic.h"

#include "apic/domain.h"
#include "apic/internal.h"
#include "apic/lock.h"

enum {
    MMIO_INDEX = 0x00,
    MMIO_DATA = 0x10,
    MMIO_EOI = 0x40,

    REG_ID = 0x00,
    REG_VERSION = 0x01,
    REG_ARBITRATION = 0x02,
    REG_ENTRIES = 0x10,

    VERSION = 0x20,
    VERSION_MAX_ENTRY_SHIFT = 16,
    ID_SHIFT = 24,
    DEST_SHIFT = 56,
    EXTENDED_DEST_SHIFT = 49,
    EXTENDED_DEST_MASK = 0x7F,
};

#define ENTRY_LOGICAL    (UINT64_C(1) << 11)
#define ENTRY_STATUS     (UINT64_C(1) << 12)
#define ENTRY_REMOTE_IRR (UINT64_C(1) << 14)
#define ENTRY_LEVEL      (UINT64_C(1) << 15)
#define ENTRY_MASKED     (UINT64_C(1) << 16)
#define ENTRY_READ_ONLY  (ENTRY_STATUS | ENTRY_REMOTE_IRR)
#define ENTRY_DEST       (UINT64_C(0xFF) << DEST_SHIFT)
#define ENTRY_EXTENDED   ((uint64_t)EXTENDED_DEST_MASK << EXTENDED_DEST_SHIFT)
#define ENTRY_DEFINED    (UINT64_C(0x1FFFF) | ENTRY_DEST)
#define ID_MASK          UINT32_C(0x0F000000)

static bool is_level(uint64_t entry)
{
    uint8_t delivery = (entry >> 8) & 7u;
    return (entry & ENTRY_LEVEL) != 0 && delivery <= APIC_LOWEST;
}

static struct apic_msg message(const struct ioapic *ioapic, uint64_t entry)
{
    uint32_t dest = (uint32_t)(entry >> DEST_SHIFT);
    if (ioapic->params.format == APIC_MSI_15BIT)
        dest |= ((uint32_t)(entry >> EXTENDED_DEST_SHIFT) & EXTENDED_DEST_MASK) << 8;
    return (struct apic_msg){
        .dest = dest,
        .vector = (uint8_t)entry,
        .delivery = (entry >> 8) & 7u,
        .logical = (entry & ENTRY_LOGICAL) != 0,
        .level = is_level(entry),
        .broadcast = apic_dest_is_broadcast(dest, false),
    };
}

/* Remote IRR says that somebody owes an EOI; nobody does for a message that nobody took, or whose
 * vector cannot be in service. */
static void send(struct ioapic *ioapic, unsigned line)
{
    uint64_t *entry = &ioapic->entry[line];
    struct apic_msg msg = message(ioapic, *entry);
    unsigned accepted = apic_route(ioapic->domain, &msg);
    if (msg.level && accepted != 0 && msg.vector >= APIC_FIRST_VECTOR)
        *entry |= ENTRY_REMOTE_IRR;
}

static void evaluate_level(struct ioapic *ioapic, unsigned line)
{
    uint64_t entry = ioapic->entry[line];
    if (ioapic->line[line] != 0 && is_level(entry) &&
        (entry & (ENTRY_MASKED | ENTRY_REMOTE_IRR)) == 0)
        send(ioapic, line);
}

/* An edge on a masked entry is lost, as the datasheet says. */
void ioapic_set_line(struct ioapic *ioapic, unsigned line, bool active)
{
    if (line >= ioapic->params.lines)
        return;
    apic_lock(&ioapic->lock);
    bool rising = active && ioapic->line[line] == 0;
    uint64_t entry = ioapic->entry[line];
    ioapic->line[line] = active;
    if (is_level(entry))
        evaluate_level(ioapic, line);
    else if (rising && (entry & ENTRY_MASKED) == 0)
        send(ioapic, line);
    apic_unlock(&ioapic->lock);
}

static void end_of_interrupt(struct ioapic *ioapic, uint8_t vector)
{
    apic_lock(&ioapic->lock);
    for (unsigned line = 0; line < ioapic->params.lines; line++) {
        uint64_t *entry = &ioapic->entry[line];
        if ((uint8_t)*entry == vector && (*entry & ENTRY_REMOTE_IRR) != 0) {
            *entry &= ~ENTRY_REMOTE_IRR;
            evaluate_level(ioapic, line);
        }
    }
    apic_unlock(&ioapic->lock);
}

/* Lines enter at group 0, so no other group has anything to end here. */
void ioapic_eoi(struct ioapic *ioapic, uint8_t group, uint8_t vector)
{
    if (group == 0)
        end_of_interrupt(ioapic, vector);
}

/* ---- Registers ---- */

static uint32_t read_entry(const struct ioapic *ioapic, uint32_t index)
{
    uint32_t line = (index - REG_ENTRIES) / 2;
    if (line >= ioapic->params.lines)
        return 0;
    return (uint32_t)(ioapic->entry[line] >> (index % 2 * 32));
}

static uint32_t read_register(const struct ioapic *ioapic)
{
    switch (ioapic->index) {
    case REG_ID:
    case REG_ARBITRATION:
        return ioapic->id;
    case REG_VERSION:
        return VERSION | (ioapic->params.lines - 1) << VERSION_MAX_ENTRY_SHIFT;
    default:
        return ioapic->index >= REG_ENTRIES ? read_entry(ioapic, ioapic->index) : 0;
    }
}

static uint64_t with_half(uint64_t entry, uint32_t index, uint32_t value)
{
    unsigned shift = index % 2 * 32;
    return (entry & ~(UINT64_C(0xFFFFFFFF) << shift)) | (uint64_t)value << shift;
}

/* Switching to edge forgets that an EOI is owed; operating systems use it for exactly that. */
static void write_entry(struct ioapic *ioapic, uint32_t index, uint32_t value)
{
    uint32_t line = (index - REG_ENTRIES) / 2;
    if (line >= ioapic->params.lines)
        return;
    bool extended = ioapic->params.format == APIC_MSI_15BIT;
    uint64_t defined = (ENTRY_DEFINED | (extended ? ENTRY_EXTENDED : 0)) & ~ENTRY_READ_ONLY;
    uint64_t old = ioapic->entry[line];
    uint64_t entry = (with_half(old, index, value) & defined) | (old & ENTRY_READ_ONLY);
    if (!is_level(entry))
        entry &= ~ENTRY_REMOTE_IRR;
    ioapic->entry[line] = entry;
    evaluate_level(ioapic, line);
}

static void write_register(struct ioapic *ioapic, uint32_t value)
{
    if (ioapic->index == REG_ID)
        ioapic->id = value & ID_MASK;
    else if (ioapic->index >= REG_ENTRIES)
        write_entry(ioapic, ioapic->index, value);
}

uint32_t ioapic_read(struct ioapic *ioapic, uint32_t offset, unsigned size)
{
    uint32_t value = 0;
    if (size != sizeof(uint32_t))
        return 0;
    apic_lock(&ioapic->lock);
    if (offset == MMIO_INDEX)
        value = ioapic->index;
    else if (offset == MMIO_DATA)
        value = read_register(ioapic);
    apic_unlock(&ioapic->lock);
    return value;
}

void ioapic_write(struct ioapic *ioapic, uint32_t offset, unsigned size, uint32_t value)
{
    if (size != sizeof(uint32_t))
        return;
    if (offset == MMIO_EOI) {
        end_of_interrupt(ioapic, (uint8_t)value);
        return;
    }
    apic_lock(&ioapic->lock);
    if (offset == MMIO_INDEX)
        ioapic->index = (uint8_t)value;
    else if (offset == MMIO_DATA)
        write_register(ioapic, value);
    apic_unlock(&ioapic->lock);
}

/* ---- Creation ---- */

void ioapic_reset(struct ioapic *ioapic)
{
    apic_lock(&ioapic->lock);
    ioapic->id = (uint32_t)ioapic->params.id << ID_SHIFT & ID_MASK;
    ioapic->index = 0;
    for (unsigned line = 0; line < ioapic->params.lines; line++)
        ioapic->entry[line] = ENTRY_MASKED;
    apic_unlock(&ioapic->lock);
}

bool ioapic_init(struct ioapic *ioapic, struct apic_domain *domain,
                 const struct ioapic_params *params)
{
    if (domain->ioapics == APIC_MAX_IOAPICS || params->lines == 0 ||
        params->lines > IOAPIC_MAX_LINES)
        return false;
    __builtin_memset(ioapic, 0, sizeof(*ioapic));
    ioapic->domain = domain;
    ioapic->params = *params;
    ioapic_reset(ioapic);
    domain->ioapic[domain->ioapics++] = ioapic;
    return true;
}
