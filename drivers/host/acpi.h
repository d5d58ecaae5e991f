/* SPDX-License-Identifier: BSD-2-Clause */
/* What the hypervisor wants from the firmware's ACPI tables: the interrupt controllers (MADT). */
#pragma once

#include "core/types.h"

enum { ACPI_IO_APICS_MAX = 16, ACPI_ISA_INTERRUPTS = 16 };

struct acpi_io_apic {
    paddr_t base;
    uint32_t gsi_base;
};

struct acpi_isa_route {
    uint32_t gsi;
    bool active_low;
    bool level_triggered;
};

struct acpi_interrupts {
    uint32_t n_io_apics;
    struct acpi_io_apic io_apics[ACPI_IO_APICS_MAX];
    struct acpi_isa_route isa[ACPI_ISA_INTERRUPTS];
};

/* `size` bytes of physical memory to read, or NULL where nothing is mapped. */
typedef const void *(*acpi_map)(paddr_t address, uint64_t size);

/* The first sound table of that name, and its length; NULL when there is none. rsdp is not 0. */
const uint8_t *acpi_find_table(paddr_t rsdp, const char *signature, acpi_map map, uint32_t *length);

/* The structure after `previous`, NULL being before the first, in a MADT of `length` bytes; NULL at
 * the end, or at one that is not well-formed. Its first byte is its type, the next its size. */
const uint8_t *acpi_next_madt_structure(const uint8_t *madt, uint32_t length,
                                        const uint8_t *previous);

/*
 * Fills *interrupts from the MADT: tables are checked (signature, length, checksum), entries
 * beyond the arrays left out. False, with the wiring of a PC without ACPI (one I/O APIC at
 * 0xfec00000, ISA interrupts one to one), when there is no sound MADT with an I/O APIC.
 */
bool acpi_read_interrupts(paddr_t rsdp, acpi_map map, struct acpi_interrupts *interrupts);
