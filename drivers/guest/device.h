/* SPDX-License-Identifier: BSD-2-Clause */
/* What every guest-visible device gets from the world, so that device models stay plain C. */
#ifndef DRIVERS_GUEST_DEVICE_H
#define DRIVERS_GUEST_DEVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum device_stop {
    DEVICE_STOP_POWEROFF,   /* the guest entered S5; code is 0 */
    DEVICE_STOP_RESET,      /* the guest asked for a reset; code is 0 */
    DEVICE_STOP_DEBUG_EXIT, /* isa-debug-exit; code is (value << 1) | 1 */
};

/* A time that never comes, for deadlines. */
#define DEVICE_NEVER UINT64_MAX

/*
 * Callbacks of all devices of one VM. Core serialises every call into a device, and so every
 * callback, with one lock per VM: a device needs no lock of its own, and a callback must not call
 * back into a device.
 */
struct device_host {
    void *ctx;

    /* Sets the level of one interrupt line (a global system interrupt number). May be called with
     * the level the line already has. */
    void (*set_irq)(void *ctx, unsigned line, bool level);

    /* Guest time in nanoseconds since the VM was created; never goes backwards. */
    uint64_t (*now_ns)(void *ctx);

    /* Bytes the guest sent to its console, in order. */
    void (*console_write)(void *ctx, const uint8_t *bytes, size_t count);

    /* The guest ends its VM. Returns: the stop takes effect once the access has been completed. */
    void (*stop)(void *ctx, enum device_stop reason, uint32_t code);
};

#endif
