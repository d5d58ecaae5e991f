/* SPDX-License-Identifier: BSD-2-Clause */
/* The ways to reset a machine, one after the other, and the one to switch it off. */
#include "core/power.h"

#include "core/cpu.h"
#include "core/firmware.h"
#include "core/log.h"
#include "core/memory.h"
#include "core/time.h"
#include "core/x86.h"
#include "drivers/host/acpi_power.h"
#include "vmx/vmx.h"

enum {
    /* Reset control register of Intel's chipsets (PIIX to PCH data sheets, "RST_CNT"). */
    RESET_CONTROL = 0xcf9,
    RESET_HARD = 0x02,
    RESET_NOW = 0x04,

    /* The 8042: command FEh pulses its output line 0, the processor's reset. */
    KEYBOARD_COMMAND = 0x64,
    KEYBOARD_INPUT_FULL = 0x02,
    KEYBOARD_PULSE_RESET = 0xfe,
    KEYBOARD_TRIES = 100000,

    EFFECT_MS = 100,
    NS_PER_MS = 1000000,
};

/* A reset may take its time. */
static void wait_for_effect(void)
{
    uint64_t start = time_now_ns();
    while (time_now_ns() - start < (uint64_t)EFFECT_MS * NS_PER_MS)
        pause();
}

static void reset_by_acpi(const struct acpi_power *power)
{
    if (power->reset_is_port) {
        out8((uint16_t)power->reset, power->reset_value);
    } else {
        volatile uint8_t *reg = memory_map_device(power->reset, 1, MEMORY_UNCACHED);
        *reg = power->reset_value;
    }
    wait_for_effect();
}

static void reset_by_chipset(void)
{
    out8(RESET_CONTROL, RESET_HARD);
    out8(RESET_CONTROL, RESET_HARD | RESET_NOW);
    wait_for_effect();
}

static void reset_by_keyboard(void)
{
    for (int i = 0; i < KEYBOARD_TRIES && in8(KEYBOARD_COMMAND) & KEYBOARD_INPUT_FULL; i++)
        pause();
    vmx_cpu_disable(this_cpu()->vmx); /* what is pulsed may be INIT */
    out8(KEYBOARD_COMMAND, KEYBOARD_PULSE_RESET);
    wait_for_effect();
}

void power_reset(paddr_t rsdp)
{
    struct acpi_power power;

    acpi_read_power(rsdp, firmware_map, &power);
    log_info("lapwing: resetting the machine");
    if (power.can_reset)
        reset_by_acpi(&power);
    reset_by_chipset();
    reset_by_keyboard();
    log_error("lapwing: the machine takes no reset, by ACPI, port 0xcf9 or keyboard controller");
}

void power_off(paddr_t rsdp)
{
    struct acpi_power power;

    acpi_read_power(rsdp, firmware_map, &power);
    if (power.no_off != NULL) {
        log_error("lapwing: how this machine is switched off is not known: %s", power.no_off);
        return;
    }
    log_info("lapwing: switching the machine off");
    acpi_power_off(&power);
    log_error("lapwing: the machine does not switch off by ACPI");
}
