/* SPDX-License-Identifier: BSD-2-Clause */
/* The discovery leaves. TLFS, "Feature and Interface Discovery". */
#include "core/hyperv/state.h"

#include "core/guest/cpuid_hypervisor.h"

#define FEATURES                                                                                   \
    (HV_FEATURE_XMM_INPUT | HV_FEATURE_FREQUENCIES | HV_FEATURE_CRASH |                            \
     HV_FEATURE_EXTENDED_RANGES | HV_FEATURE_XMM_OUTPUT | HV_FEATURE_SINT_POLLING |                \
     HV_FEATURE_LOCK | HV_FEATURE_DIRECT_TIMERS)
#define RECOMMENDATIONS                                                                            \
    (HV_RECOMMEND_REMOTE_FLUSH | HV_RECOMMEND_RELAXED_TIME | HV_DEPRECATE_AUTO_EOI |               \
     HV_RECOMMEND_CLUSTER_IPI | HV_RECOMMEND_EX_MASKS)

/* The version that the interface was written after: Windows Server 2022's. */
enum { BUILD = 20348, VERSION = 10 << 16 };

struct cpuid hv_cpuid(const struct vm *vm, uint32_t leaf)
{
    uint64_t privileges = vm->hv->privileges;

    switch (leaf) {
    case HV_CPUID_VENDOR:
        return cpuid_signature(HV_CPUID_HIGHEST, "Microsoft Hv");
    case HV_CPUID_INTERFACE:
        return (struct cpuid){.eax = load32("Hv#1")};
    case HV_CPUID_VERSION:
        return (struct cpuid){.eax = BUILD, .ebx = VERSION};
    case HV_CPUID_FEATURES:
        return (struct cpuid){
            .eax = (uint32_t)privileges,
            .ebx = (uint32_t)(privileges >> 32),
            .edx = FEATURES | (vm->vtls > 1 ? HV_FEATURE_VSM_PAT : 0),
        };
    case HV_CPUID_RECOMMENDATIONS:
        return (struct cpuid){
            .eax = RECOMMENDATIONS,
            .ebx = UINT32_MAX, /* spinning need not be notified */
            .ecx = vm->vcpus[0]->contexts[0].vmx.policy.physical_bits,
        };
    case HV_CPUID_LIMITS:
        return (struct cpuid){.eax = CONFIG_VCPUS_MAX, .ebx = CONFIG_VCPUS_MAX};
    case HV_CPUID_HARDWARE:
        return (struct cpuid){.eax = HV_HARDWARE_MSR_BITMAPS | HV_HARDWARE_SECOND_LEVEL |
                                     HV_HARDWARE_UNRESTRICTED_GUEST};
    case HV_CPUID_STACK_VENDOR:
        return cpuid_signature(HV_CPUID_STACK_PROPERTIES, "Microsoft VS");
    case HV_CPUID_STACK_INTERFACE:
        return (struct cpuid){.eax = load32("VS#1")};
    case HV_CPUID_STACK_PROPERTIES:
        return (struct cpuid){.eax = HV_STACK_EXTENDED_RTE};
    default:
        return (struct cpuid){0};
    }
}
