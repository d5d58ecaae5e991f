/* SPDX-License-Identifier: BSD-2-Clause */
/* The interval timer of a PC and system control port B. Source: Intel 8254 data sheet; for port B,
 * IBM PC/AT Technical Reference. */
#pragma once

#include "drivers/guest/device.h"
#include "drivers/guest/pio.h"

enum {
    PIT_PORT = 0x40, /* 4 ports */
    PIT_PORT_B = 0x61,
    PIT_HZ = 1193182,
    PIT_COUNTERS = 3,
};

/* Times are in ticks of the timer since the VM was created. */
struct pit_counter {
    uint8_t control; /* as in the status byte: access, mode, BCD */
    bool gate;       /* level of the input */
    bool loaded;     /* it counts from `count`, which it holds at `start` */
    bool waits;      /* a periodic counter takes `next` at `due`; another at the next trigger */
    uint32_t count;  /* 1 to 65536 */
    uint32_t next;   /* likewise */
    int64_t start;
    bool before; /* the output before it */
    int64_t due;
    int64_t stopped; /* while the gate stops it: when it went low */
    uint8_t low;     /* first byte of a count of two */
    bool high_write; /* the second byte comes next */
    bool high_read;  /* likewise */
    bool count_latched;
    bool status_latched;
    uint16_t latch;
    uint8_t status;
};

/* All fields are private to pit.c. */
struct pit {
    const struct device_host *host;
    unsigned irq;
    struct pit_counter counter[PIT_COUNTERS];
    uint8_t port_b;
    int64_t done; /* tick up to which `irq` is up to date */
};

/*
 * Resets the timer and adds ports 0x40 to 0x43 and 0x61 to the bus. False if the bus refuses.
 *
 * Counter 0 drives line `irq`; counter 1 goes nowhere; counter 2 is gated by bit 0 of port 0x61 and
 * read there as bit 5. Bit 4 toggles every 18 ticks, as with the refresh of memory. There is no
 * speaker and no parity check. Pulses of one tick (modes 2 and 4) are edges of the line; of more
 * than one pulse in 10 us the line shows one.
 */
bool pit_init(struct pit *pit, const struct device_host *host, struct pio_bus *bus, unsigned irq);
