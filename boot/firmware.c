/* SPDX-License-Identifier: BSD-2-Clause */
/* What the firmware knows of the machine: ACPI tables, framebuffer, clocks. */
#include "boot/firmware.h"

#include <stdbool.h>

#include "boot/calendar.h"
#include "boot/console.h"
#include "boot/efi.h"
#include "core/string.h"
#include "core/x86.h"

enum { STALL_US = 10000, STALLS = 3, US_PER_SECOND = 1000000, BYTES_PER_PIXEL = 4 };

static uint64_t find_table(EFI_GUID guid)
{
    for (UINTN i = 0; i < boot_system->NumberOfTableEntries; i++) {
        const EFI_CONFIGURATION_TABLE *table = &boot_system->ConfigurationTable[i];

        if (memcmp(&table->VendorGuid, &guid, sizeof(guid)) == 0)
            return (uint64_t)table->VendorTable;
    }
    return 0;
}

static uint64_t find_rsdp(void)
{
    uint64_t rsdp = find_table((EFI_GUID)ACPI_20_TABLE_GUID);

    return rsdp != 0 ? rsdp : find_table((EFI_GUID)ACPI_TABLE_GUID);
}

static void describe_mode(const EFI_GRAPHICS_OUTPUT_PROTOCOL_MODE *mode,
                          struct handover_framebuffer *framebuffer)
{
    const EFI_GRAPHICS_OUTPUT_MODE_INFORMATION *info = mode->Info;

    if (info->PixelFormat == PixelBlueGreenRedReserved8BitPerColor)
        framebuffer->format = HANDOVER_PIXEL_BGRX;
    else if (info->PixelFormat == PixelRedGreenBlueReserved8BitPerColor)
        framebuffer->format = HANDOVER_PIXEL_RGBX;
    else
        return;
    framebuffer->base = mode->FrameBufferBase;
    framebuffer->size = mode->FrameBufferSize;
    framebuffer->width = info->HorizontalResolution;
    framebuffer->height = info->VerticalResolution;
    framebuffer->stride = info->PixelsPerScanLine * BYTES_PER_PIXEL;
}

static void find_framebuffer(struct handover_framebuffer *framebuffer)
{
    static EFI_GUID gop_guid = EFI_GRAPHICS_OUTPUT_PROTOCOL_GUID;
    EFI_GRAPHICS_OUTPUT_PROTOCOL *gop;
    EFI_STATUS status = boot_services->LocateProtocol(&gop_guid, NULL, (void **)&gop);

    if (!EFI_ERROR(status) && gop->Mode != NULL && gop->Mode->Info != NULL)
        describe_mode(gop->Mode, framebuffer);
}

/* Whatever delays a measurement makes it longer, so the shortest is the best. */
static uint64_t measure_tsc(void)
{
    EFI_TPL tpl = boot_services->RaiseTPL(TPL_HIGH_LEVEL);
    uint64_t shortest = ~0ull;

    for (uint32_t i = 0; i < STALLS; i++) {
        uint64_t start = rdtsc();

        boot_services->Stall(STALL_US);
        shortest = min(shortest, rdtsc() - start);
    }
    boot_services->RestoreTPL(tpl);
    return shortest * (US_PER_SECOND / STALL_US);
}

void firmware_describe(struct handover *handover)
{
    handover->rsdp = find_rsdp();
    find_framebuffer(&handover->framebuffer);
    handover->tsc_hz = measure_tsc();
    print("lapwing: TSC %lu kHz, ACPI tables %s, framebuffer %ux%u\n", handover->tsc_hz / 1000,
          handover->rsdp != 0 ? "present" : "absent", handover->framebuffer.width,
          handover->framebuffer.height);
}

void firmware_read_clock(struct handover *handover)
{
    EFI_TIME time;
    EFI_STATUS status = boot_system->RuntimeServices->GetTime(&time, NULL);

    if (EFI_ERROR(status))
        return;
    handover->boot_time = calendar_to_seconds(time.Year, time.Month, time.Day) + time.Hour * 3600 +
                          time.Minute * 60 + time.Second;
    if (time.TimeZone != EFI_UNSPECIFIED_TIMEZONE)
        handover->boot_time += time.TimeZone * 60; /* minutes that UTC is ahead of local time */
}
