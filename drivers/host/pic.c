/* SPDX-License-Identifier: BSD-2-Clause */
/* The 8259A's initialization sequence, see Intel's 8259A data sheet. */
#include "drivers/host/pic.h"

#include "core/x86.h"

enum {
    MASTER_COMMAND = 0x20,
    MASTER_DATA = 0x21,
    SLAVE_COMMAND = 0xa0,
    SLAVE_DATA = 0xa1,
    ICW1_INIT_WITH_ICW4 = 0x11,
    ICW3_SLAVE_ON_INPUT_2 = 0x04,
    ICW3_SLAVE_ID = 0x02,
    ICW4_8086 = 0x01,
    ALL_MASKED = 0xff,
    INPUTS = 8,
};

void host_pic_disable(uint8_t first_vector)
{
    out8(MASTER_COMMAND, ICW1_INIT_WITH_ICW4);
    out8(SLAVE_COMMAND, ICW1_INIT_WITH_ICW4);
    out8(MASTER_DATA, first_vector);
    out8(SLAVE_DATA, first_vector + INPUTS);
    out8(MASTER_DATA, ICW3_SLAVE_ON_INPUT_2);
    out8(SLAVE_DATA, ICW3_SLAVE_ID);
    out8(MASTER_DATA, ICW4_8086);
    out8(SLAVE_DATA, ICW4_8086);
    out8(MASTER_DATA, ALL_MASKED);
    out8(SLAVE_DATA, ALL_MASKED);
}
