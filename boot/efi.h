/* SPDX-License-Identifier: BSD-2-Clause */
/* What the whole of boot/ shares: the UEFI headers and the tables the firmware passed in. */
#ifndef LAPWING_BOOT_EFI_H
#define LAPWING_BOOT_EFI_H

#include <efi.h>

/* Set once by efi_main. boot_services is not to be used after ExitBootServices. */
extern EFI_HANDLE boot_image;
extern EFI_SYSTEM_TABLE *boot_system;
extern EFI_BOOT_SERVICES *boot_services;

#endif
