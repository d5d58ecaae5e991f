/* SPDX-License-Identifier: BSD-2-Clause */
/* What the firmware knows of the machine: ACPI tables, framebuffer, clocks. */
#ifndef LAPWING_BOOT_FIRMWARE_H
#define LAPWING_BOOT_FIRMWARE_H

#include "core/handover.h"

/* Fills rsdp, framebuffer and tsc_hz. */
void firmware_describe(struct handover *handover);

/* Fills boot_time; to be called shortly before boot services end. */
void firmware_read_clock(struct handover *handover);

#endif
