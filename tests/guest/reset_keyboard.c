/* SPDX-License-Identifier: BSD-2-Clause */
/* The keyboard controller's command to pulse the reset line resets the machine. */
// expect: reset
#include "tests/guest/guest.h"

enum {
    KEYBOARD_COMMAND = 0x64,
    STATUS_INPUT_FULL = 1 << 1,
    PULSE_RESET = 0xfe,
};

void test_main(void)
{
    plan(1);
    is_u64(inb(KEYBOARD_COMMAND) & STATUS_INPUT_FULL, 0, "the controller takes commands");
    outb(KEYBOARD_COMMAND, PULSE_RESET);
    ok(false, "the guest still runs");
}
