/* SPDX-License-Identifier: BSD-2-Clause */
/* The firmware configuration device. */
#include "drivers/guest/fw_cfg.h"

enum {
    KEY_SIGNATURE = 0x00,
    KEY_FEATURES = 0x01,
    KEY_DIRECTORY = 0x19,
    KEY_WRITE = 1 << 14,

    DATA_OFFSET = 1,

    /* The directory, in big-endian numbers: a count, then entries. */
    ENTRY_SIZE = 0, /* 4 bytes */
    ENTRY_KEY = 4,  /* 2 bytes */
    ENTRY_NAME = 8,
    ENTRY_LENGTH = 64,
};

static const uint8_t signature[] = {'Q', 'E', 'M', 'U'};
static const uint8_t features[] = {1, 0, 0, 0}; /* bit 0: these ports */

_Static_assert(ENTRY_NAME + FW_CFG_NAME_MAX + 1 == ENTRY_LENGTH, "a name and its NUL");

static void put_big_endian(uint8_t *to, uint32_t value, unsigned bytes)
{
    while (bytes > 0) {
        to[--bytes] = (uint8_t)value;
        value >>= 8;
    }
}

static uint32_t fw_cfg_read(void *dev, uint16_t offset, unsigned size)
{
    struct fw_cfg *fw_cfg = dev;
    const struct fw_cfg_item *item = fw_cfg->selected;

    if (offset != DATA_OFFSET || size != 1 || !item || fw_cfg->offset >= item->size)
        return 0;
    return item->data[fw_cfg->offset++];
}

static void fw_cfg_write(void *dev, uint16_t, unsigned size, uint32_t value)
{
    struct fw_cfg *fw_cfg = dev;

    if (size != 2)
        return;
    fw_cfg->selected = NULL;
    fw_cfg->offset = 0;
    for (unsigned i = 0; i < fw_cfg->item_count; i++)
        if (fw_cfg->items[i].key == (value & ~(uint32_t)KEY_WRITE))
            fw_cfg->selected = &fw_cfg->items[i];
}

bool fw_cfg_init(struct fw_cfg *fw_cfg, struct pio_bus *bus)
{
    const struct pio_device ports = {FW_CFG_PORT, 2, 2, fw_cfg, fw_cfg_read, fw_cfg_write, NULL};

    *fw_cfg = (struct fw_cfg){0};
    return fw_cfg_add(fw_cfg, KEY_SIGNATURE, signature, sizeof(signature)) &&
           fw_cfg_add(fw_cfg, KEY_FEATURES, features, sizeof(features)) &&
           fw_cfg_add(fw_cfg, KEY_DIRECTORY, fw_cfg->directory, sizeof(fw_cfg->directory)) &&
           pio_bus_add(bus, &ports);
}

bool fw_cfg_add(struct fw_cfg *fw_cfg, uint16_t key, const void *data, uint32_t size)
{
    if (fw_cfg->item_count == FW_CFG_ITEMS_MAX)
        return false;
    fw_cfg->items[fw_cfg->item_count++] = (struct fw_cfg_item){key, size, data};
    return true;
}

bool fw_cfg_add_file(struct fw_cfg *fw_cfg, const char *name, const void *data, uint32_t size)
{
    uint8_t *entry = fw_cfg->directory + 4 + (size_t)fw_cfg->file_count * ENTRY_LENGTH;
    uint16_t key = (uint16_t)(FW_CFG_FIRST_FILE + fw_cfg->file_count);
    size_t length = 0;

    while (length <= FW_CFG_NAME_MAX && name[length])
        length++;
    if (length > FW_CFG_NAME_MAX || fw_cfg->file_count == FW_CFG_FILES_MAX ||
        !fw_cfg_add(fw_cfg, key, data, size))
        return false;
    put_big_endian(entry + ENTRY_SIZE, size, 4);
    put_big_endian(entry + ENTRY_KEY, key, 2);
    for (size_t i = 0; i < length; i++)
        entry[ENTRY_NAME + i] = (uint8_t)name[i];
    put_big_endian(fw_cfg->directory, ++fw_cfg->file_count, 4);
    return true;
}
