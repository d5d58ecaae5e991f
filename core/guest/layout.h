/* SPDX-License-Identifier: BSD-2-Clause */
/* Where everything is in a guest's physical address space and I/O space: only this says so.
 *
 *   0x00000000  RAM, from 0x9fc00 on reserved as on a PC
 *     0x00000400  BIOS data
 *     0x00001000  boot structures of the Linux loaders (dead once the kernel runs)
 *     0x000e0000  ACPI tables, reserved
 *     0x000fe000  SMBIOS tables, reserved
 *   0x00100000  RAM, up to 3 GiB
 *   0xc0000000  hole: I/O APIC, local APIC, the test device's memory, nothing else
 *   0x100000000 the rest of the RAM
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define GUEST_LOW_RAM_TOP  0x00000000c0000000ULL /* RAM below 4 GiB ends here at the latest */
#define GUEST_HIGH_RAM     0x0000000100000000ULL /* RAM beyond that continues here */
#define GUEST_MEMORY_MIN   (4ULL << 20)
#define GUEST_MEMORY_MAX   (1ULL << 38) /* what 39 bits of physical address leave room for */
#define GUEST_MEMORY_GRAIN (2ULL << 20) /* sizes are multiples of a large page */

/* The first MiB. */
#define GUEST_CONVENTIONAL_TOP 0x0009fc00U /* "base memory"; 1 KiB for an EBDA stays reserved */
#define GUEST_ACPI_BASE        0x000e0000U /* inside the range a guest scans for the RSDP */
#define GUEST_ACPI_END         0x000fe000U
#define GUEST_SMBIOS_BASE      0x000fe000U /* inside the range a guest scans for SMBIOS */
#define GUEST_SMBIOS_END       GUEST_RESET_VECTOR
#define GUEST_RESET_VECTOR     0x000ffff0U /* F000:FFF0 */
#define GUEST_EXTENDED_BASE    0x00100000U

/* Memory-mapped devices: one page each. */
#define GUEST_IOAPIC_BASE 0xfec00000U
#define GUEST_LAPIC_BASE  0xfee00000U

/* I/O ports. */
enum guest_port {
    GUEST_PORT_I8042_COMMAND = 0x64, /* only the reset command */
    GUEST_PORT_RTC_INDEX = 0x70,
    GUEST_PORT_RTC_DATA = 0x71,
    GUEST_PORT_DEBUG_EXIT = 0xf4, /* fw_cfg's and the test device's are in drivers/guest */
    GUEST_PORT_COM1 = 0x3f8,
    GUEST_PORT_PM1_EVENT = 0x600, /* PM1_STS, PM1_EN: 2 bytes each */
    GUEST_PORT_PM1_CONTROL = 0x604,
    GUEST_PORT_PM_TIMER = 0x608, /* counts 32 bits */
    GUEST_PORT_RESET = 0xcf9,
};

enum {
    GUEST_RESET_VALUE = 0x06, /* full reset, written to GUEST_PORT_RESET */
    GUEST_S5_SLEEP_TYPE = 0,  /* SLP_TYP of "power off", as programs written for QEMU expect */
};

/* Global system interrupts, all on the one I/O APIC. */
enum guest_gsi {
    GUEST_GSI_INTR = 0, /* the 8259 pair's output, with 'legacy' */
    GUEST_GSI_PIT = 2,  /* ISA interrupt 0, as the MADT says; all others have their own numbers */
    GUEST_GSI_COM1 = 4,
    GUEST_GSI_RTC = 8,
    GUEST_GSI_SCI = 9, /* level, active high */
    GUEST_GSI_COUNT = 24,
};

enum { GUEST_IOAPIC_ID = 0 };

/* How much of `memory` bytes of RAM lies below, and how much from GUEST_HIGH_RAM on. */
uint64_t guest_low_ram(uint64_t memory);
uint64_t guest_high_ram(uint64_t memory);

/* A line of the memory map a guest is told; numbers as in the e820 map and in Multiboot. */
enum guest_map_type { GUEST_MAP_RAM = 1, GUEST_MAP_RESERVED = 2 };

struct guest_map_entry {
    uint64_t gpa;
    uint64_t size;
    enum guest_map_type type;
};

enum { GUEST_MAP_MAX = 4 };

/* Fills the map for `memory` bytes of RAM (at least GUEST_MEMORY_MIN), ascending, and returns the
 * number of lines. */
size_t guest_memory_map(uint64_t memory, struct guest_map_entry map[GUEST_MAP_MAX]);
