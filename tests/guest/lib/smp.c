/* SPDX-License-Identifier: BSD-2-Clause */
/* The other processors: starting them, giving them work, counting what interrupts them. */
#include "tests/guest/lib/smp.h"

enum {
    LIMIT_MS = 10000,
    LATE_MS = 10,
    MADT_ENTRIES = 44,
    MADT_LOCAL_APIC = 0,
    MADT_LOCAL_X2APIC = 9,
    MADT_ENABLED = 1 << 0,
    MANY = 16, /* processors: more are not all woken for the work of one */
};

_Static_assert(sizeof(struct cpu) < CPU_AREA_SIZE / 2, "the rest of the area is the stack");

struct cpu *cpus[CPUS_MAX];
unsigned cpu_count = 1;
volatile bool idle_halts = true;
void (*volatile smp_first)(void);

extern const char ap_page[], ap_page_end[];
extern uint32_t ap_ids[CPUS_MAX];
_Noreturn void ap_main(uint32_t cs, uint32_t cr0, uint32_t signature);

uint32_t ap_ids[CPUS_MAX]; /* in the order of the MADT */

static volatile unsigned came_up;

/* ---- Who there is ---- */

unsigned madt_apic_ids(uint32_t ids[CPUS_MAX])
{
    const struct acpi_table *madt = acpi_find("APIC");
    unsigned count = 0;
    if (!madt)
        bail_out("no MADT");
    for (unsigned at = MADT_ENTRIES; at < madt->length; at += ((const uint8_t *)madt)[at + 1]) {
        const uint8_t *entry = (const uint8_t *)madt + at;
        bool wide = entry[0] == MADT_LOCAL_X2APIC;
        if (!wide && entry[0] != MADT_LOCAL_APIC)
            continue;
        if (!(acpi_u32(madt, at + (wide ? 8 : 4)) & MADT_ENABLED))
            continue;
        if (count == CPUS_MAX)
            bail_out("more than %u processors", CPUS_MAX);
        ids[count++] = wide ? acpi_u32(madt, at + 4) : entry[3];
    }
    return count;
}

static struct cpu *area(unsigned n)
{
    return (struct cpu *)(CPU_AREAS + (uintptr_t)n * CPU_AREA_SIZE);
}

/* ---- Interrupts ---- */

void ipi(uint32_t destination, uint32_t low)
{
    if (this_cpu()->x2apic) {
        wrmsr(MSR_X2APIC + LAPIC_ICR / 16, (uint64_t)destination << 32 | low | ICR_ASSERT);
        return;
    }
    /* A handler that sends must not come between the halves. */
    unsigned long flags = read_flags();
    cli();
    lapic_write(LAPIC_ICR_HIGH, destination << 24);
    lapic_write(LAPIC_ICR, low | ICR_ASSERT);
    if (flags & FLAGS_IF)
        sti();
}

void count_nmi(struct trap_frame *frame)
{
    this_cpu()->count[frame->vector]++;
}

void count_ipi(struct trap_frame *frame)
{
    this_cpu()->count[frame->vector]++;
    lapic_eoi();
}

void smp_sync(void)
{
    static unsigned before[CPUS_MAX];
    for (unsigned n = 0; n < cpu_count; n++)
        before[n] = cpus[n]->count[VECTOR_SYNC];
    ipi(0, ICR_ALL | VECTOR_SYNC);
    for (unsigned n = 0; n < cpu_count; n++)
        if (!cpus[n]->offline &&
            !WAIT_UNTIL(cpus[n]->count[VECTOR_SYNC] == before[n] + 1, LIMIT_MS))
            bail_out("CPU %u took an interrupt sent to all %u times, expected once", n,
                     cpus[n]->count[VECTOR_SYNC] - before[n]);
}

bool taken_by(unsigned vector, uint64_t mask, unsigned times)
{
    bool right = true;
    for (unsigned n = 0; n < cpu_count; n++) {
        unsigned expected = mask >> n & 1 ? times : 0, seen = cpus[n]->count[vector];
        if (seen != expected)
            printf("# CPU %u took vector 0x%x %u times, expected %u\n", n, vector, seen, expected);
        right &= seen == expected;
        cpus[n]->count[vector] = 0;
    }
    return right;
}

static struct order {
    uint32_t destination, low;
} order;

static void send_order(uintptr_t argument)
{
    (void)argument;
    ipi(order.destination, order.low);
}

bool sent_to(unsigned sender, uint32_t destination, uint32_t low, uint64_t mask)
{
    unsigned vector = (low & ICR_MODE) == ICR_NMI ? NMI : low & 0xff;
    order = (struct order){destination, low};
    cpu_call(cpus[sender], send_order, 0);
    smp_sync();
    /* With virtual-interrupt delivery Bochs lets interrupts into the start of an NMI's handler. */
    for (unsigned n = 0; n < cpu_count; n++)
        if (mask >> n & 1)
            WAIT_UNTIL(cpus[n]->count[vector] > 0, LATE_MS);
    if (taken_by(vector, mask, 1))
        return true;
    printf("# sent by CPU %u to 0x%x, ICR 0x%x\n", sender, destination, low);
    return false;
}

/* ---- Work ---- */

/* The last look for work is taken with interrupts blocked until the HLT: no wake-up is missed. */
static _Noreturn void wait_for_work(struct cpu *me)
{
    for (;;) {
        while (!me->function) {
            if (!idle_halts) {
                pause();
                continue;
            }
            cli();
            if (!me->function)
                sti_hlt();
            sti();
        }
        cpu_function *work = __atomic_load_n(&me->function, __ATOMIC_ACQUIRE);
        work(me->argument);
        __atomic_store_n(&me->function, NULL, __ATOMIC_RELEASE);
    }
}

