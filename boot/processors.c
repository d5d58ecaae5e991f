/* SPDX-License-Identifier: BSD-2-Clause */
/* The enabled processors, from the firmware's MP services and the ACPI MADT. */
#include "boot/processors.h"

#include "boot/console.h"
#include "boot/cpu_list.h"
#include "boot/efi.h"
#include "core/x86.h"
#include "drivers/host/acpi.h"

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

/* UEFI maps memory at its physical addresses. */
static const void *firmware_memory(paddr_t address, uint64_t size)
{
    (void)size;
    return (const void *)address;
}

static void add_from_acpi(struct cpu_list *list, uint64_t rsdp)
{
    uint32_t length = 0;
    const uint8_t *madt = acpi_find_table(rsdp, "APIC", firmware_memory, &length);

    if (madt != NULL)
        cpu_list_add_madt(list, madt, length);
}

void processors_find(struct handover *handover)
{
    static struct cpu_list list;

    cpu_list_start(&list, own_apic_id());
    add_from_mp_services(&list);
    if (handover->rsdp != 0)
        add_from_acpi(&list, handover->rsdp);
    for (uint32_t i = 0; i < list.n_cpus; i++) {
        handover->cpus[i].apic_id = list.cpus[i];
        handover->cpus[i].is_bsp = list.cpus[i] == list.bsp;
    }
    handover->n_cpus = list.n_cpus;
    print("lapwing: processors: %u\n", list.n_cpus);
    if (list.left_out != 0)
        print("lapwing: %u more processors are left out\n", list.left_out);
}
