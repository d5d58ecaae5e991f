/* SPDX-License-Identifier: BSD-2-Clause */
/* Host I/O APICs, as the 82093AA data sheet and Intel's chipset data sheets describe them. */
#include "drivers/host/io_apic.h"

#include "core/bits.h"
#include "core/log.h"
#include "core/memory.h"
#include "core/x86.h"

enum {
    REG_SELECT = 0x00,
    REG_WINDOW = 0x10,
    REGISTERS_SIZE = 0x20,
    INDEX_VERSION = 0x01,
    INDEX_REDIRECTION = 0x10,
    ENTRY_ACTIVE_LOW = 0x2000,
    ENTRY_LEVEL = 0x8000,
    ENTRY_MASKED = 0x10000,
    ENTRY_DESTINATION_SHIFT = 24, /* in the high half */
    DESTINATION_MAX = 0xfe,
    IO_APICS_MAX = 16,
};

#define VERSION_LAST_ENTRY MASK(23, 16)

struct io_apic {
    char *registers;
    uint32_t gsi_base;
    uint32_t n_inputs;
};

static struct io_apic io_apics[IO_APICS_MAX];
static uint32_t n_io_apics;

static uint32_t read(const struct io_apic *io_apic, uint32_t index)
{
    mmio_write32(io_apic->registers + REG_SELECT, index);
    return mmio_read32(io_apic->registers + REG_WINDOW);
}

static void write(const struct io_apic *io_apic, uint32_t index, uint32_t value)
{
    mmio_write32(io_apic->registers + REG_SELECT, index);
    mmio_write32(io_apic->registers + REG_WINDOW, value);
}

void host_ioapic_add(paddr_t base, uint32_t gsi_base)
{
    if (n_io_apics == ARRAY_SIZE(io_apics)) {
        log_warn("more than %zu I/O APICs: the one at %#lx is not used", ARRAY_SIZE(io_apics),
                 base);
        return;
    }
    struct io_apic *io_apic = &io_apics[n_io_apics++];
    io_apic->registers = memory_map_device(base, REGISTERS_SIZE, MEMORY_UNCACHED);
    io_apic->gsi_base = gsi_base;
    io_apic->n_inputs = (uint32_t)field_get(read(io_apic, INDEX_VERSION), VERSION_LAST_ENTRY) + 1;
    for (uint32_t input = 0; input < io_apic->n_inputs; input++)
        write(io_apic, INDEX_REDIRECTION + 2 * input, ENTRY_MASKED);
}

bool host_ioapic_route(uint32_t gsi, uint32_t apic_id, uint8_t vector, bool active_low,
                       bool level_triggered)
{
    if (apic_id > DESTINATION_MAX)
        return false;
    for (uint32_t i = 0; i < n_io_apics; i++) {
        const struct io_apic *io_apic = &io_apics[i];
        uint32_t input = gsi - io_apic->gsi_base;
        if (input >= io_apic->n_inputs)
            continue;
        uint32_t low =
            vector | (active_low ? ENTRY_ACTIVE_LOW : 0u) | (level_triggered ? ENTRY_LEVEL : 0u);
        write(io_apic, INDEX_REDIRECTION + 2 * input + 1, apic_id << ENTRY_DESTINATION_SHIFT);
        write(io_apic, INDEX_REDIRECTION + 2 * input, low);
        return true;
    }
    return false;
}
