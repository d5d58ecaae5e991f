/* SPDX-License-Identifier: BSD-2-Clause */
// apic: yes
/* The local APIC in x2APIC mode: the MSR space with its faults, interrupts to itself, the way back.
   SDM Vol 3A, "Extended XAPIC (x2APIC)". */
#include "tests/guest/guest.h"

enum {
    VECTOR = 0x61,
    X2_ID = 0x802,
    X2_VERSION = 0x803,
    X2_TPR = 0x808,
    X2_PPR = 0x80a,
    X2_EOI = 0x80b,
    X2_LDR = 0x80d,
    X2_SVR = 0x80f,
    X2_ISR = 0x810,
    X2_IRR = 0x820,
    X2_ESR = 0x828,
    X2_ICR = 0x830,
    X2_LVT_TIMER = 0x832,
    X2_INITIAL = 0x838,
    X2_CURRENT = 0x839,
    X2_DIVIDE = 0x83e,
    X2_SELF_IPI = 0x83f,
};

static void on_interrupt(struct trap_frame *frame)
{
    count_trap(frame);
    lapic_eoi();
}

static void identity(uint32_t before)
{
    uint32_t id = cpuid(0xb, 0).edx;
    is_u64(rdmsr(X2_ID), id, "the ID is CPUID's, in all 32 bits");
    is_u64(rdmsr(X2_LDR), (id >> 4) << 16 | 1u << (id & 15), "the logical ID derives from it");
    is_u64(rdmsr(X2_VERSION), before, "the version is the same");
    is_u64(mmio_read32(LAPIC_BASE + LAPIC_VERSION), 0xffffffff, "the page does not answer");
}

static void faults(void)
{
    static const struct {
        uint16_t index;
        uint64_t value;
        const char *name;
    } writes[] = {
        {X2_ID, 0, "the ID"},
        {X2_VERSION, 0, "the version"},
        {X2_PPR, 0, "the PPR"},
        {X2_LDR, 0, "the LDR"},
        {X2_ISR, 0, "the ISR"},
        {X2_IRR, 0, "the IRR"},
        {X2_CURRENT, 0, "the current count"},
        {X2_EOI, 1, "a non-zero EOI"},
        {X2_ESR, 1, "a non-zero ESR"},
        {X2_TPR, 0x100, "a reserved bit of the TPR"},
        {X2_TPR, 1ull << 32, "the upper half of the TPR"},
        {X2_SVR, 1 << 13, "a reserved bit of the SVR"},
        {X2_LVT_TIMER, 1 << 19, "a reserved bit of the timer's LVT"},
        {X2_DIVIDE, 4, "a reserved bit of the divider"},
        {X2_INITIAL, 1ull << 32, "the upper half of the initial count"},
        {X2_ICR, 1 << 13, "a reserved bit of the ICR"},
        {X2_ICR, 1 << 20, "another reserved bit of the ICR"},
        {X2_SELF_IPI, 0x100, "a reserved bit of SELF IPI"},
        {0x80e, 0, "DFR, which x2APIC does not have"},
        {0x831, 0, "ICR2, which x2APIC does not have"},
        {0x80c, 0, "RRD, which x2APIC does not have"},
        {0x804, 0, "a reserved register"},
        {0x840, 0, "a register beyond the last"},
        {0x8ff, 0, "a register far beyond the last"},
    };
    static const struct {
        uint16_t index;
        const char *name;
    } reads[] = {
        {X2_EOI, "EOI"},     {X2_SELF_IPI, "SELF IPI"},
        {0x80e, "DFR"},      {0x831, "ICR2"},
        {0x809, "APR"},      {0x80c, "RRD"},
        {0x804, "reserved"}, {0x8ff, "far beyond"},
    };
    uint64_t value;
    for (unsigned i = 0; i < sizeof(writes) / sizeof(*writes); i++)
        is_fault(try_wrmsr(writes[i].index, writes[i].value), GP, 0, "writing %s", writes[i].name);
    for (unsigned i = 0; i < sizeof(reads) / sizeof(*reads); i++)
        is_fault(try_rdmsr(reads[i].index, &value), GP, 0, "reading %s", reads[i].name);
}

