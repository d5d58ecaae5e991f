/* SPDX-License-Identifier: BSD-2-Clause */
/* lapwing-check: says what this machine has, and whether Lapwing runs here. Starts nothing. */
#include "boot/boot.h"

#include "core/string.h"
#include "core/x86.h"
#include "drivers/host/acpi.h"
#include "drivers/host/uart.h"

#define REPORT_FILE "\\EFI\\lapwing\\check.txt"

static void print_features(void)
{
    static struct vmx_caps caps;

    if (!processor_has_vmx(&caps))
        return;
    print("%-40s %-9s %s\n", "VMX feature", "wanted", "present");
    for (unsigned i = 0; i < VMX_FEATURES; i++) {
        enum vmx_feature feature = (enum vmx_feature)i;

        print("%-40s %-9s %s\n", vmx_feature_name(feature),
              vmx_feature_required(feature) ? "required" : "if there",
              vmx_has(&caps, feature) ? "yes" : "no");
    }
    if (vmx_caps_is_bochs(&caps))
        print("processor: emulated by Bochs\n");
}

/* SDM Vol 2A, "CPUID": signature in leaf 1, brand string in leaves 80000002H to 80000004H. */
static void print_processor(void)
{
    struct cpuid parts[3];
    struct cpuid first = cpuid(1, 0);
    struct cpuid threads = cpuid_checked(0xb, 0);
    bool x2apic = first.ecx & CPUID_1_ECX_X2APIC;
    char brand[sizeof(parts) + 1] = {0};

    for (uint32_t i = 0; i < 3; i++)
        parts[i] = cpuid_checked(0x80000002 + i, 0);
    memcpy(brand, parts, sizeof(parts));
    print("processor: %s, signature %05x, %u logical processors in a core\n", brand, first.eax,
          threads.ebx != 0 ? threads.ebx & 0xffff : 1);
    print("processor: x2APIC mode %s\n", !x2apic ? "absent"
                                         : rdmsr(MSR_IA32_APIC_BASE) & IA32_APIC_BASE_X2APIC
                                             ? "turned on by the firmware"
                                             : "present, not turned on");
}

static void print_devices(const struct handover *handover)
{
    static const char tables[][5] = {"APIC", "HPET", "MCFG", "DMAR"};
    uint32_t length;

    print("devices: serial port at 3f8h %s",
          host_uart_is_present(HOST_COM1) ? "present" : "absent");
    for (unsigned i = 0; handover->rsdp != 0 && i < sizeof(tables) / sizeof(tables[0]); i++)
        print(", ACPI %s %s", tables[i],
              acpi_find_table(handover->rsdp, tables[i], firmware_memory, &length) != NULL
                  ? "present"
                  : "absent");
    print("\n");
}

static void print_memory(struct handover *handover)
{
    struct range_list list = {.ranges = handover->ranges, .max = HANDOVER_MAX_RANGES};
    struct map_buffer buffer;
    struct firmware_map map;
    uint64_t top = 0;
    UINTN key;

    if (EFI_ERROR(map_take_buffer(&buffer)))
        return;
    if (EFI_ERROR(map_get(&buffer, &map, &key)) || !map_convert(&map, &list)) {
        print("memory: the firmware's map is not to be understood\n");
    } else {
        for (uint32_t i = 0; i < list.count; i++)
            if (list.ranges[i].type == HANDOVER_FREE)
                top = list.ranges[i].base + list.ranges[i].size;
        print("memory: %lu MiB free, up to address %lx, in a map of %u ranges\n",
              ranges_total(&list, HANDOVER_FREE) >> 20, top, list.count);
    }
    boot_services->FreePool(buffer.descriptors);
}

static void print_mitigations(const struct handover *handover)
{
    static struct vmx_caps caps;
    struct vmx_speculation s;
    struct vmx_mitigations m;

    if (!processor_has_vmx(&caps))
        return;
    vmx_speculation_read(&s, &caps, handover->cpus, handover->n_cpus, rdmsr);
    vmx_mitigations_decide(&m, &s, VMX_MITIGATE_AUTO);
    print("transient execution: leaf 7 %x %x, %x, IA32_ARCH_CAPABILITIES %lx\n", s.leaf7_ebx,
          s.leaf7_edx, s.leaf7_2_edx, s.arch_capabilities);
    for (unsigned i = 0; i < VMX_THREATS; i++)
        if (m.of[i].state != VMX_NOT_AFFECTED)
            print("%smitigated: %s: %s\n", m.of[i].state == VMX_MITIGATED ? "" : "not ",
                  vmx_threat_name((enum vmx_threat)i), m.of[i].how);
}

static void print_machine(void)
{
    struct handover *handover = (void *)memory_take(sizeof(*handover), MEMORY_ANYWHERE);

    if (handover == NULL) {
        print("memory: not even %lu KiB are free\n", sizeof(*handover) / 1024);
        return;
    }
    memset(handover, 0, sizeof(*handover));
    firmware_describe(handover);
    print_devices(handover);
    print_memory(handover);
    print_mitigations(handover);
}

static void save_report(void)
{
    size_t size;
    const char *report = console_report(&size);
    EFI_STATUS status = files_open_volume();

    if (!EFI_ERROR(status))
        status = file_save(REPORT_FILE, report, size);
    files_close_volume();
    if (EFI_ERROR(status))
        print("lapwing: cannot write %s: %s\n", REPORT_FILE, status_name(status));
    else
        print("lapwing: all this is in %s, too\n", REPORT_FILE);
}

EFI_STATUS application(void)
{
    const char *reason = processor_refusal();

    print_features();
    print_processor();
    print_machine();
    if (reason == NULL)
        print("verdict: Lapwing runs here\n");
    else
        print("verdict: Lapwing does not run here: %s\n", reason);
    save_report();
    return reason == NULL ? EFI_SUCCESS : EFI_UNSUPPORTED;
}
