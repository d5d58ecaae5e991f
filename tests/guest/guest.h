/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The library of the tiny test guests, and the format of the lines that declare a test.
 *
 * One test is one source file, tests/guest/NAME.c or NAME.asm, built as build/guest/NAME.elf, an
 * ELF with a Multiboot 1 header. NAME says which start-up it gets:
 *
 *   pm_*      32-bit protected mode, flat segments, no paging
 *   elf64_*   long mode, kept as ELF64
 *   raw_*     what nasm makes of the source as it stands, without start-up; lib/raw.inc reports
 *   others    long mode, identity mapping of 4 GiB; the finished ELF64 is wrapped into an ELF32
 *   bench_*   long mode; a measurement, not a test
 *   demo_*    long mode; a demonstration for "make run DEMO=...", with demo_*.conf
 *   typed_*   long mode; for tests/runner/typed.py, monitor.py and gdb.py
 *
 * The first 30 lines of the source may hold declarations, each alone in a "//" comment (in nasm
 * ";"):
 *
 *   // memory: 64M               RAM of the guest; M or G
 *   // cmdline: text             the rest of the line, unchanged
 *   // module: FILE text         a Multiboot module, FILE relative to the repository; repeatable;
 *                                text is its command line
 *   // time_limit: 10s           of guest time
 *   // vcpus: 1                  this and apic_ids, id_match, x2apic, cores, threads, hyperv,
 *                                vtls, debug_exit, testdev, legacy, fw_cfg, fw_cfg_file and
 *                                load_address go into the VM's configuration as they stand
 *   // expect: OUTCOME           "debug-exit code N", "triple fault", "reset", "power-off",
 *                                "time limit" or "error"
 *   // variant: NAME K=V ...    another VM, "test+NAME", of the same program with other keys or
 *                                another cmdline; repeatable
 *   // long_variant: NAME K=V .. the same, only in "make test-long"
 *   // group: NAME              runs side by side with all others of this group
 *   // apic: yes K=V ...         also without the hardware's APIC virtualization, and in "make
 *                                test-long" with each part of it off; then with these keys
 *   // worlds: all               or a comma-separated list of "without:WORLD", then the reason
 *                                in ()
 *
 * Without a declaration: 64M, an empty command line, no module, 10s, "debug-exit code 1", all.
 *
 * A guest prints TAP on COM1: "ok N - name", "not ok N - name # saw X expected Y", "# remark",
 * "Bail out! reason", and the plan "1..N" first or last. A pass needs the expected outcome, a plan
 * that holds and no "not ok".
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/guest/lib/cpu.h"

/* ---- The test itself ---- */

/* The one function a test defines. When it returns the guest ends with passed or failed. */
void test_main(void);

/* The start-up's arguments: EAX and EBX as the loader left them. */
extern uint32_t boot_magic;
extern uint32_t boot_info;

/* The last word of the command line, and as a decimal number (lib/arguments.c). */
const char *argument(void);
unsigned argument_number(void);

/* ---- Console and TAP (lib/console.c) ---- */

/* Part of the start-up: a UART sends only five bits of a byte after reset. */
void console_start(void);

