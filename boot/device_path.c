/* SPDX-License-Identifier: BSD-2-Clause */
/* Reading UEFI device paths (UEFI specification, "Generic Device Path Structures"). */
#include "boot/device_path.h"

#include <stdint.h>

#include "core/string.h"

enum {
    NODE_HEADER = 4, /* type, subtype, length (2 bytes) */
    TYPE_ACPI = 0x02,
    SUBTYPE_ACPI = 0x01, /* HID and UID follow the header */
    SUBTYPE_ACPI_EXPANDED = 0x02,
    TYPE_MESSAGING = 0x03,
    SUBTYPE_UART = 0x0e,
    TYPE_END = 0x7f,
    ACPI_NODE_SIZE = 12,
    PNP0501 = 0x050141d0, /* EISA ID of a 16550A-compatible serial port */
};

static uint32_t read32(const uint8_t *p)
{
    uint32_t value;

    memcpy(&value, p, sizeof(value));
    return value;
}

static bool is_first_port(const uint8_t *node, size_t length)
{
    if (node[0] != TYPE_ACPI || length < ACPI_NODE_SIZE)
        return false;
    if (node[1] != SUBTYPE_ACPI && node[1] != SUBTYPE_ACPI_EXPANDED)
        return false;
    return read32(node + NODE_HEADER) == PNP0501 && read32(node + NODE_HEADER + 4) == 0;
}

bool device_path_has_first_uart(const void *path, size_t size)
{
    const uint8_t *node = path;
    bool below_first_port = false;

    while (size >= NODE_HEADER) {
        size_t length = node[2] | (size_t)node[3] << 8;

        if (length < NODE_HEADER || length > size)
            return false;
        if (node[0] == TYPE_END)
            below_first_port = false;
        else if (is_first_port(node, length))
            below_first_port = true;
        else if (below_first_port && node[0] == TYPE_MESSAGING && node[1] == SUBTYPE_UART)
            return true;
        node += length;
        size -= length;
    }
    return false;
}
