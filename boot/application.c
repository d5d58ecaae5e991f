/* SPDX-License-Identifier: BSD-2-Clause */
/* Where the firmware starts each of our applications, and where it gets control back. */
#include "boot/boot.h"

#include "core/version.h"

enum { READING_SECONDS = 60 };

EFI_HANDLE boot_image;
EFI_SYSTEM_TABLE *boot_system;
EFI_BOOT_SERVICES *boot_services;

EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *system);

EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *system)
{
    EFI_STATUS status;

    boot_image = image;
    boot_system = system;
    boot_services = system->BootServices;
    console_start();
    print("Lapwing %s\n", LAPWING_VERSION);
    boot_services->SetWatchdogTimer(0, 0, 0, NULL); /* reading large files may take minutes */
    status = application();
    memory_free_all();
    print("lapwing: returning to the firmware: %s\n", status_name(status));
    console_wait_for_key(READING_SECONDS);
    return status;
}
