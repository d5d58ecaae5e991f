/* SPDX-License-Identifier: BSD-2-Clause */
/* The BIOS data areas. Source: "IBM Personal System/2 and Personal Computer BIOS Interface
 * Technical Reference", "BIOS Data Area" and "Extended BIOS Data Area". */
#include "core/guest/bios_data.h"

#include "core/guest/layout.h"
#include "drivers/guest/reset.h"

enum bios_data {
    COM1_PORT = 0x400,
    EBDA_SEGMENT = 0x40e,
    BASE_MEMORY = 0x413, /* KiB */
};

bool guest_bios_data_build(const struct guest_memory *gm)
{
    const uint16_t port = GUEST_PORT_COM1;
    const uint16_t segment = GUEST_CONVENTIONAL_TOP >> 4;
    const uint16_t base_memory = GUEST_CONVENTIONAL_TOP / 1024;
    const uint8_t ebda_size = 1; /* KiB */
    /* mov al, 0feh; out 64h, al; cli; hlt */
    static const uint8_t reset[] = {0xb0, 0xfe, 0xe6, RESET_KBC_PORT, 0xfa, 0xf4};

    return gm_write(gm, COM1_PORT, &port, sizeof(port)) &&
           gm_write(gm, EBDA_SEGMENT, &segment, sizeof(segment)) &&
           gm_write(gm, BASE_MEMORY, &base_memory, sizeof(base_memory)) &&
           gm_write(gm, GUEST_CONVENTIONAL_TOP, &ebda_size, sizeof(ebda_size)) &&
           gm_write(gm, GUEST_RESET_VECTOR, reset, sizeof(reset));
}