void console_putc(char c);
void printf(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Announce the number of results; without a call the plan is printed at the end. */
void plan(unsigned count);

/* Report one result and return it. */
bool ok(bool condition, const char *name, ...) __attribute__((format(printf, 2, 3)));
bool is_u64(uint64_t seen, uint64_t expected, const char *name, ...)
    __attribute__((format(printf, 3, 4)));

/* Report `low <= seen <= high`. */
bool in_range(uint64_t seen, uint64_t low, uint64_t high, const char *name, ...)
    __attribute__((format(printf, 4, 5)));

/* One passed result that says why there was nothing to try. */
void skip(const char *name, const char *why);

_Noreturn void bail_out(const char *reason, ...) __attribute__((format(printf, 1, 2)));

/* Print the plan if there was none and end the guest: passed or failed. */
_Noreturn void finish(void);

/* ---- Exceptions and interrupts (lib/traps.c) ---- */

enum {
    DE = 0,
    DB = 1,
    NMI = 2,
    BP = 3,
    OF = 4,
    BR = 5,
    UD = 6,
    NM = 7,
    DF = 8,
    TS = 10,
    NP = 11,
    SS = 12,
    GP = 13,
    PF = 14,
    MF = 16,
    AC = 17,
    MC = 18,
    XM = 19,
    NO_FAULT = 0xffff,
};

struct trap_frame {
#ifdef __x86_64__
    unsigned long r15, r14, r13, r12, r11, r10, r9, r8;
#endif
    unsigned long di, si, bp, bx, dx, cx, ax;
    unsigned long vector, error;
    unsigned long ip, cs, flags;
    /* Only pushed by the processor in long mode, or when the privilege level changed. */
    unsigned long sp, ss;
};

/* What TRY() or enter_user() ran into; vector NO_FAULT when nothing happened. */
struct fault {
    unsigned vector;
    unsigned long error;
    unsigned long address; /* CR2, only for PF */
    unsigned long ip;
    unsigned long offset; /* of ip from the start of the tried instruction */
    unsigned long flags;
};

typedef void trap_handler(struct trap_frame *frame);

/* Route a vector to a handler (NULL: back to the default). The handler sends the EOI itself. */
void set_handler(unsigned vector, trap_handler *handler);

/* The gate of a vector as the processor reads it, two or one machine words. */
void set_gate(unsigned vector, unsigned long entry, unsigned selector, unsigned type_and_dpl,
              unsigned ist);

/* For handlers that only count. */
extern volatile unsigned trap_count[256];
void count_trap(struct trap_frame *frame);

extern volatile struct fault last_fault;

/* Forget an old fault; part of TRY(). */
void fault_clear(void);
struct fault fault_get(void);

/*
 * Run one instruction (or a short sequence) and give the exception it raised, as a struct fault.
 * TRY("wrmsr", : : "c"(index), "a"(low), "d"(high) : "memory")
 */
#define TRY(template, ...)                                                                         \
    ({                                                                                             \
        fault_clear();                                                                             \
        asm volatile("771: " template "\n"                                                         \
                                      "772:\n"                                                     \
                                      ".pushsection .fixups, \"a\"\n"                              \
                                      ".long 771b, 772b\n"                                         \
                                      ".popsection\n" __VA_ARGS__);                                \
        fault_get();                                                                               \
    })

/* Report that a fault was exactly this exception with this error code. */
bool is_fault(struct fault fault, unsigned vector, unsigned long error, const char *name, ...)
    __attribute__((format(printf, 4, 5)));
bool is_no_fault(struct fault fault, const char *name, ...) __attribute__((format(printf, 2, 3)));

/* MSR accesses that may fault; the value read is 0 then. */
struct fault try_rdmsr(uint32_t index, uint64_t *value);
struct fault try_wrmsr(uint32_t index, uint64_t value);

/* ---- Paging and privilege (lib/paging.c, long mode only) ---- */

enum {
    PAGE_PRESENT = 1 << 0,
    PAGE_WRITE = 1 << 1,
    PAGE_USER = 1 << 2,
    PAGE_PWT = 1 << 3,
    PAGE_PCD = 1 << 4,
    PAGE_ACCESSED = 1 << 5,
    PAGE_DIRTY = 1 << 6,
    PAGE_LARGE = 1 << 7,
    PAGE_SIZE = 4096,
};

/* The 4 KiB entry that maps an address below 4 GiB; large pages on the way are split. */
uint64_t *page_entry(uintptr_t address);

/* Replace the mapping of one page and flush it from the TLB. */
void map_page(uintptr_t address, uint64_t entry);

/* A page that is zero, page aligned, and part of no other object. */
void *page_alloc(void);

/* Let CPL 3 reach all of the guest's image. */
void allow_user(void);

/*
 * Run function(argument) at CPL 3 (see allow_user) and return when it does, or at its first
 * exception, which is the result.
 */
struct fault enter_user(void (*function)(uintptr_t), uintptr_t argument);

/* ---- Descriptor tables (lib/start.asm) ---- */

enum {
    SEL_CODE = 0x08,
    SEL_DATA = 0x10,
    SEL_CODE32 = 0x18,
    SEL_CODE16 = 0x20,
    SEL_DATA16 = 0x28,
    SEL_USER_DATA = 0x30 | 3,
    SEL_USER_CODE = 0x38 | 3,
    SEL_TSS = 0x40, /* two entries in long mode */
    SEL_SPARE = 0x50,
    SEL_SPARE_COUNT = 6,
};

extern uint64_t gdt[];
extern uint64_t idt[];

/* ---- Time (lib/time.c) ---- */

enum {
    PM_TIMER_HZ = 3579545,
    PM_TIMER_PORT = 0x608,
};

uint32_t pm_timer(void);

/* Ticks of the TSC per millisecond, as measured against the PM timer once and remembered. */
uint64_t tsc_per_ms(void);

void delay_us(unsigned microseconds);

/* Wait until *value is at least `wanted` or the time is over; true when it is. Interrupts as they
   are. */
bool wait_for(const volatile unsigned *value, unsigned wanted, unsigned timeout_ms);

/* ---- Local APIC and I/O APIC (lib/apic.c) ---- */

#define LAPIC_BASE  0xfee00000ul
#define IOAPIC_BASE 0xfec00000ul

enum {
    LAPIC_ID = 0x020,
    LAPIC_VERSION = 0x030,
    LAPIC_TPR = 0x080,
    LAPIC_APR = 0x090,
    LAPIC_PPR = 0x0a0,
    LAPIC_EOI = 0x0b0,
    LAPIC_LDR = 0x0d0,
    LAPIC_DFR = 0x0e0,
    LAPIC_SVR = 0x0f0,
    LAPIC_ISR = 0x100,
    LAPIC_TMR = 0x180,
    LAPIC_IRR = 0x200,
    LAPIC_ESR = 0x280,
    LAPIC_ICR = 0x300,
    LAPIC_ICR_HIGH = 0x310,
    LAPIC_LVT_TIMER = 0x320,
    LAPIC_LVT_THERMAL = 0x330,
    LAPIC_LVT_PMC = 0x340,
    LAPIC_LVT_LINT0 = 0x350,
    LAPIC_LVT_LINT1 = 0x360,
    LAPIC_LVT_ERROR = 0x370,
    LAPIC_TIMER_INITIAL = 0x380,
    LAPIC_TIMER_CURRENT = 0x390,
    LAPIC_TIMER_DIVIDE = 0x3e0,
    LAPIC_SELF_IPI = 0x3f0,

    SVR_ENABLE = 1 << 8,
    LVT_MASKED = 1 << 16,
    LVT_PERIODIC = 1 << 17,
    LVT_TSC_DEADLINE = 2 << 17,
    DIVIDE_BY_1 = 0xb,

    ICR_MODE = 7 << 8,
    ICR_LOWEST = 1 << 8,
    ICR_SMI = 2 << 8,
    ICR_NMI = 4 << 8,
    ICR_INIT = 5 << 8,
    ICR_STARTUP = 6 << 8,
    ICR_LOGICAL = 1 << 11,
    ICR_ASSERT = 1 << 14,
    ICR_LEVEL = 1 << 15,
    ICR_SELF = 1 << 18,
    ICR_ALL = 2 << 18,
    ICR_OTHERS = 3 << 18,

    APIC_BASE_BSP = 1 << 8,
    APIC_BASE_EXTD = 1 << 10,
    APIC_BASE_EN = 1 << 11,

    IOAPIC_SELECT = 0x00,
    IOAPIC_WINDOW = 0x10,
    IOAPIC_ID = 0,
    IOAPIC_VERSION = 1,
    IOAPIC_ENTRY = 0x10, /* two registers per pin */
    IOAPIC_LEVEL = 1 << 15,
    IOAPIC_MASKED = 1 << 16,
};

/* Registers by their xAPIC offset, in whichever mode the APIC is in. */
uint32_t lapic_read(unsigned offset);
void lapic_write(unsigned offset, uint32_t value);
bool lapic_bit(unsigned bank, unsigned vector);
bool in_x2apic_mode(void);

/* Set the software enable with spurious vector 0xff, and TPR 0. */
void lapic_enable(void);

/* Go from xAPIC to x2APIC mode. */
void lapic_enter_x2apic(void);

/* Come to xAPIC mode by way of the disabled state, as after reset. */
void lapic_enter_xapic(void);

void lapic_eoi(void);

/* Send a fixed interrupt or, with ICR_NMI, an NMI to the own processor. */
void self_ipi(uint32_t vector_and_mode);

/* Timer counts per millisecond with divider 1, measured once; leaves the timer stopped. */
uint32_t lapic_ticks_per_ms(void);

/* Start the timer: LVT vector and mode, and the time with divider 1. */
void lapic_timer_start(uint32_t lvt, uint32_t microseconds);
void lapic_timer_stop(void);

uint32_t ioapic_read(unsigned index);
void ioapic_write(unsigned index, uint32_t value);
void ioapic_route(unsigned pin, uint32_t low, uint32_t destination);

/* ---- Processors ---- */

enum {
    CPUS_MAX = 320,
    CPU_AREA_SIZE = 0x4000, /* struct cpu, and above it the stack */
};

#define CPU_AREAS 0x1000000ul

typedef void cpu_function(uintptr_t argument);

/* What a processor has of its own. Each is written by its processor alone, but for `function`. */
struct cpu {
    unsigned number;              /* in the order of the MADT */
    uint32_t apic_id;             /* 32 bits */
    bool x2apic;                  /* its APIC is in x2APIC mode */
    volatile unsigned count[256]; /* interrupts that count_ipi() and the NMI's handler took */
    volatile unsigned starts;     /* how often it came up */
    volatile bool offline;        /* smp_sync() does without it */
    struct {
        uint32_t cs, cr0, signature;
    } at_start; /* what it came up with; signature is EDX */
    cpu_function *volatile function;
    uintptr_t argument;
};

/* The only one until smp_start() (lib/smp.h). */
extern struct cpu boot_cpu;

/* By the stack, which nobody shares: an APIC ID need not be unique. */
static inline struct cpu *this_cpu(void)
{
    uintptr_t stack = (uintptr_t)__builtin_frame_address(0);
    if (stack - CPU_AREAS >= (uintptr_t)CPUS_MAX * CPU_AREA_SIZE)
        return &boot_cpu;
    return (struct cpu *)(stack & ~(uintptr_t)(CPU_AREA_SIZE - 1));
}

/* ---- ACPI tables (lib/acpi.c) ---- */

struct __attribute__((packed)) acpi_table {
    char signature[4];
    uint32_t length;
    uint8_t revision;
    uint8_t checksum;
    char oem[6];
    char oem_table[8];
    uint32_t oem_revision;
    uint32_t creator;
    uint32_t creator_revision;
    uint8_t body[];
};

/* The "RSD PTR " structure in the BIOS area, or NULL. */
const uint8_t *acpi_rsdp(void);

/* A table that the XSDT (or without one the RSDT) lists, or the FADT's DSDT; NULL if there is none.
 */
const struct acpi_table *acpi_find(const char *signature);

/* Whether the bytes add up to 0. */
bool acpi_sum_is_zero(const void *bytes, size_t count);

/* Fields of a table by their offset from its start. */
uint32_t acpi_u32(const struct acpi_table *table, unsigned offset);

/* SLP_TYPa of \\_S5 in the DSDT. */
bool acpi_s5_type(unsigned *type);

/* ---- Ends (lib/end.c) ---- */

/* Write to isa-debug-exit; the VM ends with code (value << 1) | 1. */
_Noreturn void guest_exit(uint8_t value);

/* As ACPI says: the sleep type of \_S5 in the DSDT. */
_Noreturn void power_off(void);

_Noreturn void reset_machine(void);

/* ---- Memory ---- */

void *memset(void *to, int byte, size_t count);
void *memcpy(void *to, const void *from, size_t count);
int memcmp(const void *a, const void *b, size_t count);
size_t strlen(const char *text);
int strcmp(const char *a, const char *b);

/* First byte after the guest's image. */
extern char image_end[];
