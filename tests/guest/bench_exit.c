/* SPDX-License-Identifier: BSD-2-Clause */
/* What an exit costs: TSC ticks from the guest's instruction before to the one behind, the mean of
   many. Under an emulator that counts instructions these are exact. */
// time_limit: 60s
#include "tests/guest/guest.h"

enum {
    ROUNDS = 1000,
    ABSENT_PORT = 0xea,
    ABSENT_MEMORY = 0x10000000,
    VECTOR = 0x50,
};

static void report(const char *name, uint64_t ticks)
{
    printf("# bench %s %llu\n", name, (unsigned long long)ticks / ROUNDS);
}

#define BENCH(name, statement)                                                                     \
    do {                                                                                           \
        uint64_t start = rdtsc();                                                                  \
        for (unsigned i = 0; i < ROUNDS; i++)                                                      \
            statement;                                                                             \
        report(name, rdtsc() - start);                                                             \
    } while (0)

static void on_interrupt(struct trap_frame *frame)
{
    (void)frame;
    lapic_eoi();
}

/* The interrupt is pending before HLT: what is measured is the way down and up, no waiting. */
static void halt(void)
{
    self_ipi(VECTOR);
    sti_hlt();
    cli();
}

/* A deadline that is over: the timer's interrupt itself. */
static void deadline(void)
{
    wrmsr(MSR_TSC_DEADLINE, 1);
    sti_nop();
    cli();
}

static void nothing(void)
{
    asm volatile("" : : : "memory");
}

void test_main(void)
{
    static uint8_t buffer[64];
    plan(1);
    set_handler(VECTOR, on_interrupt);
    lapic_enable();
    BENCH("nothing", nothing());
    BENCH("cpuid", cpuid(0x40000000, 0));
    BENCH("cpuid0", cpuid(0, 0));
    BENCH("cpuid1", cpuid(1, 0));
    BENCH("cpuid7", cpuid(7, 0));
    BENCH("cpuidb", cpuid(0xb, 1));
    BENCH("cpuidd", cpuid(0xd, 1));
    BENCH("in", inb(ABSENT_PORT));
    BENCH("out", outb(ABSENT_PORT, 0));
    BENCH("rep_outsb_64", ({
              const void *from = buffer;
              unsigned long count = sizeof(buffer);
              asm volatile("rep outsb" : "+S"(from), "+c"(count) : "d"(ABSENT_PORT) : "memory");
          }));
    BENCH("rdmsr_apic_base", rdmsr(MSR_APIC_BASE));
    BENCH("rdmsr_fs_base", rdmsr(MSR_FS_BASE));
    BENCH("wrmsr_tsc_adjust", wrmsr(MSR_TSC_ADJUST, 0));
    BENCH("mmio_absent", mmio_read32(ABSENT_MEMORY));
    BENCH("mmio_ioapic", mmio_read32(IOAPIC_BASE));
    BENCH("xapic_tpr", lapic_read(LAPIC_TPR));
    BENCH("xapic_self_ipi_hlt", halt());
    lapic_enter_x2apic();
    BENCH("x2apic_tpr", lapic_write(LAPIC_TPR, 0));
    BENCH("x2apic_current", rdmsr(0x839));
    lapic_write(0x320, VECTOR | 0x20000);
    lapic_write(0x380, 0x7fffffff);
    BENCH("x2apic_current_running", rdmsr(0x839));
    lapic_write(0x380, 0);
    BENCH("x2apic_icr_self", wrmsr(0x830, VECTOR | 0x40000));
    BENCH("x2apic_selfipi", wrmsr(0x83f, VECTOR));
    sti_nop();
    cli();
    BENCH("x2apic_eoi", wrmsr(0x80b, 0));
    BENCH("x2apic_self_ipi_hlt", halt());
    lapic_write(LAPIC_LVT_TIMER, VECTOR | LVT_TSC_DEADLINE);
    BENCH("tsc_deadline", wrmsr(MSR_TSC_DEADLINE, ~0ull >> 4));
    BENCH("tsc_deadline_past", deadline());
    ok(true, "measured");
}
