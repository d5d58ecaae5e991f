/* SPDX-License-Identifier: BSD-2-Clause */
/* Can this processor run the hypervisor? */
#ifndef LAPWING_BOOT_CPU_H
#define LAPWING_BOOT_CPU_H

#include "boot/efi.h"

/* Refuses, naming what is missing. */
EFI_STATUS cpu_check(void);

#endif
