/* SPDX-License-Identifier: BSD-2-Clause */
/* Real mode: addressing, the interrupt vector table, and the exits that a loader's code causes. */
#include "tests/guest/guest.h"

enum {
    REAL_CODE = 0x8000,
    RESULTS = 0x9000,
    TIMER_VECTOR = 0x50,
};

extern const char real_code[];
extern const uint32_t real_code_size;

void real_mode_trip(void);

void test_main(void)
{
    const volatile uint32_t *result = (const uint32_t *)RESULTS;
    memcpy((void *)REAL_CODE, real_code, real_code_size);
    memset((void *)RESULTS, 0xcc, 128);
    lapic_enable();
    lapic_timer_start(TIMER_VECTOR, 3000);
    real_mode_trip();
    lapic_timer_stop();

    ok(true, "the way there and back");
    is_u64(read_cr0() & CR0_PE, CR0_PE, "protection is on again");
    is_u64(*result++, 0, "in between it was off");
    is_u64(*result++, 0x5eaf00d, "a segment is its selector times 16");
    is_u64(*result++, cpuid(0, 0).ebx, "CPUID");
    is_u64(*result++, 0xff, "IN from an absent port");
    is_u64(*result++, 0x5a, "OUT to and IN from the UART");
    is_u64(*result++, 0x5a5a5a, "REP INSB");
    is_u64(*result++, 0x9803, "REP INSB: DI");
    is_u64(*result++, 0x77, "OUTSB from another segment");
    is_u64(*result++, (uint32_t)rdmsr(MSR_APIC_BASE), "RDMSR");
    is_u64(*result++, lapic_read(LAPIC_VERSION), "a device beyond 64 KiB");
    is_u64(*result++, 0x50f7, "INT n through the vector table");
    is_u64(*result++, 0xd1, "#DE through the vector table");
    is_u64(*result++, 0x0d, "#UD through the vector table");
    is_u64(*result++, 0x6f, "#GP beyond the segment limit, without an error code");
    is_u64(*result++, 1, "HLT until the timer's interrupt");
    is_u64(*result++, CR4_DE, "CR4 can be written");
    is_u64(*result++, 0, "interrupts are off at the end");
    is_u64(*result, 0xcccccccc, "there are no more results");
    is_fault(TRY("ud2", :), UD, 0, "protected mode's exceptions work again");
}
