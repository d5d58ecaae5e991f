/* SPDX-License-Identifier: BSD-2-Clause */
// variant: intercepted intercept_exceptions=on
/* Debug registers: they keep values, breakpoints hit, also over instructions that leave the guest.
   SDM Vol 3B, "Debug Registers". */
#include "tests/guest/guest.h"

enum {
    DR6_B0 = 1 << 0,
    DR6_BD = 1 << 13,
    DR6_BS = 1 << 14,
    DR6_INIT = 0xffff0ff0,
    DR7_FIXED = 1 << 10,
    DR7_L0 = 1 << 0,
    DR7_GD = 1 << 13,
    DR7_WRITE0 = 1 << 16,
    DR7_IO0 = 2 << 16,
    DR7_LEN4 = 3 << 18,
    ABSENT_PORT = 0xea,
};

static volatile uint32_t watched;
static volatile unsigned hits;
static volatile uintptr_t hit_ip;
static volatile unsigned long hit_status;

#define DR_ACCESSORS(n)                                                                            \
    static unsigned long read_dr##n(void)                                                          \
    {                                                                                              \
        unsigned long value;                                                                       \
        asm volatile("mov %%dr" #n ", %0" : "=r"(value) : : "memory");                             \
        return value;                                                                              \
    }                                                                                              \
    static void write_dr##n(unsigned long value)                                                   \
    {                                                                                              \
        asm volatile("mov %0, %%dr" #n : : "r"(value) : "memory");                                 \
    }

DR_ACCESSORS(0)
DR_ACCESSORS(3)
DR_ACCESSORS(6)
DR_ACCESSORS(7)

static void on_debug(struct trap_frame *frame)
{
    hits++;
    hit_ip = frame->ip;
    hit_status = read_dr6();
    frame->flags |= FLAGS_RF;
    write_dr6(DR6_INIT);
}

static void arm(uintptr_t address, unsigned long control)
{
    hits = 0;
    write_dr6(DR6_INIT);
    write_dr0(address);
    write_dr7(DR7_FIXED | DR7_L0 | control);
}

static void disarm(void)
{
    write_dr7(DR7_FIXED);
}

static void values(void)
{
    write_dr0(0xffff800012345678);
    write_dr3(0x123456789abc);
    cpuid(0, 0);
    is_u64(read_dr0(), 0xffff800012345678, "DR0 keeps its value over an exit");
    is_u64(read_dr3(), 0x123456789abc, "DR3 keeps its value over an exit");
    write_dr6(DR6_INIT | DR6_B0);
    cpuid(0, 0);
    is_u64(read_dr6(), DR6_INIT | DR6_B0, "DR6 keeps its value over an exit");
    write_dr6(DR6_INIT);
    write_dr7(DR7_FIXED | DR7_WRITE0 | DR7_LEN4);
    cpuid(0, 0);
    is_u64(read_dr7(), DR7_FIXED | DR7_WRITE0 | DR7_LEN4, "DR7 keeps its value over an exit");
    write_dr7(DR7_FIXED);
    is_fault(TRY("mov %0, %%dr7", : : "r"(1ul << 32)), GP, 0, "DR7: bit 32");
    is_fault(TRY("mov %0, %%dr6", : : "r"(1ul << 32)), GP, 0, "DR6: bit 32");
}

static void breakpoints(void)
{
    uintptr_t behind, at;
    arm((uintptr_t)&watched, DR7_WRITE0 | DR7_LEN4);
    asm volatile("lea 1f(%%rip), %0; movl $1, %1; 1:" : "=&r"(behind), "=m"(watched));
    is_u64(hits, 1, "a data breakpoint hits");
    is_u64(hit_ip, behind, "behind the store");
    is_u64(hit_status & 0xf, DR6_B0, "DR6 names it");
    asm volatile("lea 1f(%%rip), %0" : "=r"(at));
    arm(at, 0);
    asm volatile("1: cpuid" : : "a"(0), "c"(0) : "ebx", "edx", "memory");
    is_u64(hits, 1, "an instruction breakpoint on CPUID hits once");
    is_u64(hit_ip, at, "before CPUID");
    disarm();
}

static void port_breakpoint(void)
{
    uintptr_t behind;
    write_cr4(read_cr4() | CR4_DE);
    arm(ABSENT_PORT, DR7_IO0);
    asm volatile("lea 1f(%%rip), %0; inb %%dx, %%al; 1:"
                 : "=&r"(behind)
                 : "d"(ABSENT_PORT)
                 : "eax", "memory");
    is_u64(hits, 1, "a port breakpoint hits although the access leaves the guest");
    is_u64(hit_ip, behind, "behind the access");
    disarm();
    write_cr4(read_cr4() & ~(unsigned long)CR4_DE);
}

/* MOV SS delays the data breakpoint it hits until after the next instruction. */
static void stack_switch_delays(const char *name, bool leaves_guest)
{
    static uint16_t selector;
    uintptr_t behind;
    selector = SEL_DATA;
    arm((uintptr_t)&selector, 3 << 16 | 1 << 18);
    if (leaves_guest)
        asm volatile("lea 1f(%%rip), %0; movw %1, %%ss; cpuid; 1:"
                     : "=&S"(behind)
                     : "m"(selector), "a"(0), "c"(0)
                     : "ebx", "edx", "memory");
    else
        asm volatile("lea 1f(%%rip), %0; movw %1, %%ss; nop; 1:"
                     : "=&S"(behind)
                     : "m"(selector)
                     : "memory");
    is_u64(hits, 1, "MOV SS from a watched word, then %s: hits", name);
    is_u64(hit_ip, behind, "behind %s", name);
    disarm();
}

static void general_detect(void)
{
    hits = 0;
    write_dr7(DR7_FIXED | DR7_GD);
    struct fault fault;
    set_handler(DB, NULL);
    fault = TRY("mov %%dr0, %%rax", : : : "rax");
    unsigned long status = read_dr6();
    set_handler(DB, on_debug);
    is_fault(fault, DB, 0, "reading DR0 with DR7.GD set");
    is_u64(status & DR6_BD, DR6_BD, "DR6 says so");
    is_u64(read_dr7() & DR7_GD, 0, "the processor cleared DR7.GD");
    write_dr6(DR6_INIT);
}

static void on_first_debug(struct trap_frame *frame)
{
    on_debug(frame);
    frame->flags &= ~(unsigned long)FLAGS_TF;
}

/* MOV SS is not followed by a single step, and the access that DR7.GD stops is none. */
static void general_detect_in_steps(void)
{
    uintptr_t at;
    set_handler(DB, on_first_debug);
    hits = 0;
    write_dr7(DR7_FIXED | DR7_GD);
    asm volatile("lea 1f(%%rip), %0; mov %%ss, %%ecx; pushf; orl $0x100, (%%rsp); popf;"
                 "mov %%ecx, %%ss; 1: mov %%dr0, %%rax"
                 : "=&S"(at)
                 :
                 : "rax", "rcx", "cc", "memory");
    is_u64(hits, 1, "MOV SS and reading DR0 with TF and DR7.GD set: one #DB");
    is_u64(hit_ip, at, "before the second");
    is_u64(hit_status, DR6_INIT | DR6_BD, "DR6 tells of no step");
    set_handler(DB, on_debug);
}

static void extension_off(void)
{
    write_cr4(read_cr4() | CR4_DE);
    is_fault(TRY("mov %%db4, %%rax", : : : "rax"), UD, 0, "DR4 with CR4.DE set");
    write_cr4(read_cr4() & ~(unsigned long)CR4_DE);
    is_no_fault(TRY("mov %%db4, %%rax", : : : "rax"), "DR4 is DR6 with CR4.DE clear");
}

void test_main(void)
{
    set_handler(DB, on_debug);
    values();
    breakpoints();
    port_breakpoint();
    stack_switch_delays("NOP", false);
    stack_switch_delays("CPUID", true);
    general_detect();
    general_detect_in_steps();
    extension_off();
}
