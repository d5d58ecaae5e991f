/* SPDX-License-Identifier: BSD-2-Clause */
/* The first serial port (a 16550 at I/O port 0x3f8), by polling. */
#ifndef LAPWING_BOOT_SERIAL_H
#define LAPWING_BOOT_SERIAL_H

#include <stdbool.h>

/* Sets the port to 115200 baud, 8N1. False: there is none. */
bool serial_start(void);

/* Sends text with each '\n' as CR LF. Only after serial_start() returned true. */
void serial_write(const char *text);

#endif
