/* SPDX-License-Identifier: BSD-2-Clause */
/* Stops the machine and says why. Runs in any state, so it trusts nothing it does not need. */
#include "core/panic.h"

#include <stdarg.h>

#include "core/assert.h"
#include "core/bits.h"
#include "core/console.h"
#include "core/cpu.h"
#include "core/exception.h"
#include "core/format.h"
#include "core/interrupt.h"
#include "core/log.h"
#include "core/symbols.h"
#include "core/time.h"
#include "core/trace.h"
#include "core/x86.h"

enum {
    BOCHS_SHUTDOWN_PORT = 0x8900,
    QEMU_EXIT_PORT = 0xf4, /* isa-debug-exit: status (value << 1) | 1 */
    QEMU_EXIT_OK = 0x10,
    QEMU_EXIT_FAILURE = 0x11,
    TRACE_MAX = 32,
    STOP_NS = 10000000,
};

#define NOBODY UINT32_MAX

static enum config_emulator_exit exit_method;
static uint32_t stopper = NOBODY; /* index of the CPU that ends the machine */

extern const char code_start[], code_end[]; /* linker.ld */

void machine_set_exit(enum config_emulator_exit how)
{
    exit_method = how;
}

bool panic_stopping(void)
{
    return __atomic_load_n(&stopper, __ATOMIC_ACQUIRE) != NOBODY;
}

static _Noreturn void halt(void)
{
    for (;;)
        __asm__ volatile("cli; hlt" : : : "memory");
}

static void end_emulator(bool ok)
{
    static const char shutdown[] = "Shutdown";
    switch (exit_method) {
    case CONFIG_EXIT_BOCHS:
        for (const char *p = shutdown; *p; p++)
            out8(BOCHS_SHUTDOWN_PORT, (uint8_t)*p);
        break;
    case CONFIG_EXIT_QEMU:
        out8(QEMU_EXIT_PORT, ok ? QEMU_EXIT_OK : QEMU_EXIT_FAILURE);
        break;
    case CONFIG_EXIT_NONE:
        break;
    }
}

/*
 * Makes this CPU the only one that runs; a CPU that comes second halts here. False: this CPU had
 * already stopped the machine, so the work after that went wrong.
 */
static bool stop_others(void)
{
    uint32_t nobody = NOBODY;
    uint32_t self = cpu_count() ? this_cpu()->index : 0;
    cli();
    if (!__atomic_compare_exchange_n(&stopper, &nobody, self, false, __ATOMIC_ACQ_REL,
                                     __ATOMIC_ACQUIRE)) {
        if (nobody != self)
            halt();
        return false;
    }
    if (cpu_count() > 1) {
        interrupt_send_nmi_others();
        uint64_t start = rdtsc();
        uint64_t duration = ns_to_tsc(STOP_NS);
        while (rdtsc() - start < duration)
            pause();
    }
    console_break_lock();
    return true;
}

_Noreturn void machine_end(bool ok)
{
    console_write(NULL, 0); /* a line that another CPU is writing is finished first */
    if (stop_others()) {
        end_emulator(ok);
        console_print("The machine can be switched off now.");
    }
    halt();
}

static bool is_code(vaddr_t address)
{
    return address >= (vaddr_t)code_start && address < (vaddr_t)code_end;
}

/* `back` is 1 for a return address: the call may be the last instruction of its function. */
static void print_address(vaddr_t address, uint64_t back)
{
    uint64_t offset = 0;
    const char *name = is_code(address - back) ? symbols_lookup(address - back, &offset) : NULL;
    if (name)
        console_print("  %016lx  %s+%#lx", address, name, offset + back);
    else
        console_print("  %016lx", address);
}

/* Follows the frame pointers: [rbp] is the caller's, [rbp + 8] the return address. */
static void print_trace(vaddr_t frame_pointer)
{
    vaddr_t below = 0;
    console_print("Stack trace:");
    for (int i = 0; i < TRACE_MAX && frame_pointer > below; i++) {
        if (!cpu_on_stack(frame_pointer, 2 * sizeof(uint64_t)))
            break;
        const uint64_t *frame = (const uint64_t *)frame_pointer;
        if (!is_code(frame[1]))
            break;
        print_address(frame[1], 1);
        below = frame_pointer;
        frame_pointer = frame[0];
    }
}

static void print_control_registers(void)
{
    console_print("cr0 %016lx  cr2 %016lx  cr3 %016lx  cr4 %016lx", read_cr0(), read_cr2(),
                  read_cr3(), read_cr4());
}

static void print_registers(const struct trap_frame *f)
{
    console_print("rax %016lx  rbx %016lx  rcx %016lx  rdx %016lx", f->rax, f->rbx, f->rcx, f->rdx);
    console_print("rsi %016lx  rdi %016lx  rbp %016lx  rsp %016lx", f->rsi, f->rdi, f->rbp, f->rsp);
    console_print("r8  %016lx  r9  %016lx  r10 %016lx  r11 %016lx", f->r8, f->r9, f->r10, f->r11);
    console_print("r12 %016lx  r13 %016lx  r14 %016lx  r15 %016lx", f->r12, f->r13, f->r14, f->r15);
    console_print("rip %016lx  cs  %016lx  rfl %016lx  ss  %016lx", f->rip, f->cs, f->rflags,
                  f->ss);
    print_control_registers();
}

static void print_cpu(void)
{
    if (cpu_count())
        console_print("CPU %u, APIC ID %u", this_cpu()->index, this_cpu()->apic_id);
}

static _Noreturn void end_panic(void)
{
    trace_panic();
    end_emulator(false);
    halt();
}

_Noreturn void panic(const char *format, ...)
{
    char reason[LOG_LINE_MAX];
    va_list arguments;
    if (!stop_others()) {
        console_print("PANIC within a panic");
        end_panic();
    }
    va_start(arguments, format);
    format_string_v(reason, sizeof(reason), format, arguments);
    va_end(arguments);
    console_print("PANIC: %s", reason);
    print_cpu();
    print_control_registers();
    print_trace((vaddr_t)__builtin_frame_address(0));
    end_panic();
}

static const char *exception_name(uint64_t vector)
{
    static const char *const names[] = {
        "divide error",
        "debug",
        "NMI",
        "breakpoint",
        "overflow",
        "bound range",
        "invalid opcode",
        "no FPU",
        "double fault",
        "vector 9",
        "invalid TSS",
        "segment not present",
        "stack fault",
        "general protection",
        "page fault",
        "vector 15",
        "x87 error",
        "alignment check",
        "machine check",
        "SIMD error",
        "virtualization exception",
        "control protection",
    };
    return vector < ARRAY_SIZE(names) ? names[vector] : "reserved exception";
}

_Noreturn void panic_exception(const struct trap_frame *frame)
{
    if (!stop_others()) {
        console_print("PANIC within a panic: %s at %#lx", exception_name(frame->vector),
                      frame->rip);
        end_panic();
    }
    console_print("PANIC: %s (vector %lu, error code %#lx)", exception_name(frame->vector),
                  frame->vector, frame->error_code);
    print_cpu();
    print_registers(frame);
    console_print("At:");
    print_address(frame->rip, 0);
    print_trace(frame->rbp);
    end_panic();
}
