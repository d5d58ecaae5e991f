/* SPDX-License-Identifier: BSD-2-Clause */
/* The discovery leaves. TLFS, "Feature and Interface Discovery". */
#include "core/hyperv/state.h"

#include "core/string.h"

#define FEATURES                                                                                   \
    (HV_FEATURE_XMM_INPUT | HV_FEATURE_FREQUENCIES | HV_FEATURE_CRASH |                            \
     HV_FEATURE_EXTENDED_RANGES | HV_FEATURE_XMM_OUTPUT | HV_FEATURE_SINT_POLLING |                \
     HV_FEATURE_LOCK | HV_FEATURE_DIRECT_TIMERS)
#define RECOMMENDATIONS                                                                            \
    (HV_RECOMMEND_REMOTE_FLUSH | HV_RECOMMEND_RELAXED_TIME | HV_DEPRECATE_AUTO_EOI |               \
     HV_RECOMMEND_CLUSTER_IPI | HV_RECOMMEND_EX_MASKS)

/* The version that the interface was written after: Windows Server 2022's. */
enum { BUILD = 20348, VERSION = 10 << 16 };

static void text(uint32_t highest, const char *vendor, uint32_t out[CPUID_REGISTERS])
{
    out[CPUID_EAX] = highest;
    memcpy(&out[CPUID_EBX], vendor, 12);
}

void hv_cpuid(const struct vm *vm, uint32_t leaf, uint32_t out[CPUID_REGISTERS])
{
    memset(out, 0, CPUID_REGISTERS * sizeof(out[0]));
    switch (leaf) {
    case HV_CPUID_VENDOR:
        text(HV_CPUID_HIGHEST, "Microsoft Hv", out);
        break;
    case HV_CPUID_INTERFACE:
        memcpy(&out[CPUID_EAX], "Hv#1", 4);
        break;
    case HV_CPUID_VERSION:
        out[CPUID_EAX] = BUILD;
        out[CPUID_EBX] = VERSION;
        break;
    case HV_CPUID_FEATURES:
        out[CPUID_EAX] = (uint32_t)vm->hv->privileges;
        out[CPUID_EBX] = (uint32_t)(vm->hv->privileges >> 32);
        out[CPUID_EDX] = (uint32_t)(FEATURES | (vm->vtls > 1 ? HV_FEATURE_VSM_PAT : 0));
        break;
    case HV_CPUID_RECOMMENDATIONS:
        out[CPUID_EAX] = (uint32_t)RECOMMENDATIONS;
        out[CPUID_EBX] = UINT32_MAX; /* spinning need not be notified */
        out[CPUID_ECX] = vm->vcpus[0]->contexts[0].vmx.policy.physical_bits;
        break;
    case HV_CPUID_LIMITS:
        out[CPUID_EAX] = CONFIG_VCPUS_MAX;
        out[CPUID_EBX] = CONFIG_VCPUS_MAX;
        break;
    case HV_CPUID_HARDWARE:
        out[CPUID_EAX] = (uint32_t)(HV_HARDWARE_MSR_BITMAPS | HV_HARDWARE_SECOND_LEVEL |
                                    HV_HARDWARE_UNRESTRICTED_GUEST);
        break;
    case HV_CPUID_STACK_VENDOR:
        text(HV_CPUID_STACK_PROPERTIES, "Microsoft VS", out);
        break;
    case HV_CPUID_STACK_INTERFACE:
        memcpy(&out[CPUID_EAX], "VS#1", 4);
        break;
    case HV_CPUID_STACK_PROPERTIES:
        out[CPUID_EAX] = (uint32_t)HV_STACK_EXTENDED_RTE;
        break;
    default:
        break;
    }
}
