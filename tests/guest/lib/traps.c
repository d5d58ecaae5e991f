/* SPDX-License-Identifier: BSD-2-Clause */
/* Interrupt descriptor table, dispatch of traps to handlers, and recovery from tried faults. */
#include "tests/guest/guest.h"

enum {
    GATE_INTERRUPT = 0x8e,
    GATE_DPL3 = 3 << 5,
    STUB_SIZE = 16,
    VECTOR_USER_DONE = 0x81,
    CPL_MASK = 3,
#ifdef __x86_64__
    WORDS_PER_GATE = 2,
#else
    WORDS_PER_GATE = 1,
#endif
};

struct fixup {
    uint32_t start, end;
};

extern const struct fixup fixups_start[], fixups_end[];
extern const char trap_stubs[];

uint64_t idt[256 * WORDS_PER_GATE] __attribute__((aligned(4096)));
volatile unsigned trap_count[256];
volatile struct fault last_fault;
static trap_handler *handlers[256];

void trap_dispatch(struct trap_frame *frame);
void guest_start(void);

void fault_clear(void)
{
    last_fault.vector = NO_FAULT;
}

struct fault fault_get(void)
{
    return last_fault;
}

static void record(const struct trap_frame *frame, uint32_t start)
{
    last_fault.vector = (unsigned)frame->vector;
    last_fault.error = frame->error;
    last_fault.address = frame->vector == PF ? read_cr2() : 0;
    last_fault.ip = frame->ip;
    last_fault.offset = frame->ip - start;
    last_fault.flags = frame->flags;
}

/* Faults report the instruction, traps the one behind it: the end of a range belongs to it. */
static bool recover(struct trap_frame *frame)
{
    size_t count = ((uintptr_t)fixups_end - (uintptr_t)fixups_start) / sizeof(struct fixup);
    for (const struct fixup *f = fixups_start; f < fixups_start + count; f++)
        if (frame->ip >= f->start && frame->ip <= f->end) {
            record(frame, f->start);
            frame->ip = f->end;
            return true;
        }
    return false;
}

static _Noreturn void unexpected(const struct trap_frame *frame)
{
    printf("# ip %lx cs %lx flags %lx ax %lx bx %lx cx %lx dx %lx\n", frame->ip, frame->cs,
           frame->flags, frame->ax, frame->bx, frame->cx, frame->dx);
    printf("# si %lx di %lx bp %lx cr2 %lx\n", frame->si, frame->di, frame->bp, read_cr2());
    bail_out("unexpected vector %lu error 0x%lx", frame->vector, frame->error);
}

#ifdef __x86_64__
void run_user(void (*function)(uintptr_t), uintptr_t argument);
_Noreturn void user_return(void);

static void leave_user(struct trap_frame *frame)
{
    record(frame, 0);
    if (frame->vector == VECTOR_USER_DONE)
        fault_clear();
    user_return();
}

struct fault enter_user(void (*function)(uintptr_t), uintptr_t argument)
{
    fault_clear();
    run_user(function, argument);
    return fault_get();
}
#else
static void leave_user(struct trap_frame *frame)
{
    unexpected(frame);
}
#endif

void trap_dispatch(struct trap_frame *frame)
{
    trap_handler *handler = handlers[frame->vector];
    if (handler) {
        handler(frame);
        return;
    }
    if (frame->cs & CPL_MASK)
        leave_user(frame);
    else if (!recover(frame))
        unexpected(frame);
}

void set_handler(unsigned vector, trap_handler *handler)
{
    handlers[vector] = handler;
}

void count_trap(struct trap_frame *frame)
{
    trap_count[frame->vector]++;
}

void set_gate(unsigned vector, unsigned long entry, unsigned selector, unsigned type_and_dpl,
              unsigned ist)
{
    uint64_t *gate = &idt[vector * WORDS_PER_GATE];
    gate[0] = (entry & 0xffff) | (uint64_t)selector << 16 | (uint64_t)ist << 32 |
              (uint64_t)type_and_dpl << 40 | (uint64_t)(entry >> 16 & 0xffff) << 48;
#ifdef __x86_64__
    gate[1] = entry >> 32;
#endif
}

struct fault try_rdmsr(uint32_t index, uint64_t *value)
{
    uint32_t low = 0, high = 0;
    struct fault fault = TRY("rdmsr", : "+a"(low), "+d"(high) : "c"(index) : "memory");
    *value = fault.vector == NO_FAULT ? (uint64_t)high << 32 | low : 0;
    return fault;
}

struct fault try_wrmsr(uint32_t index, uint64_t value)
{
    return TRY("wrmsr",
               :
               : "c"(index), "a"((uint32_t)value), "d"((uint32_t)(value >> 32))
               : "memory");
}

/* A PC's firmware may leave the legacy interrupt controllers open; the tests use the APICs. */
static void mask_legacy_pic(void)
{
    outb(0x21, 0xff);
    outb(0xa1, 0xff);
}

void guest_start(void)
{
    for (unsigned vector = 0; vector < 256; vector++) {
        bool for_user = vector == BP || vector == OF || vector == VECTOR_USER_DONE;
        set_gate(vector, (unsigned long)trap_stubs + vector * STUB_SIZE, SEL_CODE,
                 GATE_INTERRUPT | (for_user ? GATE_DPL3 : 0), 0);
    }
    lidt(idt, sizeof(idt) - 1);
    mask_legacy_pic();
    console_start();
    test_main();
    finish();
}
