/* SPDX-License-Identifier: BSD-2-Clause */
/* Access to the local APIC in either mode, and to the I/O APIC. */
#include "tests/guest/guest.h"

enum {
    SPURIOUS_VECTOR = 0xff,
    CALIBRATION_MS = 10,
};

static uint32_t x2apic_msr(unsigned offset)
{
    return MSR_X2APIC + (offset >> 4);
}

bool in_x2apic_mode(void)
{
    return rdmsr(MSR_APIC_BASE) & APIC_BASE_EXTD;
}

struct cpu boot_cpu;

uint32_t lapic_read(unsigned offset)
{
    return this_cpu()->x2apic ? (uint32_t)rdmsr(x2apic_msr(offset))
                              : mmio_read32(LAPIC_BASE + offset);
}

void lapic_write(unsigned offset, uint32_t value)
{
    if (this_cpu()->x2apic)
        wrmsr(x2apic_msr(offset), value);
    else
        mmio_write32(LAPIC_BASE + offset, value);
}

bool lapic_bit(unsigned bank, unsigned vector)
{
    return lapic_read(bank + vector / 32 * 16) >> (vector % 32) & 1;
}

static void ignore(struct trap_frame *frame)
{
    (void)frame;
}

void lapic_enable(void)
{
    set_handler(SPURIOUS_VECTOR, ignore);
    lapic_write(LAPIC_SVR, SVR_ENABLE | SPURIOUS_VECTOR);
    lapic_write(LAPIC_TPR, 0);
}

/* A handler's EOI goes where the flag says: no interrupt may come between the two. */
static void enter(uint64_t base, bool x2apic)
{
    unsigned long flags = read_flags();
    cli();
    wrmsr(MSR_APIC_BASE, base);
    this_cpu()->x2apic = x2apic;
    if (flags & FLAGS_IF)
        sti_nop();
}

void lapic_enter_x2apic(void)
{
    enter(rdmsr(MSR_APIC_BASE) | APIC_BASE_EN | APIC_BASE_EXTD, true);
}

void lapic_enter_xapic(void)
{
    uint64_t base = rdmsr(MSR_APIC_BASE) & ~(uint64_t)(APIC_BASE_EN | APIC_BASE_EXTD);
    wrmsr(MSR_APIC_BASE, base);
    enter(base | APIC_BASE_EN, false);
}

void lapic_eoi(void)
{
    lapic_write(LAPIC_EOI, 0);
}

void self_ipi(uint32_t vector_and_mode)
{
    if (!(vector_and_mode & ICR_NMI)) {
        lapic_write(LAPIC_ICR, vector_and_mode | ICR_SELF | ICR_ASSERT);
        return;
    }
    /* The shorthand "self" is for fixed interrupts only: name the own APIC. */
    uint32_t id = lapic_read(LAPIC_ID);
    if (this_cpu()->x2apic) {
        wrmsr(x2apic_msr(LAPIC_ICR), (uint64_t)id << 32 | vector_and_mode | ICR_ASSERT);
        return;
    }
    lapic_write(LAPIC_ICR_HIGH, id);
    lapic_write(LAPIC_ICR, vector_and_mode | ICR_ASSERT);
}

uint32_t lapic_ticks_per_ms(void)
{
    static uint32_t measured;
    if (!measured) {
        lapic_write(LAPIC_TIMER_DIVIDE, DIVIDE_BY_1);
        lapic_write(LAPIC_LVT_TIMER, LVT_MASKED);
        lapic_write(LAPIC_TIMER_INITIAL, UINT32_MAX);
        uint32_t start = lapic_read(LAPIC_TIMER_CURRENT);
        delay_us(CALIBRATION_MS * 1000);
        measured = (start - lapic_read(LAPIC_TIMER_CURRENT)) / CALIBRATION_MS;
        lapic_timer_stop();
    }
    return measured;
}

void lapic_timer_start(uint32_t lvt, uint32_t microseconds)
{
    uint32_t ticks_per_ms = lapic_ticks_per_ms();
    lapic_write(LAPIC_TIMER_DIVIDE, DIVIDE_BY_1);
    lapic_write(LAPIC_LVT_TIMER, lvt);
    lapic_write(LAPIC_TIMER_INITIAL,
                ticks_per_ms / 1000 * microseconds + ticks_per_ms % 1000 * microseconds / 1000);
}

void lapic_timer_stop(void)
{
    lapic_write(LAPIC_LVT_TIMER, LVT_MASKED);
    lapic_write(LAPIC_TIMER_INITIAL, 0);
}

uint32_t ioapic_read(unsigned index)
{
    mmio_write32(IOAPIC_BASE + IOAPIC_SELECT, index);
    return mmio_read32(IOAPIC_BASE + IOAPIC_WINDOW);
}

void ioapic_write(unsigned index, uint32_t value)
{
    mmio_write32(IOAPIC_BASE + IOAPIC_SELECT, index);
    mmio_write32(IOAPIC_BASE + IOAPIC_WINDOW, value);
}

void ioapic_route(unsigned pin, uint32_t low, uint32_t destination)
{
    ioapic_write(IOAPIC_ENTRY + 2 * pin, IOAPIC_MASKED);
    ioapic_write(IOAPIC_ENTRY + 2 * pin + 1, destination << 24);
    ioapic_write(IOAPIC_ENTRY + 2 * pin, low);
}
