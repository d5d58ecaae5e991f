/* SPDX-License-Identifier: BSD-2-Clause */
// variant: intercepted intercept_exceptions=on
/* With TF set, the instruction after POPF is followed by #DB, also when the hypervisor emulates it.
   SDM Vol 3B, "Single-Step Exception Condition". */
#include "tests/guest/guest.h"

enum {
    DR6_BS = 1 << 14,
    ABSENT_PORT = 0xea,
    VECTOR = 0x50,
};

static volatile unsigned steps;
static volatile uintptr_t step_ip;
static volatile unsigned long step_status;

static unsigned long read_dr6(void)
{
    unsigned long value;
    asm volatile("mov %%dr6, %0" : "=r"(value));
    return value;
}

static void write_dr6(unsigned long value)
{
    asm volatile("mov %0, %%dr6" : : "r"(value));
}

static void on_debug(struct trap_frame *frame)
{
    steps++;
    step_ip = frame->ip;
    step_status = read_dr6();
    frame->flags &= ~(unsigned long)FLAGS_TF;
}

static void report(uintptr_t expected, const char *name)
{
    is_u64(steps, 1, "one #DB for %s", name);
    is_u64(step_ip, expected, "behind %s", name);
    is_u64(step_status & DR6_BS, DR6_BS, "with DR6.BS, for %s", name);
}

/* The pushed flags lie below the red zone nobody uses; the label is behind the instruction. */
#define STEP(instruction, ...)                                                                     \
    do {                                                                                           \
        uintptr_t behind;                                                                          \
        steps = 0;                                                                                 \
        write_dr6(0xffff0ff0);                                                                     \
        asm volatile("lea 773f(%%rip), %0; pushf; orl $0x100, (%%rsp); popf;" instruction          \
                     "; 773: nop"                                                                  \
                     : "=&S"(behind)                                                               \
                     : __VA_ARGS__                                                                 \
                     : "memory", "cc", "rbx");                                                     \
        report(behind, instruction);                                                               \
    } while (0)

/* The step ends the halt; no interrupt does. */
static void halt(void)
{
    lapic_enable();
    lapic_timer_start(VECTOR, 100000);
    set_handler(VECTOR, count_trap);
    sti();
    STEP("hlt", "a"(0));
    cli();
    is_u64(trap_count[VECTOR], 0, "HLT did not wait for the timer");
    lapic_timer_stop();
}

/* Repeated string instructions trap after every element, and point to themselves until the last. */
static void string(void)
{
    static uint8_t buffer[4];
    uintptr_t at;
    uint64_t count = 3;
    steps = 0;
    asm volatile("lea 773f(%%rip), %0; pushf; orl $0x100, (%%rsp); popf; 773: rep insb"
                 : "=&S"(at), "+c"(count)
                 : "d"(ABSENT_PORT), "D"(buffer)
                 : "memory", "cc");
    is_u64(steps, 1, "the handler ended the stepping");
    is_u64(step_ip, at, "#DB after one element of REP INSB points to it");
    is_u64(count, 0, "and it went on to its end");
}

void test_main(void)
{
    set_handler(DB, on_debug);
    uint32_t eax = 0, ecx = 0, edx = 0;
    STEP("nop", "a"(eax));
    STEP("cpuid", "a"(eax), "c"(ecx), "d"(edx));
    STEP("inb %%dx, %%al", "a"(eax), "d"(ABSENT_PORT));
    STEP("outb %%al, %%dx", "a"(eax), "d"(ABSENT_PORT));
    STEP("rdmsr", "c"(MSR_APIC_BASE), "a"(eax), "d"(edx));
    STEP("wrmsr", "c"(MSR_PAT), "a"((uint32_t)rdmsr(MSR_PAT)),
         "d"((uint32_t)(rdmsr(MSR_PAT) >> 32)));
    STEP("mov %1, %%cr4", "r"(read_cr4()));
    STEP("mov %1, %%cr0", "r"(read_cr0()));
    STEP("wbinvd", "a"(eax));
    STEP("xsetbv", "c"(0), "a"((uint32_t)xgetbv(0)), "d"(0));
    STEP("movl (%1), %%ecx", "a"(LAPIC_BASE + LAPIC_VERSION), "c"(ecx));
    STEP("movl %%ecx, (%1)", "a"(IOAPIC_BASE), "c"(ecx));
    halt();
    string();
}
