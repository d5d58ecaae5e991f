/* SPDX-License-Identifier: BSD-2-Clause */
/* The two interrupt controllers of a PC. Source: Intel 8259A data sheet; for the trigger registers,
 * Intel 82371SB data sheet, "ELCR1" and "ELCR2". */
#pragma once

#include "drivers/guest/device.h"
#include "drivers/guest/pio.h"

enum {
    I8259_MASTER_PORT = 0x20, /* 2 ports */
    I8259_SLAVE_PORT = 0xa0,  /* 2 ports */
    I8259_ELCR_PORT = 0x4d0,  /* 2 ports */
    I8259_LINES = 16,
    I8259_CASCADE = 2, /* the master's input that the slave drives */
};

struct i8259_chip {
    uint8_t lines; /* levels of the inputs */
    uint8_t edges; /* edges that wait; a line that falls takes its own back */
    uint8_t imr, isr;
    uint8_t level;  /* inputs that are triggered by level */
    uint8_t lowest; /* the input of lowest priority */
    uint8_t base;   /* vector of input 0 */
    uint8_t icw1;
    uint8_t expects; /* the initialization command word that comes next, 2 to 4; 0: none */
    bool initialized;
    bool auto_eoi, rotate_in_auto_eoi;
    bool fully_nested; /* "special fully nested mode" */
    bool special_mask;
    bool read_isr; /* else IRR */
    bool poll;     /* the next read acknowledges */
};

/* All fields are private to i8259.c. */
struct i8259 {
    const struct device_host *host;
    void (*set_intr)(void *ctx, bool level);
    bool intr;
    struct i8259_chip chip[2]; /* master, slave */
};

/*
 * Resets the pair, with all inputs masked, and adds its ports to the bus. False if the bus refuses.
 *
 * set_intr tells host->ctx of the master's output, when it changes; it is bound like the callbacks
 * of struct device_host. `level_lines` are those that firmware has set to be triggered by level.
 */
bool i8259_init(struct i8259 *pair, const struct device_host *host, struct pio_bus *bus,
                void (*set_intr)(void *ctx, bool level), uint16_t level_lines);

/* Sets the level of an input, 0 to 15. The cascade's own belongs to the slave: not set. Caller
 * holds the device lock. */
void i8259_set_line(struct i8259 *pair, unsigned line, bool level);

/* The processor's interrupt-acknowledge cycle: the vector it gets. With no request left that is
 * the spurious one of input 7. Caller holds the device lock. */
uint8_t i8259_acknowledge(struct i8259 *pair);
