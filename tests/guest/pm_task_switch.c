/* SPDX-License-Identifier: BSD-2-Clause */
// variant: intercepted intercept_exceptions=on
/* Hardware task switches by CALL, JMP, IRET, and task gates for software, exceptions, interrupts
   and NMIs. SDM Vol 3A, "Task Management". */
#include "tests/guest/guest.h"

enum {
    TASK = SEL_SPARE,
    GATE = SEL_SPARE + 8,
    ABSENT = SEL_SPARE + 16,
    SHORT = SEL_SPARE + 24,
    DESCRIPTOR_BUSY = 1 << 1, /* in the type field */
    TSS_AVAILABLE = 0x89,
    TSS_ABSENT = 0x09,
    TASK_GATE = 0x85,
    TSS_LIMIT = 103,
    SOFT_VECTOR = 0x60,
    VECTOR = 0x61,
    FLAGS_FIXED = 2,
    STACK_MARK = 0x600d,
    EAX_MARK = 0x11223344,
    EDI_MARK = 0x55667788,
    DR6_BT = 1 << 15,
};

struct task_state {
    uint32_t link, esp0, ss0, esp1, ss1, esp2, ss2, cr3, eip, eflags;
    uint32_t eax, ecx, edx, ebx, esp, ebp, esi, edi;
    uint32_t es, cs, ss, ds, fs, gs, ldt;
    uint16_t trap, io_map;
};

_Static_assert(sizeof(struct task_state) == TSS_LIMIT + 1, "layout of a 32-bit TSS");

extern struct task_state tss;
extern char task_entry[], task_entry_jump[];
extern volatile uint32_t task_eax, task_edi, task_flags, task_tr, task_cr0, task_top;

void on_task(void);

static struct task_state task;
static uint32_t stack[1024];
static volatile unsigned runs;
static volatile bool skip_instruction, is_interrupt;

/* Called in the second task. */
void on_task(void)
{
    runs++;
    if (skip_instruction)
        tss.eip += 2;
    if (is_interrupt)
        lapic_eoi();
}

static uint64_t descriptor(const void *base, uint32_t limit, unsigned type)
{
    uint64_t address = (uintptr_t)base;
    return limit | (address & 0xffffff) << 16 | (uint64_t)type << 40 | (address >> 24) << 56;
}

static unsigned type_of(unsigned selector)
{
    return gdt[selector / 8] >> 40 & 0xf;
}

static void prepare(const char *entry)
{
    task = (struct task_state){
        .eip = (uintptr_t)entry,
        .eflags = FLAGS_FIXED,
        .eax = EAX_MARK,
        .edi = EDI_MARK,
        .esp = (uintptr_t)&stack[1000],
        .es = SEL_DATA,
        .cs = SEL_CODE,
        .ss = SEL_DATA,
        .ds = SEL_DATA,
        .fs = SEL_DATA,
        .gs = SEL_DATA,
        .io_map = TSS_LIMIT + 1,
    };
    stack[1000] = STACK_MARK;
    gdt[TASK / 8] = descriptor(&task, TSS_LIMIT, TSS_AVAILABLE);
    gdt[GATE / 8] = (uint64_t)TASK << 16 | (uint64_t)TASK_GATE << 40;
    runs = 0;
    skip_instruction = is_interrupt = false;
    asm volatile("clts");
}

static uint16_t task_register(void)
{
    uint16_t selector;
    asm volatile("str %0" : "=r"(selector));
    return selector;
}

static void nested_switch(const char *name)
{
    is_u64(runs, 1, "%s: the task ran once", name);
    is_u64(task_tr & 0xffff, TASK, "%s: TR was its TSS", name);
    is_u64(task_flags & FLAGS_NT, FLAGS_NT, "%s: NT was set", name);
    is_u64(task.link & 0xffff, SEL_TSS, "%s: its link was the old TSS", name);
    is_u64(task_cr0 & CR0_TS, CR0_TS, "%s: CR0.TS was set", name);
    is_u64(task_eax, EAX_MARK, "%s: EAX came from its TSS", name);
    is_u64(task_edi, EDI_MARK, "%s: EDI came from its TSS", name);
    is_u64(task_register(), SEL_TSS, "%s: TR is the old TSS again", name);
    is_u64(read_flags() & FLAGS_NT, 0, "%s: NT is clear again", name);
    is_u64(type_of(TASK) & DESCRIPTOR_BUSY, 0, "%s: its TSS is no longer busy", name);
    is_u64(type_of(SEL_TSS) & DESCRIPTOR_BUSY, DESCRIPTOR_BUSY, "%s: the old one is", name);
    is_u64(read_cr0() & CR0_TS, CR0_TS, "%s: CR0.TS is set after the way back", name);
}

