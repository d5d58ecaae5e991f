/* SPDX-License-Identifier: BSD-2-Clause */
// apic: yes
/* The local APIC in xAPIC mode: register rules, self-sent interrupts, priorities, errors.
   SDM Vol 3A, "Advanced Programmable Interrupt Controller (APIC)". */
#include "tests/guest/guest.h"

enum {
    VECTOR = 0x61,
    ERROR_VECTOR = 0x70,
    ESR_SEND_ILLEGAL = 1 << 5,
    ESR_RECEIVE_ILLEGAL = 1 << 6,
    ESR_ILLEGAL_REGISTER = 1 << 7,
    RESERVED_OFFSET = 0x040,
};

static volatile uint32_t priority_within, isr_within, tmr_within, irr_within;

static void on_interrupt(struct trap_frame *frame)
{
    count_trap(frame);
    priority_within = lapic_read(LAPIC_PPR);
    isr_within = lapic_bit(LAPIC_ISR, (unsigned)frame->vector);
    irr_within = lapic_bit(LAPIC_IRR, (unsigned)frame->vector);
    tmr_within = lapic_bit(LAPIC_TMR, (unsigned)frame->vector);
    lapic_eoi();
}

static void at_reset(void)
{
    static const uint16_t lvts[] = {LAPIC_LVT_TIMER, LAPIC_LVT_THERMAL, LAPIC_LVT_PMC,
                                    LAPIC_LVT_LINT0, LAPIC_LVT_LINT1,   LAPIC_LVT_ERROR};
    is_u64(lapic_read(LAPIC_SVR), 0xff, "reset: SVR is software-disabled, vector 0xff");
    is_u64(lapic_read(LAPIC_TPR), 0, "reset: TPR");
    is_u64(lapic_read(LAPIC_LDR), 0, "reset: LDR");
    is_u64(lapic_read(LAPIC_DFR), 0xffffffff, "reset: DFR");
    for (unsigned i = 0; i < sizeof(lvts) / sizeof(*lvts); i++)
        is_u64(lapic_read(lvts[i]), LVT_MASKED, "reset: LVT at 0x%x is masked", lvts[i]);
    uint32_t version = lapic_read(LAPIC_VERSION);
    in_range(version & 0xff, 0x10, 0x15, "an integrated APIC's version");
    in_range(version >> 16 & 0xff, 5, 6, "six or seven LVT entries");
}

static void software_disabled(void)
{
    lapic_write(LAPIC_SVR, 0xff);
    lapic_write(LAPIC_LVT_TIMER, VECTOR);
    is_u64(lapic_read(LAPIC_LVT_TIMER), VECTOR | LVT_MASKED, "software-disabled: LVTs stay masked");
    lapic_write(LAPIC_ICR_HIGH, lapic_read(LAPIC_ID));
    lapic_write(LAPIC_ICR, VECTOR | ICR_ASSERT);
    ok(!lapic_bit(LAPIC_IRR, VECTOR), "software-disabled: fixed interrupts are not accepted");
    lapic_enable();
    is_u64(lapic_read(LAPIC_LVT_TIMER), VECTOR | LVT_MASKED,
           "enabled again: they are still masked");
    lapic_write(LAPIC_LVT_TIMER, VECTOR);
    is_u64(lapic_read(LAPIC_LVT_TIMER), VECTOR, "but can be unmasked");
    lapic_write(LAPIC_LVT_TIMER, LVT_MASKED);
}

static void register_rules(void)
{
    lapic_write(LAPIC_TPR, 0xffffff35);
    is_u64(lapic_read(LAPIC_TPR), 0x35, "TPR keeps 8 bits");
    is_u64(lapic_read(LAPIC_PPR), 0x35, "PPR is the TPR when nothing is in service");
    lapic_write(LAPIC_TPR, 0);
    lapic_write(LAPIC_LDR, 0x12345678);
    is_u64(lapic_read(LAPIC_LDR), 0x12000000, "LDR keeps the upper byte");
    lapic_write(LAPIC_DFR, 0);
    is_u64(lapic_read(LAPIC_DFR), 0x0fffffff, "DFR keeps the upper 4 bits");
    lapic_write(LAPIC_DFR, 0xffffffff);
    lapic_write(LAPIC_TIMER_DIVIDE, 0xffffffff);
    is_u64(lapic_read(LAPIC_TIMER_DIVIDE), 0xb, "the divider keeps bits 0, 1 and 3");
    lapic_write(LAPIC_VERSION, 0);
    in_range(lapic_read(LAPIC_VERSION), 1, UINT32_MAX, "the version cannot be written");
    lapic_write(LAPIC_ICR_HIGH, 0xffffffff);
    is_u64(lapic_read(LAPIC_ICR_HIGH), 0xff000000, "ICR's upper half keeps the destination");
}

