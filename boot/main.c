/* SPDX-License-Identifier: BSD-2-Clause */
/* Lapwing: checks everything that can fail, and hands the machine to the hypervisor. */
#include "boot/boot.h"

#include "core/string.h"

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

EFI_STATUS application(void)
{
    const char *reason = processor_refusal();
    struct handover *handover;
    EFI_STATUS status;

    if (reason != NULL)
        return refuse(EFI_UNSUPPORTED, "%s", reason);
    handover = (void *)memory_take(sizeof(*handover), MEMORY_ANYWHERE);
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
    status = hypervisor_load(handover);
    if (EFI_ERROR(status))
        return status;
    return leave_firmware(handover);
}
