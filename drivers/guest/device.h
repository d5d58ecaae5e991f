/* SPDX-License-Identifier: BSD-2-Clause */
/* What every guest-visible device gets from the world, so that device models stay plain C. */
#pragma once

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

enum {
    DEVICE_NS_PER_S = 1000000000,
};

/* Whole ticks of a clock of hz (at most 1 GHz) that fit into ns nanoseconds. */
static inline uint64_t device_ns_to_ticks(uint64_t ns, uint32_t hz)
{
    return ns / DEVICE_NS_PER_S * hz + ns % DEVICE_NS_PER_S * hz / DEVICE_NS_PER_S;
}

/* The first nanosecond at which a clock of hz has made that many ticks. */
static inline uint64_t device_ticks_to_ns(uint64_t ticks, uint32_t hz)
{
    return ticks / hz * DEVICE_NS_PER_S + (ticks % hz * DEVICE_NS_PER_S + hz - 1) / hz;
}
