/* SPDX-License-Identifier: BSD-2-Clause */
/* The ways a guest ends itself. */
#include "tests/guest/guest.h"

enum {
    DEBUG_EXIT_PORT = 0xf4,
    PM1A_CNT_PORT = 0x604,
    SLP_TYP_SHIFT = 10,
    SLP_EN = 1 << 13,
    RESET_CONTROL_PORT = 0xcf9,
    RESET_HARD = 1 << 1,
    RESET_CPU = 1 << 2,
};

static _Noreturn void still_here(const char *what)
{
    printf("not ok - the guest still runs after %s\n", what);
    for (;;)
        asm volatile("cli; hlt");
}

void guest_exit(uint8_t value)
{
    outb(DEBUG_EXIT_PORT, value);
    still_here("the write to isa-debug-exit");
}

void power_off(void)
{
    unsigned type;
    if (!acpi_s5_type(&type))
        bail_out("no \\_S5 in the DSDT");
    outw(PM1A_CNT_PORT, (uint16_t)(type << SLP_TYP_SHIFT | SLP_EN));
    still_here("power-off");
}

void reset_machine(void)
{
    outb(RESET_CONTROL_PORT, RESET_HARD);
    outb(RESET_CONTROL_PORT, RESET_HARD | RESET_CPU);
    still_here("reset");
}
