/* SPDX-License-Identifier: BSD-2-Clause */
// apic: yes
/* IA32_APIC_BASE: switching the local APIC off and on, and moving its page. */
#include "tests/guest/guest.h"

enum {
    LEAF1_EDX_APIC = 1 << 9,
    VECTOR = 0x61,
};

#define ELSEWHERE 0xfed80000ul

static void refused(uint64_t value, const char *name)
{
    uint64_t old = rdmsr(MSR_APIC_BASE);
    is_fault(try_wrmsr(MSR_APIC_BASE, value), GP, 0, "%s", name);
    is_u64(rdmsr(MSR_APIC_BASE), old, "%s, and it is unchanged", name);
}

void test_main(void)
{
    uint64_t on = rdmsr(MSR_APIC_BASE);
    uint32_t version = lapic_read(LAPIC_VERSION);
    unsigned width = cpuid(0x80000008, 0).eax & 0xff;

    refused(on | 1, "reserved bit 0");
    refused(on | 1 << 9, "reserved bit 9");
    refused(on | 1ull << width, "an address beyond MAXPHYADDR");
    refused((on & ~(uint64_t)APIC_BASE_EN) | APIC_BASE_EXTD, "EXTD without EN");

    wrmsr(MSR_APIC_BASE, on & ~(uint64_t)APIC_BASE_EN);
    uint32_t answer = mmio_read32(LAPIC_BASE + LAPIC_VERSION);
    uint32_t apic_bit = cpuid(1, 0).edx & LEAF1_EDX_APIC;
    write_cr8(3);
    unsigned long priority = read_cr8();
    write_cr8(0);
    refused(on | APIC_BASE_EXTD, "disabled to x2APIC");
    wrmsr(MSR_APIC_BASE, on);
    is_u64(answer, 0xffffffff, "disabled, the page does not answer");
    is_u64(apic_bit, 0, "disabled, CPUID hides the APIC");
    is_u64(priority, 3, "disabled, CR8 still keeps its value");
    is_u64(cpuid(1, 0).edx & LEAF1_EDX_APIC, LEAF1_EDX_APIC, "enabled, CPUID shows it");
    is_u64(lapic_read(LAPIC_VERSION), version, "enabled, the page answers");

    wrmsr(MSR_APIC_BASE, (on & 0xfff) | ELSEWHERE);
    uint32_t here = mmio_read32(ELSEWHERE + LAPIC_VERSION);
    answer = mmio_read32(LAPIC_BASE + LAPIC_VERSION);
    mmio_write32(ELSEWHERE + LAPIC_TPR, 0x50);
    priority = read_cr8();
    write_cr8(0);
    wrmsr(MSR_APIC_BASE, on);
    is_u64(here, version, "moved, the page answers at its new place");
    is_u64(answer, 0xffffffff, "moved, nothing answers at the old one");
    is_u64(priority, 5, "moved, writes arrive");
    is_u64(lapic_read(LAPIC_VERSION), version, "moved back, it answers again");
    is_u64(mmio_read32(ELSEWHERE + LAPIC_VERSION), 0xffffffff, "and no longer elsewhere");

    set_handler(VECTOR, count_trap);
    lapic_enable();
    self_ipi(VECTOR);
    sti_nop();
    cli();
    is_u64(trap_count[VECTOR], 1, "interrupts still work");
}
