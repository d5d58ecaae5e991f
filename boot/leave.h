/* SPDX-License-Identifier: BSD-2-Clause */
/* The end of boot services. */
#ifndef LAPWING_BOOT_LEAVE_H
#define LAPWING_BOOT_LEAVE_H

#include "boot/efi.h"
#include "core/handover.h"

/* With everything loaded: checks that memory suffices, builds the page tables, ends boot services
 * and enters the hypervisor. Returns only after a refusal. */
EFI_STATUS leave_firmware(struct handover *handover);

#endif
