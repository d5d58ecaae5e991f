/* SPDX-License-Identifier: BSD-2-Clause */
/* The CMOS clock and memory of a PC. Source: Motorola MC146818A data sheet. */
#pragma once

#include "drivers/guest/device.h"
#include "drivers/guest/pio.h"

enum {
    RTC_CMOS_SIZE = 128,
};

/* All fields are private to rtc.c. */
struct rtc {
    const struct device_host *host;
    unsigned irq;

    uint8_t index; /* as written to the index port */
    uint8_t cmos[RTC_CMOS_SIZE];

    /* While the clock runs, calendar time in seconds since 1970 is
     * epoch_s + (guest time + phase_ns) / 1 s, rounded down. */
    int64_t epoch_s;
    uint32_t phase_ns;   /* 0..999999999 */
    uint8_t weekday_add; /* what the guest added to the computed day of the week, 0..6 */
    uint64_t done_ns;    /* flags are up to date to this guest time */
};

struct rtc_config {
    uint16_t base; /* two ports: index and data */
    unsigned irq;
    uint64_t start_s;        /* calendar time at guest time 0, seconds since 1970 UTC */
    uint64_t memory_below4g; /* bytes of RAM from address 0 on, for the memory-size bytes */
};

/*
 * Resets the clock and adds it to the bus. False if the bus refuses.
 *
 * The clock starts in BCD, 24 hours, with register 0x32 as the century. Update-ended, alarm and
 * periodic interrupts are given; the square wave and daylight saving are not there. An update is
 * announced by UIP 244 us ahead and takes no time.
 */
bool rtc_init(struct rtc *rtc, const struct device_host *host, struct pio_bus *bus,
              const struct rtc_config *config);
