/* SPDX-License-Identifier: BSD-2-Clause */
// variant: intercepted intercept_exceptions=on
/* Virtual-8086 mode: exits from a 16-bit task, the I/O permission map, faults to the monitor, and
   an interrupt. SDM Vol 3B, "8086 Emulation". */
#include "tests/guest/guest.h"

enum {
    V86_CODE = 0x8000,
    RESULTS = 0x9000,
    TIMER_RESULT = 3,
    TIMER_VECTOR = 0x50,
    ALLOWED_PORT = 0xea,
    SCRATCH_PORT = 0x3ff,
    IN_AL_IMM = 0xe4,
    CLI = 0xfa,
    HLT = 0xf4,
    PORTS = 0x400,
    TSS_ESP0 = 4,
    TSS_SS0 = 8,
    TSS_IO_MAP = 102,
    TSS_SIZE = 104,
};

extern const char v86_code[];
extern const uint32_t v86_code_size;

void enter_v86(void);
void leave_v86(void);

static uint8_t task[TSS_SIZE + PORTS / 8 + 1] __attribute__((aligned(256)));
static uint32_t monitor_stack[1024];
static volatile uint32_t *const results = (volatile uint32_t *)RESULTS;
static volatile unsigned faults, outside;

static void allow(unsigned port)
{
    task[TSS_SIZE + port / 8] &= (uint8_t) ~(1 << port % 8);
}

static void use_task(void)
{
    uint32_t esp0 = (uintptr_t)&monitor_stack[1024], ss0 = SEL_DATA;
    uint16_t io_map = TSS_SIZE;
    memset(task + TSS_SIZE, 0xff, sizeof(task) - TSS_SIZE);
    memcpy(task + TSS_ESP0, &esp0, sizeof(esp0));
    memcpy(task + TSS_SS0, &ss0, sizeof(ss0));
    memcpy(task + TSS_IO_MAP, &io_map, sizeof(io_map));
    allow(ALLOWED_PORT);
    allow(SCRATCH_PORT);
    uint64_t base = (uintptr_t)task;
    gdt[SEL_SPARE / 8] =
        (sizeof(task) - 1) | (base & 0xffffff) << 16 | 0x89ull << 40 | (base >> 24) << 56;
    asm volatile("ltr %w0" : : "r"(SEL_SPARE) : "memory");
}

/* The monitor: emulate what the task may not do. */
static void on_protection(struct trap_frame *frame)
{
    const uint8_t *code = (const uint8_t *)((frame->cs << 4) + frame->ip);
    faults++;
    outside += !(frame->flags & FLAGS_VM);
    if (code[0] == IN_AL_IMM) {
        frame->ax = (frame->ax & ~0xfful) | 0x5c;
        frame->ip += 2;
    } else if (code[0] == CLI) {
        frame->ip += 1;
    } else if (code[0] == HLT) {
        leave_v86();
    } else {
        bail_out("the task faults at %lx: %x", frame->ip, code[0]);
    }
}

static void on_timer(struct trap_frame *frame)
{
    outside += !(frame->flags & FLAGS_VM);
    results[TIMER_RESULT] = 1;
    lapic_eoi();
}

void test_main(void)
{
    memcpy((void *)V86_CODE, v86_code, v86_code_size);
    memset((void *)RESULTS, 0xcc, 64);
    use_task();
    set_handler(GP, on_protection);
    set_handler(TIMER_VECTOR, on_timer);
    lapic_enable();
    lapic_timer_start(TIMER_VECTOR, 1000);
    enter_v86();
    lapic_timer_stop();
    is_u64(results[0], cpuid(0, 0).ebx, "CPUID");
    is_u64(results[1], 0xff, "IN from a port that the permission map allows");
    is_u64(results[2], 0x7777, "OUT, and REP INSB to another segment");
    is_u64(results[3], 1, "the timer's interrupt went to the monitor");
    is_u64(results[4], 0x5c, "IN from a port that the map forbids did, too");
    is_u64(faults, 3, "as did CLI and HLT");
    is_u64(outside, 0, "all of them from virtual-8086 mode");
    is_u64(read_flags() & FLAGS_VM, 0, "which is left");
}
