/* SPDX-License-Identifier: BSD-2-Clause */
/* QEMU's firmware configuration device: items of bytes, chosen by number, read through a port.
 * Source: QEMU's documentation, "QEMU Firmware Configuration (fw_cfg) Device". */
#pragma once

#include "drivers/guest/device.h"
#include "drivers/guest/pio.h"

enum {
    FW_CFG_PORT = 0x510, /* selector: 2 bytes written; its upper half, 0x511, reads the data */

    FW_CFG_RAM_SIZE = 0x03, /* 8 bytes */
    FW_CFG_CPUS = 0x05,     /* 2 bytes: how many there are */
    FW_CFG_MAX_CPUS = 0x0f, /* 2 bytes: the highest APIC ID, plus 1 */
    FW_CFG_FIRST_FILE = 0x20,

    FW_CFG_NAME_MAX = 55, /* bytes of a file's name */
    FW_CFG_FILES_MAX = 17,
    FW_CFG_ITEMS_MAX = FW_CFG_FILES_MAX + 6,
};

struct fw_cfg_item {
    uint16_t key;
    uint32_t size;
    const uint8_t *data;
};

/* All fields are private to fw_cfg.c. */
struct fw_cfg {
    unsigned item_count, file_count;
    struct fw_cfg_item items[FW_CFG_ITEMS_MAX];
    uint8_t directory[4 + FW_CFG_FILES_MAX * 64];
    const struct fw_cfg_item *selected; /* NULL: no such item */
    uint32_t offset;
};

/*
 * Adds the ports to the bus, with the items signature ("QEMU"), features (this interface, without
 * DMA) and an empty directory; false if the bus refuses. Reads behind an item's end and of an
 * absent item give 0; data writes are ignored, and so is the selector's bit 14, which would allow
 * them.
 */
bool fw_cfg_init(struct fw_cfg *fw_cfg, struct pio_bus *bus);

/* Adds an item; false if there is no room. The bytes are not copied. Before the VM runs. */
bool fw_cfg_add(struct fw_cfg *fw_cfg, uint16_t key, const void *data, uint32_t size);

/* Adds an item of the next number from FW_CFG_FIRST_FILE on and names it in the directory; false
 * also if the name is longer than FW_CFG_NAME_MAX. */
bool fw_cfg_add_file(struct fw_cfg *fw_cfg, const char *name, const void *data, uint32_t size);
