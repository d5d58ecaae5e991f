/* SPDX-License-Identifier: BSD-2-Clause */
/* The end of boot services. */
#include "boot/boot.h"

#include "core/x86.h"

enum { EXIT_TRIES = 8 };

/* Judges the memory map as it is now and builds the page tables for its RAM, which does not change
 * any more: only the use of it does. */
static EFI_STATUS prepare(struct handover *handover, const struct map_buffer *buffer)
{
    struct range_list list = {.ranges = handover->ranges,
                              .max = HANDOVER_MAX_RANGES - MAP_SLACK_DESCRIPTORS};
    static struct handover_range ram_ranges[HANDOVER_MAX_RANGES];
    struct range_list ram = {.ranges = ram_ranges, .max = HANDOVER_MAX_RANGES};
    const struct memory_claim image = {handover->image_base, handover->image_size};
    struct firmware_map map;
    UINTN key;
    EFI_STATUS status = map_get(buffer, &map, &key);

    if (EFI_ERROR(status))
        return refuse(status, "the firmware's memory map cannot be read");
    if (!map_convert(&map, &list))
        return refuse(EFI_UNSUPPORTED, "the firmware's memory map has more than %u ranges",
                      list.max);
    status = guests_check_memory(handover, ranges_total(&list, HANDOVER_FREE));
    if (EFI_ERROR(status))
        return status;
    if (!memory_map_direct(&list, &image, &ram))
        return refuse(EFI_UNSUPPORTED, "the firmware's memory map has more than %u ranges",
                      ram.max);
    return hypervisor_map(handover, &ram);
}

/* UEFI specification, "EFI_BOOT_SERVICES.ExitBootServices()": when the map changed in between, get
 * it again and retry; after the first try nothing else may be called. */
static EFI_STATUS exit_boot_services(const struct map_buffer *buffer, struct firmware_map *map)
{
    EFI_STATUS status = EFI_INVALID_PARAMETER;

    for (uint32_t i = 0; i < EXIT_TRIES && status == EFI_INVALID_PARAMETER; i++) {
        UINTN key;

        status = map_get(buffer, map, &key);
        if (!EFI_ERROR(status))
            status = boot_services->ExitBootServices(boot_image, key);
    }
    return status;
}

static _Noreturn void stop(const char *text)
{
    console_leave_firmware();
    print("lapwing: %s\n", text);
    for (;;) {
        cli();
        hlt();
    }
}

static EFI_STATUS leave_with_buffer(struct handover *handover, const struct map_buffer *buffer)
{
    struct range_list list = {.ranges = handover->ranges, .max = HANDOVER_MAX_RANGES};
    struct firmware_map map;
    EFI_STATUS status = prepare(handover, buffer);

    if (EFI_ERROR(status))
        return status;
    firmware_read_clock(handover);
    print("lapwing: leaving the firmware\n");
    status = exit_boot_services(buffer, &map);
    if (EFI_ERROR(status))
        return refuse(status, "the firmware does not end its boot services");
    cli();
    if (!map_convert(&map, &list))
        stop("the memory map grew beyond its limit while boot services ended");
    handover->n_ranges = list.count;
    hypervisor_enter(handover);
}

EFI_STATUS leave_firmware(struct handover *handover)
{
    struct map_buffer buffer;
    EFI_STATUS status = map_take_buffer(&buffer);

    if (EFI_ERROR(status))
        return status;
    status = leave_with_buffer(handover, &buffer);
    boot_services->FreePool(buffer.descriptors);
    return status;
}
