/* SPDX-License-Identifier: BSD-2-Clause */
/* Can this processor run the hypervisor? */
#include "boot/boot.h"

#include "core/format.h"
#include "core/x86.h"

bool processor_has_vmx(struct vmx_caps *caps)
{
    if (!(cpuid(1, 0).ecx & CPUID_1_ECX_VMX))
        return false;
    vmx_caps_read(caps, rdmsr);
    return true;
}

static const char *missing_controls(const struct vmx_caps *caps)
{
    static char text[2048]; /* has room for the names of all */
    const char *missing;
    enum vmx_feature next = 0;
    size_t n = 0;

    while ((missing = vmx_caps_missing(caps, &next)) != NULL)
        n += format_string(text + n, sizeof(text) - n, "%s'%s'",
                           n > 0 ? ", " : "this processor's VMX lacks ", missing);
    return n > 0 ? text : NULL;
}

const char *processor_refusal(void)
{
    static struct vmx_caps caps;
    const char *reason;

    if (!processor_has_vmx(&caps))
        return "this processor has no VMX (Intel VT-x)";
    if (!(cpuid_checked(0x80000001, 0).edx & CPUID_80000001_EDX_NX))
        return "this processor has no execute-disable (NX), or the firmware's set-up has turned "
               "it off";
    reason = vmx_feature_control_refusal(rdmsr(MSR_IA32_FEATURE_CONTROL));
    return reason != NULL ? reason : missing_controls(&caps);
}
