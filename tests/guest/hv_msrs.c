// hyperv: on
/*
 * Hyper-V's MSRs that are neither SynIC nor timers: EOI, ICR and TPR in both APIC modes, VP assist
 * page, crash report; and which ones do not exist.
 */
#include "tests/guest/lib/hv.h"

enum { VECTOR = 0x60 };

static volatile unsigned level; /* of nesting */
static volatile bool nested;

/* Without its EOI the vector itself and those of its class do not come again. */
static void end_by_msr(struct trap_frame *frame)
{
    count_trap(frame);
    level++;
    nested = nested || level > 1;
    ok(lapic_bit(LAPIC_ISR, (unsigned)frame->vector), "vector %#lx is in service", frame->vector);
    is_no_fault(try_wrmsr(HV_MSR_EOI, 0), "EOI by MSR");
    ok(!lapic_bit(LAPIC_ISR, (unsigned)frame->vector), "ends it");
    level--;
}

static void apic(uint64_t self_low, uint64_t self_high)
{
    uint64_t value;

    trap_count[VECTOR] = 0;
    wrmsr(HV_MSR_ICR, self_high << 32 | self_low | VECTOR);
    ok(wait_for(&trap_count[VECTOR], 1, 100), "an IPI by the ICR's MSR comes");
    is_u64(rdmsr(HV_MSR_ICR), self_high << 32 | self_low | VECTOR, "the ICR can be read");
    wrmsr(HV_MSR_TPR, 0x6f);
    is_u64(lapic_read(LAPIC_TPR), 0x6f, "TPR by MSR");
    self_ipi(VECTOR);
    delay_us(100);
    is_u64(trap_count[VECTOR], 1, "holds an interrupt back");
    lapic_write(LAPIC_TPR, 0x75);
    is_u64(rdmsr(HV_MSR_TPR), 0x75, "and reads as the TPR");
    wrmsr(HV_MSR_TPR, 0x5f);
    ok(wait_for(&trap_count[VECTOR], 2, 100), "until it is lowered");
    wrmsr(HV_MSR_TPR, 0);
    is_fault(try_wrmsr(HV_MSR_TPR, 0x100), GP, 0, "a reserved bit of TPR");
    is_fault(try_wrmsr(HV_MSR_EOI, 1ull << 32), GP, 0, "the upper half of EOI");
    is_fault(try_rdmsr(HV_MSR_EOI, &value), GP, 0, "EOI cannot be read");
}

static void assist_page(void)
{
    uint8_t *page = page_alloc();
    bool zero = true;

    memset(page, 0x5a, PAGE_SIZE);
    is_u64(rdmsr(HV_MSR_VP_ASSIST_PAGE), 0, "the VP assist page is disabled at first");
    wrmsr(HV_MSR_VP_ASSIST_PAGE, (uintptr_t)page | 1);
    is_u64(rdmsr(HV_MSR_VP_ASSIST_PAGE), (uintptr_t)page | 1, "and enabled");
    for (unsigned i = 0; i < PAGE_SIZE; i++)
        zero = zero && page[i] == 0;
    ok(zero, "it is empty");
    page[100] = 1;
    wrmsr(HV_MSR_VP_ASSIST_PAGE, 0);
    is_u64(page[100], 0x5a, "disabled, it hides nothing");
    wrmsr(HV_MSR_VP_ASSIST_PAGE, (uintptr_t)page | 1);
    is_u64(page[100], 1, "its contents stay");
    wrmsr(HV_MSR_VP_ASSIST_PAGE, 0);
}

static volatile uint32_t *apic_assist; /* in the page; bit 0: NoEoiRequired */
static volatile uint32_t assist_seen;

static void look_and_end(struct trap_frame *frame)
{
    count_trap(frame);
    assist_seen |= *apic_assist;
    lapic_eoi();
    assist_seen |= *apic_assist;
}

