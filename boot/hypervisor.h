/* SPDX-License-Identifier: BSD-2-Clause */
/* The hypervisor that this application carries: into memory, mapped, and entered. */
#ifndef LAPWING_BOOT_HYPERVISOR_H
#define LAPWING_BOOT_HYPERVISOR_H

#include "boot/efi.h"
#include "boot/memory_map.h"
#include "core/handover.h"

/* Copies the image, the ELF file and the trampoline code to their places, and fills the fields of
 * handover that say where. Refuses. */
EFI_STATUS hypervisor_load(struct handover *handover);

/* Builds the page tables: the direct map of ram (ranges of type HANDOVER_FREE without the image),
 * the image and the trampoline page. After hypervisor_load(). Refuses. */
EFI_STATUS hypervisor_map(struct handover *handover, const struct range_list *ram);

/* Leaves the firmware's address space for good. After ExitBootServices. */
_Noreturn void hypervisor_enter(const struct handover *handover);

#endif
