/* SPDX-License-Identifier: BSD-2-Clause */
/* Host local APIC. Registers are named by their xAPIC offset; the x2APIC MSR is 0x800 + offset
 * / 16. */
#include "drivers/host/local_apic.h"

#include "core/assert.h"
#include "core/bits.h"
#include "core/memory.h"
#include "core/x86.h"

/* SDM Vol 3A, "Local APIC Register Address Map". */
enum {
    REG_TPR = 0x80,
    REG_EOI = 0xb0,
    REG_SVR = 0xf0,
    REG_ISR = 0x100,
    REG_ESR = 0x280,
    REG_ICR_LOW = 0x300,
    REG_ICR_HIGH = 0x310,
    REG_LVT_TIMER = 0x320,
    REG_LVT_THERMAL = 0x330,
    REG_LVT_PMC = 0x340,
    REG_LVT_LINT0 = 0x350,
    REG_LVT_ERROR = 0x370,
    REG_TIMER_INITIAL = 0x380,
    REG_TIMER_CURRENT = 0x390,
    REG_TIMER_DIVIDE = 0x3e0,
};

enum {
    SVR_ENABLE = 0x100,
    LVT_MASKED = 0x10000,
    LVT_TIMER_DEADLINE = 0x40000,
    TIMER_DIVIDE_BY_1 = 0xb,
    ICR_PENDING = 0x1000,
    XAPIC_ID_SHIFT = 24,
    XAPIC_ID_MAX = 0xfe,
    PAGE_OF_REGISTERS = 0x1000,
    SEND_SPINS_MAX = 1000000,
};

static struct {
    bool x2apic;
    bool tsc_deadline;
    paddr_t base;
    char *registers; /* xAPIC mode */
} apic;

static uint32_t read(uint32_t reg)
{
    if (apic.x2apic)
        return (uint32_t)rdmsr(MSR_IA32_X2APIC_FIRST + reg / 16);
    return mmio_read32(apic.registers + reg);
}

static void write(uint32_t reg, uint32_t value)
{
    if (apic.x2apic)
        wrmsr(MSR_IA32_X2APIC_FIRST + reg / 16, value);
    else
        mmio_write32(apic.registers + reg, value);
}

void host_apic_init(void)
{
    uint32_t features = cpuid(1, 0).ecx;
    apic.x2apic = features & CPUID_1_ECX_X2APIC;
    apic.tsc_deadline = features & CPUID_1_ECX_TSC_DEADLINE;
    apic.base = rdmsr(MSR_IA32_APIC_BASE) & IA32_APIC_BASE_ADDRESS;
    if (!apic.x2apic)
        apic.registers = memory_map_device(apic.base, PAGE_OF_REGISTERS, MEMORY_UNCACHED);
}

/* SDM Vol 3A, "x2APIC State Transitions": from disabled to x2APIC only by way of xAPIC mode. */
static void enable_mode(void)
{
    uint64_t value = rdmsr(MSR_IA32_APIC_BASE);
    if (!(value & IA32_APIC_BASE_ENABLE)) {
        value = (value & IA32_APIC_BASE_BSP) | apic.base | IA32_APIC_BASE_ENABLE;
        wrmsr(MSR_IA32_APIC_BASE, value);
    }
    if (apic.x2apic && !(value & IA32_APIC_BASE_X2APIC))
        wrmsr(MSR_IA32_APIC_BASE, value | IA32_APIC_BASE_X2APIC);
}

void host_apic_init_cpu(uint8_t error_vector, uint8_t spurious_vector, uint8_t timer_vector)
{
    enable_mode();
    write(REG_TPR, 0);
    write(REG_SVR, SVR_ENABLE | spurious_vector);
    write(REG_LVT_TIMER, apic.tsc_deadline ? LVT_TIMER_DEADLINE | timer_vector : LVT_MASKED);
    mfence(); /* SDM Vol 3A, "TSC-Deadline Mode": it has to come before a write of the deadline */
    write(REG_LVT_THERMAL, LVT_MASKED);
    write(REG_LVT_PMC, LVT_MASKED);
    write(REG_LVT_LINT0, LVT_MASKED);
    write(REG_TIMER_DIVIDE, TIMER_DIVIDE_BY_1);
    host_apic_errors();
    write(REG_LVT_ERROR, error_vector);
}

bool host_apic_is_x2apic(void)
{
    return apic.x2apic;
}

void host_apic_eoi(void)
{
    write(REG_EOI, 0);
}

bool host_apic_in_service(uint8_t vector)
{
    return read(REG_ISR + vector / 32 * 16) & (1u << (vector % 32));
}

static void wait_until_sent(void)
{
    for (int i = 0; read(REG_ICR_LOW) & ICR_PENDING; i++) {
        ASSERT(i < SEND_SPINS_MAX);
        pause();
    }
}

void host_apic_send(uint32_t apic_id, uint32_t command)
{
    if (apic.x2apic) {
        mfence(); /* an x2APIC register write orders nothing: SDM, "MSR Access in x2APIC Mode" */
        wrmsr(MSR_IA32_X2APIC_FIRST + REG_ICR_LOW / 16, (uint64_t)apic_id << 32 | command);
        return;
    }
    ASSERT(apic_id <= XAPIC_ID_MAX);
    wait_until_sent();
    write(REG_ICR_HIGH, apic_id << XAPIC_ID_SHIFT);
    write(REG_ICR_LOW, command);
    wait_until_sent();
}

uint32_t host_apic_errors(void)
{
    write(REG_ESR, 0); /* latches what happened since the last write */
    return read(REG_ESR);
}

bool host_apic_has_tsc_deadline(void)
{
    return apic.tsc_deadline;
}

void host_apic_timer_count(uint8_t vector, uint32_t count)
{
    write(REG_LVT_TIMER, vector);
    write(REG_TIMER_INITIAL, count);
}

uint32_t host_apic_timer_remaining(void)
{
    return read(REG_TIMER_CURRENT);
}
