/* SPDX-License-Identifier: BSD-2-Clause */
/* Can this processor run the hypervisor? */
#include "boot/cpu.h"

#include "boot/console.h"
#include "core/x86.h"
#include "vmx/caps.h"

static uint64_t read_msr(void *unused, uint32_t msr)
{
    (void)unused;
    return rdmsr(msr);
}

static EFI_STATUS check_controls(void)
{
    static struct vmx_caps caps;
    const char *missing;

    vmx_caps_read(&caps, read_msr, NULL);
    if (!vmx_caps_check(&caps, &missing))
        return refuse(EFI_UNSUPPORTED, "this processor's VMX lacks '%s'", missing);
    return EFI_SUCCESS;
}

EFI_STATUS cpu_check(void)
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
