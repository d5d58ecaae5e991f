/* SPDX-License-Identifier: BSD-2-Clause */
/* The UEFI application: checks everything that can fail, and hands the machine to the hypervisor.
 */
#include "boot/boot.h"

#include "core/format.h"
#include "core/string.h"
#include "core/version.h"
#include "core/x86.h"
#include "vmx/caps.h"

EFI_HANDLE boot_image;
EFI_SYSTEM_TABLE *boot_system;
EFI_BOOT_SERVICES *boot_services;

static uint64_t read_msr(void *unused, uint32_t msr)
{
    (void)unused;
    return rdmsr(msr);
}

static EFI_STATUS check_controls(void)
{
    static struct vmx_caps caps;
    static char text[2048]; /* has room for the names of all */
    enum vmx_feature next = 0;
    const char *missing;
    size_t n = 0;

    vmx_caps_read(&caps, read_msr, NULL);
    while ((missing = vmx_caps_missing(&caps, &next)) != NULL)
        n += format_string(text + n, sizeof(text) - n, "%s'%s'", n > 0 ? ", " : "", missing);
    if (n > 0)
        return refuse(EFI_UNSUPPORTED, "this processor's VMX lacks %s", text);
    return EFI_SUCCESS;
}

/* Can this processor run the hypervisor? Refuses, naming what is missing. */
static EFI_STATUS check_cpu(void)
{
    const char *reason;

    if (!(cpuid(1, 0).ecx & CPUID_1_ECX_VMX))
        return refuse(EFI_UNSUPPORTED, "this processor has no VMX (Intel VT-x)");
    if (!(cpuid_checked(0x80000001, 0).edx & CPUID_80000001_EDX_NX))
        return refuse(EFI_UNSUPPORTED, "this processor has no execute-disable (NX), or the "
                                       "firmware's set-up has turned it off");
    reason = vmx_feature_control_refusal(rdmsr(MSR_IA32_FEATURE_CONTROL));
    if (reason != NULL)
        return refuse(EFI_UNSUPPORTED, "%s", reason);
    return check_controls();
}

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
    EFI_STATUS status = check_cpu();
    struct handover *handover;

    if (EFI_ERROR(status))
        return status;
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