/* The registers of this task must survive in its TSS. */
static void call_and_return(void)
{
    uint32_t a = 0xa1, b = 0xb2, c = 0xc3, d = 0xd4, S = 0xe5, D = 0xf6;
    prepare(task_entry);
    asm volatile("lcall %6, $0"
                 : "+a"(a), "+b"(b), "+c"(c), "+d"(d), "+S"(S), "+D"(D)
                 : "i"(TASK)
                 : "memory", "cc");
    nested_switch("CALL");
    ok(a == 0xa1 && b == 0xb2 && c == 0xc3 && d == 0xd4 && S == 0xe5 && D == 0xf6,
       "CALL: the caller's registers are intact");
    is_u64(task_top, STACK_MARK, "CALL: nothing was pushed");
    asm volatile("lcall %0, $0" : : "i"(TASK) : "memory", "cc");
    is_u64(runs, 2, "CALL again: the task goes on behind its IRET");
}

static void jump(void)
{
    prepare(task_entry_jump);
    asm volatile("ljmp %0, $0" : : "i"(TASK) : "memory", "cc");
    is_u64(runs, 1, "JMP: the task ran once");
    is_u64(task_flags & FLAGS_NT, 0, "JMP: NT was clear");
    is_u64(task.link, 0, "JMP: no link was stored");
    is_u64(task_register(), SEL_TSS, "JMP back: TR is the old TSS");
    is_u64(type_of(TASK) & DESCRIPTOR_BUSY, 0, "JMP back: the other TSS is not busy");
}

static void gates(void)
{
    uint64_t old = idt[SOFT_VECTOR];
    prepare(task_entry);
    asm volatile("lcall %0, $0" : : "i"(GATE) : "memory", "cc");
    nested_switch("CALL through a gate");

    prepare(task_entry);
    idt[SOFT_VECTOR] = gdt[GATE / 8];
    asm volatile("int %0" : : "i"(SOFT_VECTOR) : "memory", "cc");
    idt[SOFT_VECTOR] = old;
    nested_switch("INT n");
    is_u64(task_top, STACK_MARK, "INT n: nothing was pushed");
}

static void exceptions(void)
{
    uint64_t old = idt[UD];
    prepare(task_entry);
    idt[UD] = gdt[GATE / 8];
    skip_instruction = true;
    asm volatile("ud2" : : : "memory", "cc");
    idt[UD] = old;
    nested_switch("#UD");
    is_u64(task_top, STACK_MARK, "#UD: no error code was pushed");

    old = idt[GP];
    prepare(task_entry);
    idt[GP] = gdt[GATE / 8];
    skip_instruction = true;
    asm volatile("mov %0, %%fs" : : "r"(0x1000) : "memory", "cc");
    idt[GP] = old;
    nested_switch("#GP");
    is_u64(task_top, 0x1000, "#GP: the error code was pushed");
}

static void interrupts(void)
{
    uint64_t old = idt[VECTOR];
    lapic_enable();
    prepare(task_entry);
    idt[VECTOR] = gdt[GATE / 8];
    is_interrupt = true;
    self_ipi(VECTOR);
    sti_nop();
    cli();
    nested_switch("an external interrupt");
    is_u64(task_flags & FLAGS_IF, 0, "an external interrupt: IF came from the task's TSS");
    idt[VECTOR] = old;

    old = idt[NMI];
    prepare(task_entry);
    idt[NMI] = gdt[GATE / 8];
    self_ipi(ICR_NMI);
    for (unsigned i = 0; i < 10; i++)
        cpuid(0, 0);
    idt[NMI] = old;
    nested_switch("an NMI");
}

static void refused(void)
{
    prepare(task_entry);
    gdt[ABSENT / 8] = descriptor(&task, TSS_LIMIT, TSS_ABSENT);
    gdt[SHORT / 8] = descriptor(&task, TSS_LIMIT - 1, TSS_AVAILABLE);
    is_fault(TRY("ljmp %0, $0", : : "i"(ABSENT) : "memory"), NP, ABSENT, "JMP to an absent TSS");
    is_fault(TRY("ljmp %0, $0", : : "i"(SHORT) : "memory"), TS, SHORT, "JMP to a short TSS");
    is_fault(TRY("ljmp %0, $0", : : "i"(SEL_TSS) : "memory"), GP, SEL_TSS, "JMP to a busy TSS");
    tss.link = TASK;
    is_fault(TRY("pushf; orl $0x4000, (%%esp); popf; iret",
                 :
                 :
                 : "memory", "cc"),
             TS, TASK, "IRET to a TSS that is not busy");
    asm volatile("pushf; andl $~0x4000, (%%esp); popf" : : : "memory", "cc");
    is_u64(runs, 0, "no task ran");
    is_u64(task_register(), SEL_TSS, "TR is unchanged");
}

static volatile unsigned long debug_status;

static void on_debug(struct trap_frame *frame)
{
    (void)frame;
    asm volatile("mov %%dr6, %0" : "=r"(debug_status));
    asm volatile("mov %0, %%dr6" : : "r"(0xffff0ff0));
}

static void debug_trap(void)
{
    set_handler(DB, on_debug);
    prepare(task_entry);
    task.trap = 1;
    asm volatile("lcall %0, $0" : : "i"(TASK) : "memory", "cc");
    is_u64(debug_status & DR6_BT, DR6_BT, "a TSS with the T flag raises #DB");
    is_u64(runs, 1, "and the task then runs");
}

void test_main(void)
{
    call_and_return();
    jump();
    gates();
    exceptions();
    interrupts();
    refused();
    debug_trap();
}