static void send(uint32_t destination, uint32_t low, unsigned expected, const char *name)
{
    trap_count[VECTOR] = 0;
    lapic_write(LAPIC_ICR_HIGH, destination << 24);
    lapic_write(LAPIC_ICR, VECTOR | ICR_ASSERT | low);
    sti_nop();
    cli();
    is_u64(trap_count[VECTOR], expected, "%s", name);
}

static void destinations(void)
{
    uint32_t id = lapic_read(LAPIC_ID) >> 24;
    send(0, ICR_SELF, 1, "shorthand self");
    send(0, ICR_ALL, 1, "shorthand all");
    send(0, ICR_OTHERS, 0, "shorthand all but self");
    send(id, 0, 1, "physical, own ID");
    send(id ^ 0x40, 0, 0, "physical, another ID");
    send(0xff, 0, 1, "physical broadcast");
    lapic_write(LAPIC_LDR, 0x04000000);
    send(0x0c, ICR_LOGICAL, 1, "logical flat, own bit among others");
    send(0xfb, ICR_LOGICAL, 0, "logical flat, all other bits");
    lapic_write(LAPIC_DFR, 0x0fffffff);
    lapic_write(LAPIC_LDR, 0x32000000);
    send(0x32, ICR_LOGICAL, 1, "logical cluster, own bit");
    send(0x3d, ICR_LOGICAL, 0, "logical cluster, other bits");
    send(0x42, ICR_LOGICAL, 0, "logical cluster, another cluster");
    lapic_write(LAPIC_DFR, 0xffffffff);
    lapic_write(LAPIC_LDR, 0);
    is_u64(lapic_read(LAPIC_ICR) & 1 << 12, 0, "the ICR is idle after sending");
}

static void in_service(void)
{
    send(0, ICR_SELF, 1, "an interrupt");
    is_u64(isr_within, 1, "is in the ISR while it is handled");
    is_u64(irr_within, 0, "and no longer in the IRR");
    is_u64(tmr_within, 0, "and edge triggered");
    is_u64(priority_within, VECTOR & 0xf0, "the processor priority is its class");
    is_u64(lapic_read(LAPIC_PPR), 0, "which ends with the EOI");
    lapic_eoi();
    is_u64(lapic_read(LAPIC_PPR), 0, "an EOI too many does nothing");
}

static uint32_t take_errors(void)
{
    lapic_write(LAPIC_ESR, 0);
    return lapic_read(LAPIC_ESR);
}

static void errors(void)
{
    set_handler(ERROR_VECTOR, count_trap);
    take_errors();
    lapic_write(LAPIC_ICR, 5 | ICR_SELF | ICR_ASSERT);
    is_u64(take_errors() & ESR_SEND_ILLEGAL, ESR_SEND_ILLEGAL, "sending vector 5 is an error");
    is_u64(take_errors(), 0, "which is reported once");
    ok(!lapic_bit(LAPIC_IRR, 5), "vector 5 is not requested");
    mmio_read32(LAPIC_BASE + RESERVED_OFFSET);
    is_u64(take_errors(), ESR_ILLEGAL_REGISTER, "reading a reserved register is an error");
    mmio_write32(LAPIC_BASE + RESERVED_OFFSET, 0);
    is_u64(take_errors(), ESR_ILLEGAL_REGISTER, "writing one as well");
    lapic_write(LAPIC_LVT_ERROR, ERROR_VECTOR);
    lapic_write(LAPIC_ICR, 5 | ICR_SELF | ICR_ASSERT);
    sti_nop();
    cli();
    is_u64(trap_count[ERROR_VECTOR], 1, "an error interrupts through its LVT entry");
    lapic_eoi();
    lapic_write(LAPIC_LVT_ERROR, LVT_MASKED);
    take_errors();
}

static void masked_by_priority(void)
{
    trap_count[VECTOR] = 0;
    lapic_write(LAPIC_TPR, VECTOR & 0xf0);
    sti();
    lapic_write(LAPIC_ICR, VECTOR | ICR_SELF | ICR_ASSERT);
    cpuid(0, 0);
    is_u64(trap_count[VECTOR], 0, "a task priority of the same class holds back");
    lapic_write(LAPIC_TPR, (VECTOR & 0xf0) - 1);
    cpuid(0, 0);
    cli();
    is_u64(trap_count[VECTOR], 1, "one below lets through");
    lapic_write(LAPIC_TPR, 0);
}

void test_main(void)
{
    set_handler(VECTOR, on_interrupt);
    at_reset();
    software_disabled();
    register_rules();
    destinations();
    in_service();
    errors();
    masked_by_priority();
}
