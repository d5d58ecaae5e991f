/* SPDX-License-Identifier: BSD-2-Clause */
/* The world a guest device sees in a host test: a settable clock, and a record of what it did. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "drivers/guest/device.h"
#include "drivers/guest/pio.h"

struct device_world {
    struct device_host host;
    struct pio_bus bus;
    uint64_t now_ns;

    unsigned last_line; /* of set_irq */
    bool level;
    unsigned edges; /* 0 to 1 */

    uint8_t console[256];
    size_t console_count;

    unsigned stops;
    enum device_stop stop_reason;
    uint32_t stop_code;
};

static inline void world_set_irq(void *ctx, unsigned line, bool level)
{
    struct device_world *world = ctx;

    world->edges += level && !world->level;
    world->level = level;
    world->last_line = line;
}

static inline uint64_t world_now_ns(void *ctx)
{
    return ((struct device_world *)ctx)->now_ns;
}

static inline void world_console_write(void *ctx, const uint8_t *bytes, size_t count)
{
    struct device_world *world = ctx;

    assert_true(world->console_count + count <= sizeof world->console);
    memcpy(world->console + world->console_count, bytes, count);
    world->console_count += count;
}

static inline void world_stop(void *ctx, enum device_stop reason, uint32_t code)
{
    struct device_world *world = ctx;

    world->stops++;
    world->stop_reason = reason;
    world->stop_code = code;
}

static inline void world_init(struct device_world *world)
{
    *world = (struct device_world){0};
    world->host = (struct device_host){
        .ctx = world,
        .set_irq = world_set_irq,
        .now_ns = world_now_ns,
        .console_write = world_console_write,
        .stop = world_stop,
    };
    pio_bus_init(&world->bus);
}

static inline uint8_t world_in(struct device_world *world, uint16_t port)
{
    return (uint8_t)pio_bus_read(&world->bus, port, 1);
}

static inline void world_out(struct device_world *world, uint16_t port, uint8_t value)
{
    pio_bus_write(&world->bus, port, 1, value);
}
