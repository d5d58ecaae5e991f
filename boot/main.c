/* SPDX-License-Identifier: BSD-2-Clause */
/* The UEFI application: checks everything that can fail, and hands the machine to the hypervisor.
 */
#include "boot/console.h"
#include "boot/cpu.h"
#include "boot/efi.h"
#include "boot/files.h"
#include "boot/firmware.h"
#include "boot/guests.h"
#include "boot/hypervisor.h"
#include "boot/leave.h"
#include "boot/memory.h"
#include "boot/processors.h"
#include "core/string.h"
#include "core/version.h"
#include "core/x86.h"

EFI_HANDLE boot_image;
EFI_SYSTEM_TABLE *boot_system;
EFI_BOOT_SERVICES *boot_services;

static EFI_STATUS load_guests(struct handover *handover)
{
    EFI_STATUS status = files_open_volume();

    if (EFI_ERROR(status))
        return status;
    status = guests_read_config(handover);
    if (!EFI_ERROR(status))
        status = guests_load_files(handover);
    files_close_volume();
    if (!EFI_ERROR(status))
        status = guests_check_images(handover);
    return status;
}

/* Returns only after a refusal. */
static EFI_STATUS start(void)
{
    EFI_STATUS status = cpu_check();
    struct handover *handover;

    if (EFI_ERROR(status))
        return status;
    handover = (void *)memory_take(sizeof(*handover), PAGE_SIZE, MEMORY_ANYWHERE, false);
    if (handover == NULL)
        return refuse(EFI_OUT_OF_RESOURCES, "not even %lu KiB of memory are free",
                      sizeof(*handover) / 1024);
    memset(handover, 0, sizeof(*handover));
    handover->magic = HANDOVER_MAGIC;
    handover->size = sizeof(*handover);
    status = load_guests(handover);
    if (EFI_ERROR(status))
        return status;
    firmware_describe(handover);
    processors_find(handover);
    status = hypervisor_load(handover);
    if (EFI_ERROR(status))
        return status;
    return leave_firmware(handover);
}

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
    status = start();
    memory_free_all();
    print("lapwing: returning to the firmware: %s\n", status_name(status));
    return status;
}
