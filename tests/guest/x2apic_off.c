/* SPDX-License-Identifier: BSD-2-Clause */
// apic_ids: 0x123, 0x23
// x2apic: off
/* A processor without x2APIC mode whose ID does not fit into xAPIC mode. SDM Vol 3A, "Detecting and
   Enabling x2APIC Mode". */
#include "tests/guest/guest.h"

enum { ID = 0x123, LEAF1_ECX_X2APIC = 1 << 21, X2APIC_ID = 0x802 };

void test_main(void)
{
    uint64_t base = rdmsr(MSR_APIC_BASE), value;

    is_u64(cpuid(1, 0).ecx & LEAF1_ECX_X2APIC, 0, "CPUID does not offer x2APIC mode");
    is_fault(try_wrmsr(MSR_APIC_BASE, base | APIC_BASE_EXTD), GP, 0, "nor can it be entered");
    is_u64(rdmsr(MSR_APIC_BASE), base, "and the attempt changed nothing");
    is_fault(try_rdmsr(X2APIC_ID, &value), GP, 0, "the MSRs of x2APIC mode are absent");
    is_u64(lapic_read(LAPIC_ID), (uint32_t)ID << 24, "the xAPIC ID is the low byte");
    is_u64(cpuid(1, 0).ebx >> 24, ID & 0xff, "as is the initial APIC ID");
    is_u64(cpuid(0xb, 0).edx, ID, "leaf 0xB has all of it");
}
