/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory taken from the firmware for the hypervisor, and the firmware's map of all of it. */
#include "boot/boot.h"

#include "core/x86.h"

enum { CLAIMS_MAX = HANDOVER_MAX_FILES + 256 };

static struct memory_claim claims[CLAIMS_MAX];
static uint32_t n_claims;

uint64_t memory_take(uint64_t size, uint64_t highest)
{
    EFI_MEMORY_TYPE type = highest == MEMORY_BELOW_1M ? EfiLoaderCode : EfiLoaderData;
    EFI_PHYSICAL_ADDRESS base = highest;

    size = align_up(size, PAGE_SIZE);
    if (n_claims == CLAIMS_MAX ||
        EFI_ERROR(boot_services->AllocatePages(AllocateMaxAddress, type, size / PAGE_SIZE, &base)))
        return 0;
    claims[n_claims++] = (struct memory_claim){.base = base, .size = size};
    return base;
}

void memory_free_all(void)
{
    while (n_claims > 0) {
        n_claims--;
        boot_services->FreePages(claims[n_claims].base, claims[n_claims].size / PAGE_SIZE);
    }
}

EFI_STATUS map_get(const struct map_buffer *buffer, struct firmware_map *map, UINTN *key)
{
    UINTN size = buffer->capacity;
    UINTN descriptor_size = 0;
    UINT32 version;
    EFI_STATUS status =
        boot_services->GetMemoryMap(&size, buffer->descriptors, key, &descriptor_size, &version);

    *map = (struct firmware_map){buffer->descriptors, size, descriptor_size};
    return status;
}

EFI_STATUS map_take_buffer(struct map_buffer *buffer)
{
    struct firmware_map map;
    UINTN key;

    *buffer = (struct map_buffer){NULL, 0};
    if (map_get(buffer, &map, &key) != EFI_BUFFER_TOO_SMALL)
        return refuse(EFI_DEVICE_ERROR, "the firmware does not say how large its memory map is");
    buffer->capacity = map.size + MAP_SLACK_DESCRIPTORS * map.descriptor_size;
    if (EFI_ERROR(
            boot_services->AllocatePool(EfiLoaderData, buffer->capacity, &buffer->descriptors)))
        return refuse(EFI_OUT_OF_RESOURCES, "no room for the memory map");
    return EFI_SUCCESS;
}

bool map_convert(const struct firmware_map *map, struct range_list *list)
{
    return memory_map_convert(map, claims, n_claims, list);
}