static void send(uint32_t msr, uint64_t value, unsigned expected, const char *name)
{
    trap_count[VECTOR] = 0;
    wrmsr(msr, value);
    sti_nop();
    cli();
    is_u64(trap_count[VECTOR], expected, "%s", name);
}

static void interrupts(void)
{
    uint64_t id = rdmsr(X2_ID), ldr = rdmsr(X2_LDR);
    send(X2_SELF_IPI, VECTOR, 1, "SELF IPI");
    wrmsr(X2_SELF_IPI, VECTOR);
    is_u64(rdmsr(X2_IRR + VECTOR / 32) >> VECTOR % 32 & 1, 1, "SELF IPI is in the IRR at once");
    sti_nop();
    cli();
    send(X2_ICR, ICR_SELF | VECTOR, 1, "ICR, shorthand self");
    send(X2_ICR, ICR_OTHERS | VECTOR, 0, "ICR, shorthand all but self");
    send(X2_ICR, id << 32 | VECTOR, 1, "ICR, physical, own ID");
    send(X2_ICR, (id ^ 0x100) << 32 | VECTOR, 0, "ICR, an ID that differs above 8 bits");
    send(X2_ICR, 0xffull << 32 | VECTOR, 0, "ICR, 0xff is no broadcast");
    send(X2_ICR, 0xffffffffull << 32 | VECTOR, 1, "ICR, broadcast");
    send(X2_ICR, ldr << 32 | ICR_LOGICAL | VECTOR, 1, "ICR, logical, own bit");
    send(X2_ICR, (ldr ^ 0x10000) << 32 | ICR_LOGICAL | VECTOR, 0, "ICR, logical, another cluster");
    is_u64(rdmsr(X2_ICR) & 1 << 12, 0, "the ICR is idle after sending");
}

static void priority(void)
{
    wrmsr(X2_TPR, 0x53);
    is_u64(read_cr8(), 5, "CR8 is the TPR's class");
    write_cr8(9);
    is_u64(rdmsr(X2_TPR), 0x90, "the TPR follows CR8");
    write_cr8(0);
}

static void timer(void)
{
    trap_count[VECTOR] = 0;
    lapic_timer_start(VECTOR, 500);
    sti();
    ok(wait_for(&trap_count[VECTOR], 1, 10), "the timer works through MSRs");
    cli();
}

static void transitions(void)
{
    uint64_t on = rdmsr(MSR_APIC_BASE), off = on & ~(uint64_t)(APIC_BASE_EN | APIC_BASE_EXTD);
    is_fault(try_wrmsr(MSR_APIC_BASE, on & ~(uint64_t)APIC_BASE_EXTD), GP, 0, "x2APIC to xAPIC");
    is_fault(try_wrmsr(MSR_APIC_BASE, on & ~(uint64_t)APIC_BASE_EN), GP, 0, "x2APIC to invalid");
    is_u64(rdmsr(MSR_APIC_BASE), on, "the mode is unchanged");
    is_no_fault(try_wrmsr(MSR_APIC_BASE, off), "x2APIC to disabled");
    uint64_t value;
    is_fault(try_rdmsr(X2_ID, &value), GP, 0, "disabled, the MSRs are gone");
    is_fault(try_wrmsr(MSR_APIC_BASE, on), GP, 0, "disabled to x2APIC");
    is_no_fault(try_wrmsr(MSR_APIC_BASE, off | APIC_BASE_EN), "disabled to xAPIC");
    is_fault(try_rdmsr(X2_ID, &value), GP, 0, "in xAPIC mode the MSRs are not there");
    is_u64(mmio_read32(LAPIC_BASE + LAPIC_ID) >> 24, cpuid(1, 0).ebx >> 24, "the page is back");
}

void test_main(void)
{
    if (!(cpuid(1, 0).ecx & 1 << 21)) {
        skip("x2APIC mode", "CPUID does not offer it");
        return;
    }
    uint64_t value;
    is_fault(try_rdmsr(X2_ID, &value), GP, 0, "before the switch the MSRs are not there");
    uint32_t version = lapic_read(LAPIC_VERSION);
    lapic_enter_x2apic();
    set_handler(VECTOR, on_interrupt);
    lapic_enable();
    identity(version);
    faults();
    interrupts();
    priority();
    timer();
    transitions();
}
