/* SPDX-License-Identifier: BSD-2-Clause */
/* 32-bit code in long mode: the exits it causes are decoded and advanced as 32-bit code. */
#include "tests/guest/guest.h"

extern const volatile uint32_t compat_results[];

void compat_trip(void);

void test_main(void)
{
    const volatile uint32_t *result = compat_results;
    compat_trip();
    is_u64(*result++, cpuid(0, 0).ebx, "CPUID");
    is_u64(*result++, 0x123456ff, "IN AL, DX");
    is_u64(*result++, 0xa5a5a5, "REP INSB");
    is_u64(*result++, 3, "REP INSB: EDI");
    is_u64(*result++, 0x42, "OUTSB");
    is_u64(*result++, (uint32_t)rdmsr(MSR_APIC_BASE), "RDMSR");
    is_u64(*result++, lapic_read(LAPIC_VERSION), "reading a device");
    is_u64(*result++, 0x35, "writing a device");
    is_u64(*result++, CR4_DE, "MOV CR4");
    is_u64(*result++, 0xf, "one-byte DEC");
    is_u64(*result, 0, "there are no more results");
}
