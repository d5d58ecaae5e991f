/* SPDX-License-Identifier: BSD-2-Clause */
/* What a PC's firmware leaves in the first KiB, at the top of base memory and at its entry. */
#pragma once

#include <stdbool.h>

#include "core/guest/memory.h"

/* Writes COM1's port, the place of the extended BIOS data area and the size of base memory to the
 * BIOS data area, and the size of the extended one to its start (core/guest/layout.h). False when
 * the guest has no RAM there. Before the guest starts only, and before its kernel is loaded, which
 * may lie there.
 *
 * Xen puts what it starts processors with below the lowest of these sizes. Who jumps to the
 * firmware's entry, F000:FFF0, as Linux does with "reboot=b", finds code there that resets the
 * machine. */
bool guest_bios_data_build(const struct guest_memory *gm);
