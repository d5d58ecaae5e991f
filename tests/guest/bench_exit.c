/* SPDX-License-Identifier: BSD-2-Clause */
/* What the operations of one processor cost. Under an emulator that counts instructions, with one
   processor, the ticks are exact. */
// time_limit: 60s
#include "tests/guest/lib/bench.h"

enum {
    ABSENT_PORT = 0xea,
    UART_SCRATCH = 0x3ff,
    ABSENT_MEMORY = 0x10000000,
    VECTOR = 0x50,
    COUNT = 0x7fffffff,
    FAR = 100000000, /* ticks from now */
};

static bool measures_eoi;
static uint64_t eoi_ticks, eoi_exits;

static void on_interrupt(struct trap_frame *frame)
{
    (void)frame;
    if (!measures_eoi) {
        lapic_eoi();
        return;
    }
    uint64_t exits = vm_exits(), start = rdtsc();
    wrmsr(MSR_X2APIC + LAPIC_EOI / 16, 0);
    eoi_ticks += rdtsc() - start;
    eoi_exits += vm_exits() - exits - 1;
}

static void take(void)
{
    sti_nop();
    cli();
}

/* The interrupt is pending before HLT: the way down and up, no waiting. */
static void halt(void)
{
    self_ipi(VECTOR);
    sti_hlt();
    cli();
}

static void deadline(void)
{
    wrmsr(MSR_TSC_DEADLINE, 1);
    take();
}

static void eoi(void)
{
    measures_eoi = true;
    for (unsigned i = 0; i < BENCH_ROUNDS; i++) {
        self_ipi(VECTOR);
        take();
    }
    measures_eoi = false;
    bench_report("x2apic_eoi", eoi_ticks, eoi_exits);
}

static void rep_outsb(void)
{
    static uint8_t buffer[64];
    const void *from = buffer;
    unsigned long count = sizeof(buffer);
    asm volatile("rep outsb" : "+S"(from), "+c"(count) : "d"(ABSENT_PORT) : "memory");
}

static void vmcall(void)
{
    unsigned long rax = ~0ul;
    asm volatile("vmcall" : "+a"(rax) : : "memory");
}

static void instructions(void)
{
    BENCH("loop", asm volatile("" : : : "memory"));
    BENCH("cpuid", cpuid(0, 0));
    BENCH("cpuid_leaf_1", cpuid(1, 0));
    BENCH("vmcall", vmcall());
    BENCH("port_read", inb(ABSENT_PORT));
    BENCH("port_write", outb(ABSENT_PORT, 0));
    BENCH("port_write_uart", outb(UART_SCRATCH, 0));
    BENCH("rep_outsb_64", rep_outsb());
    BENCH("rdmsr_apic_base", rdmsr(MSR_APIC_BASE));
    BENCH("rdmsr_fs_base", rdmsr(MSR_FS_BASE));
    BENCH("wrmsr_tsc_adjust", wrmsr(MSR_TSC_ADJUST, 0));
    BENCH("mmio_read_absent", mmio_read32(ABSENT_MEMORY));
    BENCH("mmio_read_ioapic", mmio_read32(IOAPIC_BASE));
}

static void xapic(void)
{
    BENCH("xapic_tpr_write", lapic_write(LAPIC_TPR, 0));
    BENCH("xapic_self_ipi_hlt_eoi", halt());
}

static void x2apic(void)
{
    lapic_enter_x2apic();
    BENCH("x2apic_tpr_write", wrmsr(MSR_X2APIC + LAPIC_TPR / 16, 0));
    lapic_write(LAPIC_LVT_TIMER, VECTOR);
    lapic_write(LAPIC_TIMER_INITIAL, COUNT);
    BENCH("x2apic_current_count_read", rdmsr(MSR_X2APIC + LAPIC_TIMER_CURRENT / 16));
    lapic_write(LAPIC_TIMER_INITIAL, 0);
    BENCH_FIRST("x2apic_icr_to_self", wrmsr(MSR_X2APIC + LAPIC_ICR / 16, ICR_SELF | VECTOR),
                take());
    BENCH_FIRST("x2apic_self_ipi", wrmsr(MSR_X2APIC + LAPIC_SELF_IPI / 16, VECTOR), take());
    eoi();
    BENCH("x2apic_self_ipi_hlt_eoi", halt());
    lapic_write(LAPIC_LVT_TIMER, VECTOR | LVT_TSC_DEADLINE);
    BENCH("tsc_deadline_write", wrmsr(MSR_TSC_DEADLINE, start_ + FAR + i_));
    BENCH("tsc_deadline_write_and_fire", deadline());
}

void test_main(void)
{
    plan(1);
    set_handler(VECTOR, on_interrupt);
    lapic_enable();
    instructions();
    xapic();
    x2apic();
    ok(true, "measured");
}
