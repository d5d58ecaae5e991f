/* SPDX-License-Identifier: BSD-2-Clause */
/* Resetting the machine and switching it off. On the boot processor, when no CPU runs a guest. */
#pragma once

#include "core/types.h"

/* `rsdp` is the firmware's, or 0. Both return only when nothing had an effect, with that logged. */
void power_reset(paddr_t rsdp);
void power_off(paddr_t rsdp);
