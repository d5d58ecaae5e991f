/* SPDX-License-Identifier: BSD-2-Clause */
/* What the firmware knows of the machine: ACPI tables, framebuffer, clocks, processors. */
#include "boot/boot.h"

#include "boot/cpu_list.h"
#include "core/calendar.h"
#include "core/string.h"
#include "core/x86.h"
#include "drivers/host/acpi.h"

enum { STALL_US = 10000, STALLS = 3, US_PER_SECOND = 1000000, BYTES_PER_PIXEL = 4 };

/* UEFI Platform Initialization specification, "EFI_MP_SERVICES_PROTOCOL"; gnu-efi has none. */
#define MP_SERVICES_GUID                                                                           \
    {                                                                                              \
        0x3fdda605, 0xa76e, 0x4f46,                                                                \
        {                                                                                          \
            0xad, 0x29, 0x12, 0xf4, 0x53, 0x1b, 0x3d, 0x08                                         \
        }                                                                                          \
    }

enum {
    PROCESSOR_ENABLED = 1 << 1, /* bits of the status flag */
    PROCESSOR_HEALTHY = 1 << 2,
};

struct processor_information {
    uint64_t processor_id; /* APIC ID */
    uint32_t status_flag;
    uint32_t package, core, thread;
    uint32_t extended[6];
};

struct mp_services {
    EFI_STATUS(EFIAPI *get_number_of_processors)
    (struct mp_services *this, UINTN *all, UINTN *enabled);
    EFI_STATUS(EFIAPI *get_processor_info)
    (struct mp_services *this, UINTN number, struct processor_information *information);
};

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

/* Pixels of 32 bits: what is drawn is grey, so the order of the colours is of no interest. */
static bool has_known_pixels(const EFI_GRAPHICS_OUTPUT_MODE_INFORMATION *info)
{
    const EFI_PIXEL_BITMASK *mask = &info->PixelInformation;
    uint32_t all = mask->RedMask | mask->GreenMask | mask->BlueMask | mask->ReservedMask;

    return info->PixelFormat == PixelBlueGreenRedReserved8BitPerColor ||
           info->PixelFormat == PixelRedGreenBlueReserved8BitPerColor ||
           (info->PixelFormat == PixelBitMask && all >> 24 != 0);
}

/* The size is that of the picture: firmware is not to be relied on for it. */
static void describe_mode(const EFI_GRAPHICS_OUTPUT_PROTOCOL_MODE *mode,
                          struct handover_framebuffer *framebuffer)
{
    const EFI_GRAPHICS_OUTPUT_MODE_INFORMATION *info = mode->Info;

    if (!has_known_pixels(info))
        return;
    framebuffer->base = mode->FrameBufferBase;
    framebuffer->width = info->HorizontalResolution;
    framebuffer->height = info->VerticalResolution;
    framebuffer->stride = info->PixelsPerScanLine * BYTES_PER_PIXEL;
    framebuffer->size = (uint64_t)framebuffer->stride * framebuffer->height;
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

/* The 32-bit ID where the processor reports one, as in the MADT's x2APIC entries. */
static uint32_t own_apic_id(void)
{
    const uint32_t leaf_topology = 0xb;

    if (cpuid(0, 0).eax >= leaf_topology && cpuid(leaf_topology, 0).ebx != 0)
        return cpuid(leaf_topology, 0).edx;
    return cpuid(1, 0).ebx >> 24;
}

static void add_from_mp_services(struct cpu_list *list)
{
    static EFI_GUID guid = MP_SERVICES_GUID;
    struct mp_services *mp;
    UINTN all = 0;
    UINTN enabled;

    if (EFI_ERROR(boot_services->LocateProtocol(&guid, NULL, (void **)&mp)) ||
        EFI_ERROR(mp->get_number_of_processors(mp, &all, &enabled)))
        return;
    for (UINTN i = 0; i < all; i++) {
        const uint32_t usable = PROCESSOR_ENABLED | PROCESSOR_HEALTHY;
        struct processor_information information;

        if (!EFI_ERROR(mp->get_processor_info(mp, i, &information)))
            cpu_list_add(list, (uint32_t)information.processor_id,
                         (information.status_flag & usable) == usable);
    }
}

const void *firmware_memory(paddr_t address, uint64_t)
{
    return (const void *)address;
}

static void add_from_acpi(struct cpu_list *list, uint64_t rsdp)
{
    uint32_t length = 0;
    const uint8_t *madt = acpi_find_table(rsdp, "APIC", firmware_memory, &length);

    if (madt != NULL)
        cpu_list_add_madt(list, madt, length);
}

static void find_processors(struct handover *handover)
{
    static struct cpu_list list;

    cpu_list_start(&list, own_apic_id());
    add_from_mp_services(&list);
    if (handover->rsdp != 0)
        add_from_acpi(&list, handover->rsdp);
    uint32_t n = cpu_list_enabled(&list, handover->cpus, HANDOVER_MAX_CPUS);

    handover->n_cpus = min(n, (uint32_t)HANDOVER_MAX_CPUS);
    print("lapwing: processors: %u\n", handover->n_cpus);
    if (n > HANDOVER_MAX_CPUS)
        print("lapwing: %u more processors are left out\n", n - HANDOVER_MAX_CPUS);
}

void firmware_describe(struct handover *handover)
{
    handover->rsdp = find_rsdp();
    find_framebuffer(&handover->framebuffer);
    handover->tsc_hz = measure_tsc();
    print("lapwing: TSC %lu kHz, ACPI tables %s, framebuffer %ux%u\n", handover->tsc_hz / 1000,
          handover->rsdp != 0 ? "present" : "absent", handover->framebuffer.width,
          handover->framebuffer.height);
    find_processors(handover);
}

void firmware_read_clock(struct handover *handover)
{
    EFI_TIME time;
    EFI_STATUS status = boot_system->RuntimeServices->GetTime(&time, NULL);

    if (EFI_ERROR(status))
        return;
    struct calendar now = {
        .year = time.Year,
        .month = time.Month,
        .day = time.Day,
        .hour = time.Hour,
        .minute = time.Minute,
        .second = time.Second,
    };

    handover->boot_time = calendar_to_seconds(&now);
    if (time.TimeZone != EFI_UNSPECIFIED_TIMEZONE)
        handover->boot_time += time.TimeZone * 60; /* minutes that UTC is ahead of local time */
}
