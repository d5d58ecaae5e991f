/* SPDX-License-Identifier: BSD-2-Clause */
/* Which values WRMSR takes. Pure. Source: SDM Vol 4, "Architectural MSRs". */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* For linear addresses of so many bits. What registers hold is judged by the processor's 48 or 57,
 * what an instruction accesses by CR4.LA57: SDM Vol 1, "Canonical Addressing". */
static inline bool is_canonical(uint64_t address, unsigned linear_bits)
{
    unsigned unused = 64 - linear_bits;
    return (uint64_t)((int64_t)(address << unused) >> unused) == address;
}

/* For IA32_PAT, SYSENTER, SYSCALL, FS, GS and KERNEL_GS base and TSC_AUX, on a processor with so
 * many bits of linear addresses; false: #GP. */
bool msr_value_allowed(uint32_t msr, uint64_t value, unsigned linear_bits);
