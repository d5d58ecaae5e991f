/* SPDX-License-Identifier: BSD-2-Clause */
// variant: intercepted intercept_exceptions=on
/* Events whose delivery touches memory for the first time: should that leave the guest, the event
   must still arrive, once, complete. Each uses a stack that nobody has touched. */
// memory: 128M
#include "tests/guest/guest.h"

enum {
    FIRST_FRESH = 32 << 20,
    FRESH_STEP = 2 << 20, /* no two in one large page */
    GATE_INTERRUPT = 0x8e,
    STUB_SIZE = 16,
    VECTOR = 0x62,
    TSS_IST1 = 36,
};

extern uint8_t tss[];
extern const char trap_stubs[];

static volatile unsigned received;
static volatile unsigned long seen_error, seen_frame;

static void on_event(struct trap_frame *frame)
{
    received++;
    seen_error = frame->error;
    seen_frame = (unsigned long)frame;
    if (frame->vector == VECTOR)
        lapic_eoi();
    if (frame->vector == PF || frame->vector == GP || frame->vector == UD)
        frame->ip += 2; /* all of the instructions below */
}

static uintptr_t fresh_stack(void)
{
    static uintptr_t next = FIRST_FRESH;
    uint64_t top = next + PAGE_SIZE / 2;
    memcpy(tss + TSS_IST1, &top, sizeof(top));
    next += FRESH_STEP;
    return top;
}

static uintptr_t prepare(unsigned vector)
{
    received = 0;
    set_handler(vector, on_event);
    set_gate(vector, (unsigned long)trap_stubs + vector * STUB_SIZE, SEL_CODE, GATE_INTERRUPT, 1);
    return fresh_stack();
}

static void report(uintptr_t top, unsigned long error, const char *name)
{
    is_u64(received, 1, "%s arrives once", name);
    is_u64(seen_error, error, "%s: error code", name);
    in_range(seen_frame, top - PAGE_SIZE / 2, top, "%s: on its stack", name);
}

void test_main(void)
{
    uintptr_t top, absent = (uintptr_t)page_alloc();
    map_page(absent, 0);
    lapic_enable();

    top = prepare(UD);
    asm volatile("ud2" : : : "memory");
    report(top, 0, "#UD");
    top = prepare(PF);
    asm volatile("movb %%al, (%0)" : : "b"(absent) : "memory");
    report(top, PAGE_WRITE, "#PF");
    top = prepare(GP);
    asm volatile("mov %0, %%fs" : : "c"(0x1000) : "memory");
    report(top, 0x1000, "#GP");
    top = prepare(BP);
    asm volatile("int3" : : : "memory");
    report(top, 0, "INT3");
    top = prepare(VECTOR);
    self_ipi(VECTOR);
    sti_nop();
    cli();
    report(top, 0, "an external interrupt");
    top = prepare(VECTOR);
    lapic_timer_start(VECTOR, 500);
    sti_hlt();
    cli();
    report(top, 0, "the timer's interrupt out of HLT");
    top = prepare(NMI);
    self_ipi(ICR_NMI);
    for (unsigned i = 0; i < 10; i++)
        cpuid(0, 0);
    report(top, 0, "an NMI");
    top = prepare(VECTOR);
    asm volatile("int $0x62" : : : "memory");
    report(top, 0, "INT n");
}
