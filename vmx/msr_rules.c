/* SPDX-License-Identifier: BSD-2-Clause */
/* Which values WRMSR takes. */
#include "vmx/msr_rules.h"

#include "core/bits.h"
#include "core/x86.h"

/* Each byte is a memory type; 2, 3 and 8 and above are reserved. */
static bool pat_allowed(uint64_t value)
{
    for (unsigned i = 0; i < 8; i++) {
        unsigned type = (value >> 8 * i) & 0xff;
        if (type > MEMORY_TYPE_UC_MINUS || type == 2 || type == 3)
            return false;
    }
    return true;
}

bool msr_value_allowed(uint32_t msr, uint64_t value, unsigned linear_bits)
{
    switch (msr) {
    case MSR_IA32_PAT:
        return pat_allowed(value);
    case MSR_IA32_FMASK:
    case MSR_IA32_TSC_AUX:
        return value >> 32 == 0;
    case MSR_IA32_SYSENTER_ESP:
    case MSR_IA32_SYSENTER_EIP:
    case MSR_IA32_LSTAR:
    case MSR_IA32_CSTAR:
    case MSR_IA32_FS_BASE:
    case MSR_IA32_GS_BASE:
    case MSR_IA32_KERNEL_GS_BASE:
        return is_canonical(value, linear_bits);
    default:
        return true;
    }
}
