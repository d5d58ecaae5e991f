/* SPDX-License-Identifier: BSD-2-Clause */
/* What a guest finds in fw_cfg. */
#pragma once

#include <stdint.h>

#include "core/guest/layout.h"
#include "core/handover.h"
#include "drivers/guest/fw_cfg.h"

enum { GUEST_E820_ENTRY_SIZE = 20 };

/* The device and what it shows besides files. All fields are private to guest_fw_cfg.c. */
struct guest_fw_cfg {
    struct fw_cfg device;
    uint64_t ram_size;
    uint16_t cpus, max_cpus;
    uint8_t e820[GUEST_MAP_MAX * GUEST_E820_ENTRY_SIZE];
};

/*
 * Puts the device on the bus, with RAM size, processor counts, the memory map (file "etc/e820") and
 * the files that @vm, one of @handover's, names; each is reached at its physical address plus
 * @mapped_at. False if the bus refuses. Before the VM runs.
 */
bool guest_fw_cfg_init(struct guest_fw_cfg *fw_cfg, struct pio_bus *bus,
                       const struct handover *handover, const struct config_vm *vm,
                       uint64_t mapped_at);
