/* SPDX-License-Identifier: BSD-2-Clause */
/* Which values WRMSR takes. Pure. Source: SDM Vol 4, "Architectural MSRs". */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* 48-bit linear addresses. */
static inline bool is_canonical(uint64_t address)
{
    return (uint64_t)((int64_t)(address << 16) >> 16) == address;
}

/* For IA32_PAT, SYSENTER, SYSCALL, FS, GS and KERNEL_GS base and TSC_AUX; false: #GP. */
bool msr_value_allowed(uint32_t msr, uint64_t value);
