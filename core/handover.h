/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What boot/ gives to core/: one structure, filled before and right after ExitBootServices.
 *
 * Everything it points to lies in memory of type HANDOVER_HYPERVISOR. All addresses are
 * physical unless the name says otherwise; core reads them through the direct map.
 */
#pragma once

#include <stdint.h>

#include "core/config/config.h"
#include "core/layout.h"

#define HANDOVER_MAGIC 0x676e697770614c01ull /* "\1Lapwing", little endian */

enum {
    HANDOVER_MAX_RANGES = 1024,
    HANDOVER_MAX_CPUS = 1024,
    HANDOVER_MAX_FILES = 256,
    HANDOVER_PATH_MAX = CONFIG_PATH_MAX,
};

enum handover_memory_type {
    HANDOVER_FREE = 1,       /* RAM, free for core */
    HANDOVER_HYPERVISOR = 2, /* RAM, holds the image, page tables, this structure, files */
    HANDOVER_RESERVED = 3,   /* RAM the firmware keeps (runtime services, ACPI NVS and tables) */
    HANDOVER_MMIO = 4,       /* device registers the memory map names */
};

struct handover_range {
    uint64_t base;
    uint64_t size; /* bytes, a multiple of 4096 */
    uint64_t type; /* enum handover_memory_type */
};

struct handover_file {
    char path[HANDOVER_PATH_MAX]; /* as written in the configuration */
    uint64_t base;
    uint64_t size; /* bytes */
};

struct handover_framebuffer {
    uint64_t base; /* 0: there is none */
    uint64_t size;
    uint32_t width, height; /* pixels */
    uint32_t stride;        /* bytes from one line to the next */
    uint32_t reserved;
};

struct handover {
    uint64_t magic;
    uint64_t size; /* sizeof(struct handover), to catch a mismatched build */

    uint64_t page_table; /* CR3; below 4 GiB, because processors load it in 32-bit mode */
    uint64_t image_base; /* physical address of IMAGE_BASE */
    uint64_t image_size;
    uint64_t symbols_base; /* see core/symbols.h */
    uint64_t symbols_size;
    uint64_t trampoline; /* a page below 1 MiB holding the AP start code, see boot/trampoline.h */

    uint64_t rsdp;     /* 0: the firmware published no ACPI tables */
    uint64_t tsc_hz;   /* measured against the firmware's clock */
    int64_t boot_time; /* seconds since 1970-01-01 UTC when boot services ended */

    struct handover_framebuffer framebuffer;

    uint32_t n_ranges;
    uint32_t n_cpus;
    uint32_t n_files;
    uint32_t reserved;
    struct handover_range ranges[HANDOVER_MAX_RANGES]; /* sorted, not overlapping */
    uint32_t
        cpus[HANDOVER_MAX_CPUS]; /* 32-bit APIC IDs of those enabled, the boot processor first */
    struct handover_file files[HANDOVER_MAX_FILES];
    struct config config;
};