/* An interrupt alone, where the TLFS has the bit set, and two at a time. */
static void every_interrupt_needs_eoi(void)
{
    uint32_t *page = page_alloc();

    apic_assist = page;
    wrmsr(HV_MSR_VP_ASSIST_PAGE, (uintptr_t)page | 1);
    set_handler(VECTOR, look_and_end);
    set_handler(VECTOR + 16, look_and_end);
    trap_count[VECTOR] = trap_count[VECTOR + 16] = 0;
    for (unsigned i = 0; i < 10; i++) {
        self_ipi(VECTOR);
        wait_for(&trap_count[VECTOR], 2 * i + 1, 100);
        asm volatile("cli");
        self_ipi(VECTOR);
        self_ipi(VECTOR + 16);
        asm volatile("sti; nop");
        wait_for(&trap_count[VECTOR], 2 * i + 2, 100);
        assist_seen |= *apic_assist;
    }
    is_u64(trap_count[VECTOR] + trap_count[VECTOR + 16], 30, "30 interrupts with the page enabled");
    is_u64(assist_seen, 0, "none says that it needs no EOI");
    wrmsr(HV_MSR_VP_ASSIST_PAGE, 0);
}

static void crash(void)
{
    static char text[] = "a guest's last words\nand \x7f\x01 what it wished to say";
    bool all = true;

    is_u64(rdmsr(HV_MSR_CRASH_CTL), 3ull << 62, "a crash can be reported, with a message");
    for (unsigned i = 0; i < 5; i++)
        wrmsr(HV_MSR_CRASH_P0 + i, 0xc0de0000 + i);
    for (unsigned i = 0; i < 5; i++)
        all = all && rdmsr(HV_MSR_CRASH_P0 + i) == 0xc0de0000 + i;
    ok(all, "its parameters stick");
    is_no_fault(try_wrmsr(HV_MSR_CRASH_CTL, 0), "a report of nothing");
    is_no_fault(try_wrmsr(HV_MSR_CRASH_CTL, 1ull << 63), "a report");
    is_no_fault(try_wrmsr(HV_MSR_CRASH_CTL, 3ull << 62), "a message that is too long");
    wrmsr(HV_MSR_CRASH_P0 + 3, 1ull << 50);
    wrmsr(HV_MSR_CRASH_P0 + 4, 100);
    is_no_fault(try_wrmsr(HV_MSR_CRASH_CTL, 3ull << 62), "one that is nowhere");
    wrmsr(HV_MSR_CRASH_P0 + 3, (uintptr_t)text);
    wrmsr(HV_MSR_CRASH_P0 + 4, sizeof(text) - 1);
    is_no_fault(try_wrmsr(HV_MSR_CRASH_CTL, 3ull << 62), "one with its text");
}

static void others(void)
{
    static const uint32_t absent[] = {0x40000004, 0x4000001f, 0x40000010, 0x40000024, 0x40000074,
                                      0x40000085, 0x400000b8, 0x400000f0, 0x40000106, 0x40000118,
                                      0x40001002, 0x40001fff, 0x40002000, 0x4fffffff};
    uint64_t value;

    for (unsigned i = 0; i < sizeof(absent) / sizeof(*absent); i++) {
        is_fault(try_rdmsr(absent[i], &value), GP, 0, "reading MSR %#x", absent[i]);
        is_fault(try_wrmsr(absent[i], 0), GP, 0, "writing it");
    }
    is_no_fault(try_rdmsr(HV_MSR_RESET, &value), "RESET can be read");
    is_u64(value, 0, "as 0");
    is_fault(try_wrmsr(HV_MSR_RESET, 2), GP, 0, "a reserved bit of RESET");
    is_no_fault(try_wrmsr(HV_MSR_RESET, 0), "no reset");
}

void test_main(void)
{
    set_handler(VECTOR, end_by_msr);
    lapic_enable();
    asm volatile("sti");
    apic(ICR_ASSERT | ICR_SELF, 0);
    apic(ICR_ASSERT, 0); /* APIC ID 0 */
    lapic_enter_x2apic();
    apic(ICR_ASSERT | ICR_SELF, 0);
    apic(ICR_ASSERT, 0);
    is_fault(try_wrmsr(HV_MSR_EOI, 0x12345678), NO_FAULT, 0, "any low half of EOI");
    ok(!nested, "no interrupt came before the EOI of the one before");
    assist_page();
    every_interrupt_needs_eoi();
    crash();
    others();
}