static void wake(const struct cpu *cpu)
{
    if (!idle_halts)
        return;
    if (cpu_count <= MANY)
        ipi(0, ICR_OTHERS | VECTOR_WAKE);
    else
        ipi(cpu->apic_id, VECTOR_WAKE);
}

void smp_idle(bool halt)
{
    idle_halts = halt;
    if (!halt)
        ipi(0, ICR_OTHERS | VECTOR_WAKE);
}

void cpu_begin(struct cpu *cpu, cpu_function *function, uintptr_t argument)
{
    cpu->argument = argument;
    __atomic_store_n(&cpu->function, function, __ATOMIC_RELEASE);
    wake(cpu);
}

void cpu_wait(struct cpu *cpu)
{
    if (!WAIT_UNTIL(!cpu->function, LIMIT_MS))
        bail_out("CPU %u does not end its work", cpu->number);
}

void cpu_call(struct cpu *cpu, cpu_function *function, uintptr_t argument)
{
    if (cpu == this_cpu()) {
        function(argument);
        return;
    }
    cpu_begin(cpu, function, argument);
    cpu_wait(cpu);
}

void cpu_call_all(cpu_function *function, uintptr_t argument)
{
    for (unsigned n = 0; n < cpu_count; n++)
        if (cpus[n] != this_cpu())
            cpu_begin(cpus[n], function, argument);
    function(argument);
    for (unsigned n = 0; n < cpu_count; n++)
        if (cpus[n] != this_cpu())
            cpu_wait(cpus[n]);
}

/* ---- Start ---- */

_Noreturn void ap_main(uint32_t cs, uint32_t cr0, uint32_t signature)
{
    struct cpu *me = this_cpu();
    lidt(idt, 256 * 16 - 1);
    me->x2apic = in_x2apic_mode();
    me->apic_id = cpuid(0xb, 0).edx;
    me->at_start.cs = cs;
    me->at_start.cr0 = cr0;
    me->at_start.signature = signature;
    me->function = NULL;
    if (smp_first)
        smp_first();
    lapic_enable();
    sti();
    me->starts++;
    __atomic_fetch_add(&came_up, 1, __ATOMIC_SEQ_CST);
    wait_for_work(me);
}

void smp_prepare(unsigned page)
{
    memcpy((void *)(uintptr_t)(page * PAGE_SIZE), ap_page, (size_t)(ap_page_end - ap_page));
}

bool started(uint64_t mask, const unsigned before[])
{
    bool right = true;
    for (unsigned n = 0; n < cpu_count; n++) {
        unsigned expected = before[n] + (mask >> n & 1);
        if (expected != before[n])
            WAIT_UNTIL(cpus[n]->starts >= expected, LIMIT_MS);
        if (cpus[n]->starts != expected)
            printf("# CPU %u started %u times, expected %u\n", n, cpus[n]->starts, expected);
        right &= cpus[n]->starts == expected;
    }
    return right;
}

bool smp_restart(uint32_t destination, uint32_t mode, uint64_t mask, unsigned page)
{
    unsigned before[CPUS_MAX];
    for (unsigned n = 0; n < cpu_count; n++)
        before[n] = cpus[n]->starts;
    smp_prepare(page);
    ipi(destination, mode | ICR_INIT);
    ipi(destination, mode | ICR_STARTUP | page);
    bool right = started(mask, before);
    smp_sync();
    return started(mask, before) && right;
}

static void boot_processor(void)
{
    cpus[0] = &boot_cpu;
    boot_cpu.apic_id = cpuid(0xb, 0).edx;
    set_handler(VECTOR_SYNC, count_ipi);
    set_handler(VECTOR_WAKE, count_ipi);
    set_handler(NMI, count_nmi);
    tsc_per_ms();
    lapic_enable();
    sti();
}

void smp_start(void)
{
    cpu_count = madt_apic_ids(ap_ids);
    boot_processor();
    if (ap_ids[0] != boot_cpu.apic_id)
        bail_out("the MADT begins with ID 0x%x, expected 0x%x", ap_ids[0], boot_cpu.apic_id);
    for (unsigned n = 1; n < cpu_count; n++) {
        cpus[n] = area(n);
        memset(cpus[n], 0, sizeof(struct cpu));
        cpus[n]->number = n;
    }
    smp_prepare(STARTUP_PAGE);
    ipi(0, ICR_OTHERS | ICR_INIT);
    ipi(0, ICR_OTHERS | ICR_STARTUP | STARTUP_PAGE);
    WAIT_UNTIL(came_up >= cpu_count - 1, LIMIT_MS);
    for (unsigned n = 1; n < cpu_count; n++)
        if (cpus[n]->starts != 1)
            bail_out("the processor with ID 0x%x came up %u times, expected once", ap_ids[n],
                     cpus[n]->starts);
}

bool smp_right = true;

void smp_see(uint32_t seen, uint32_t expected, const char *what, unsigned number)
{
    if (seen != expected)
        printf("# %s %u: saw 0x%x expected 0x%x\n", what, number, seen, expected);
    smp_right &= seen == expected;
}

void smp_done(const char *what)
{
    ok(smp_right, "%s, %s: %s", boot_cpu.x2apic ? "x2APIC" : "xAPIC",
       idle_halts ? "halted" : "running", what);
    smp_right = true;
}
