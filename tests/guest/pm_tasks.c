/* SPDX-License-Identifier: BSD-2-Clause */
// variant: intercepted intercept_exceptions=on
/* Hardware task switches: JMP, CALL, IRET, task gates, 16-bit tasks, CR3, T flag and faults. */
#include "tests/guest/guest.h"

enum {
    SEL_TASK = SEL_SPARE,
    SEL_GATE_TASK = SEL_SPARE + 0x08,
    SEL_TASK16 = SEL_SPARE + 0x10,
    SEL_CODE_TASK16 = SEL_SPARE + 0x18,
    SEL_STACK_TASK16 = SEL_SPARE + 0x20,
    SEL_BAD = SEL_SPARE + 0x28,

    TYPE_TSS16 = 0x81,
    TYPE_TSS32 = 0x89,
    TYPE_TSS32_ABSENT = 0x09,
    TYPE_CODE = 0x9b,
    TYPE_DATA = 0x92, /* not accessed yet */
    TYPE_TASK_GATE = 0x85,
    BUSY = 2,
    ACCESSED = 1,
    GRANULAR_32 = 0xc,

    VECTOR_SOFTWARE = 0x50,
    DR6_BT = 1 << 15,
    DR7_L0_G1 = 0x401 | 1 << 3,
    DR7_G1 = 0x400 | 1 << 3,
    STACK_WORDS = 1024,
    LARGE_PAGE = 1 << 22,
};

struct tss32 {
    uint32_t link, stacks[6], cr3, eip, eflags;
    uint32_t eax, ecx, edx, ebx, esp, ebp, esi, edi;
    uint32_t es, cs, ss, ds, fs, gs, ldt;
    uint16_t trap, io_map;
};
_Static_assert(sizeof(struct tss32) == 104, "as the processor reads it");

struct tss16 {
    uint16_t link, stacks[6], ip, flags;
    uint16_t ax, cx, dx, bx, sp, bp, si, di;
    uint16_t es, cs, ss, ds, ldt;
};
_Static_assert(sizeof(struct tss16) == 44, "as the processor reads it");

extern struct tss32 tss; /* the first task's */
static volatile struct tss32 task_tss, gate_tss;
static struct tss16 task16_tss;
static uint32_t task_stack[STACK_WORDS], gate_stack[STACK_WORDS], task16_stack[STACK_WORDS];
static uint32_t directory_a[1024] __attribute__((aligned(4096)));
static uint32_t directory_b[1024] __attribute__((aligned(4096)));

/* What a task saw. */
static volatile struct {
    unsigned runs;
    uint32_t tr, flags, cr0, cr3, dr7, ebx;
    uint8_t own_type, main_type;
} seen;

extern const char gate_task_entry[], task16_entry[];
extern volatile uint32_t gate_error, gate_runs;
volatile uint32_t gate_error, gate_runs, gate_resume, task16_runs, task16_sp;

/* The gate's task stores the error code, makes the interrupted task go on at gate_resume, and
   returns. Without one (gate_resume is 0) it just returns. */
asm(".pushsection .text\n"
    "gate_task_entry:\n"
    "    incl gate_runs\n"
    "    movl gate_resume, %eax\n"
    "    testl %eax, %eax\n"
    "    jz 1f\n"
    "    popl gate_error\n"
    "    movl %eax, tss + 32\n"
    "1:  iret\n"
    "    jmp gate_task_entry\n"
    "task16_entry:\n"
    "    incl task16_runs\n"
    "    movl %esp, task16_sp\n"
    "    iret\n"
    "    jmp task16_entry\n"
    ".popsection\n");

static uint64_t descriptor(uintptr_t base, uint32_t limit, unsigned type, unsigned flags)
{
    return (limit & 0xffff) | (uint64_t)(base & 0xffffff) << 16 | (uint64_t)type << 40 |
           (uint64_t)(limit >> 16 & 0xf) << 48 | (uint64_t)flags << 52 |
           (uint64_t)(base >> 24) << 56;
}

static void set_descriptor(unsigned selector, uint64_t value)
{
    gdt[selector / 8] = value;
}

static uint8_t type_of(unsigned selector)
{
    return (uint8_t)(((volatile uint64_t *)gdt)[selector / 8] >> 40);
}

static uint32_t task_register(void)
{
    uint32_t tr;
    asm volatile("str %0" : "=r"(tr));
    return tr & 0xffff;
}

static uint32_t read_dr6(void)
{
    uint32_t value;
    asm volatile("mov %%dr6, %0" : "=r"(value));
    return value;
}

static uint32_t read_dr7(void)
{
    uint32_t value;
    asm volatile("mov %%dr7, %0" : "=r"(value));
    return value;
}

static void write_dr7(uint32_t value)
{
    asm volatile("mov %0, %%dr7" : : "r"(value));
}

static void look(void)
{
    uint32_t ebx;
    asm volatile("mov %%ebx, %0" : "=m"(ebx));
    seen.ebx = ebx;
    seen.runs++;
    seen.tr = task_register();
    seen.flags = read_flags();
    seen.cr0 = read_cr0();
    seen.cr3 = read_cr3();
    seen.dr7 = read_dr7();
    seen.own_type = type_of(SEL_TASK);
    seen.main_type = type_of(SEL_TSS);
    asm volatile("clts");
}

static _Noreturn void called_task(void)
{
    for (;;) {
        look();
        asm volatile("iret" : : : "memory");
    }
}

static _Noreturn void jumped_task(void)
{
    look();
    asm volatile("ljmp %0, $0" : : "i"(SEL_TSS) : "memory");
    __builtin_unreachable();
}

static void make_task(volatile struct tss32 *task, uintptr_t entry, uint32_t *stack)
{
    *task = (struct tss32){
        .eip = entry,
        .eflags = 2,
        .ebx = 0x12345678,
        .esp = (uintptr_t)(stack + STACK_WORDS),
        .cr3 = (uintptr_t)directory_b,
        .es = SEL_DATA,
        .cs = SEL_CODE,
        .ss = SEL_DATA,
        .ds = SEL_DATA,
        .fs = SEL_DATA,
        .gs = SEL_DATA,
        .io_map = sizeof(*task),
    };
}

static void make_test_task(void (*entry)(void))
{
    make_task(&task_tss, (uintptr_t)entry, task_stack);
    set_descriptor(SEL_TASK, descriptor((uintptr_t)&task_tss, sizeof(task_tss) - 1, TYPE_TSS32, 0));
    seen.runs = 0;
}

static void call_test_task(void)
{
    asm volatile("lcall %0, $0" : : "i"(SEL_TASK) : "memory");
}

static void test_call(void)
{
    make_test_task(called_task);
    write_dr7(DR7_L0_G1);
    uint32_t edi = 0xd1d1d1d1;
    asm volatile("lcall %1, $0" : "+D"(edi) : "i"(SEL_TASK) : "memory");
    is_u64(seen.runs, 1, "CALL runs the task");
    is_u64(edi, 0xd1d1d1d1, "IRET brings the registers back");
    is_u64(seen.tr, SEL_TASK, "TR selects the new task");
    is_u64(seen.flags & FLAGS_NT, FLAGS_NT, "NT is set in a nested task");
    is_u64(task_tss.link, SEL_TSS, "the link leads back");
    is_u64(seen.cr0 & CR0_TS, CR0_TS, "CR0.TS is set");
    is_u64(seen.dr7 & DR7_L0_G1, DR7_G1, "local breakpoints are off, global ones on");
    is_u64(seen.main_type, TYPE_TSS32 | BUSY, "the old task stays busy");
    is_u64(seen.own_type, TYPE_TSS32 | BUSY, "the new task is busy");
    is_u64(type_of(SEL_TASK), TYPE_TSS32, "IRET frees the task");
    is_u64(task_register(), SEL_TSS, "TR selects the first task again");
    is_u64(task_tss.eflags & FLAGS_NT, 0, "IRET saves NT as 0");
    is_u64(read_flags() & FLAGS_NT, 0, "NT is clear behind it");
    write_dr7(0x400);
    call_test_task();
    is_u64(seen.runs, 2, "the task goes on behind its IRET");
}

static void test_jmp(void)
{
    make_test_task(jumped_task);
    asm volatile("ljmp %0, $0" : : "i"(SEL_TASK) : "memory");
    is_u64(seen.runs, 1, "JMP runs the task, and the JMP back ends it");
    is_u64(seen.flags & FLAGS_NT, 0, "NT is clear in it");
    is_u64(task_tss.link, 0, "no link is stored");
    is_u64(seen.main_type, TYPE_TSS32, "JMP frees the old task");
    is_u64(type_of(SEL_TSS), TYPE_TSS32 | BUSY, "JMP back makes it busy");
    is_u64(type_of(SEL_TASK), TYPE_TSS32, "and frees the other one");
}

static void test_gate(void)
{
    make_task(&gate_tss, (uintptr_t)gate_task_entry, gate_stack);
    set_descriptor(SEL_GATE_TASK,
                   descriptor((uintptr_t)&gate_tss, sizeof(gate_tss) - 1, TYPE_TSS32, 0));
    uint64_t old_gate = idt[GP];
    set_gate(GP, 0, SEL_GATE_TASK, TYPE_TASK_GATE, 0);
    set_gate(VECTOR_SOFTWARE, 0, SEL_GATE_TASK, TYPE_TASK_GATE, 0);

    gate_resume = 0;
    asm volatile("int %0" : : "i"(VECTOR_SOFTWARE) : "memory");
    is_u64(gate_runs, 1, "INT runs a gate's task");

    uint32_t fault_ip, saved_ip;
    asm volatile("movl $1f, gate_resume\n"
                 "movl $2f, %0\n"
                 "2: movl %2, %%fs\n"
                 "1: movl tss + 32, %1\n"
                 : "=&r"(fault_ip), "=&r"(saved_ip)
                 : "r"(0x1230)
                 : "memory");
    is_u64(gate_runs, 2, "an exception runs a gate's task");
    is_u64(gate_error, 0x1230, "the error code is on its stack");
    is_u64(gate_tss.esp, (uintptr_t)(gate_stack + STACK_WORDS), "and is all that is");
    is_u64(tss.eflags & FLAGS_RF, FLAGS_RF, "RF is saved for the fault");
    idt[GP] = old_gate;
}

static void test_task16(void)
{
    task16_tss = (struct tss16){
        .flags = 2,
        .sp = sizeof(task16_stack),
        .es = SEL_DATA,
        .cs = SEL_CODE_TASK16,
        .ss = SEL_STACK_TASK16,
        .ds = SEL_DATA,
    };
    set_descriptor(SEL_TASK16,
                   descriptor((uintptr_t)&task16_tss, sizeof(task16_tss) - 1, TYPE_TSS16, 0));
    set_descriptor(SEL_CODE_TASK16,
                   descriptor((uintptr_t)task16_entry, 0xfffff, TYPE_CODE, GRANULAR_32));
    set_descriptor(SEL_STACK_TASK16,
                   descriptor((uintptr_t)task16_stack, sizeof(task16_stack) - 1, TYPE_DATA, 0));
    asm volatile("lcall %0, $0" : : "i"(SEL_TASK16) : "memory");
    is_u64(task16_runs, 1, "CALL runs a 16-bit task");
    is_u64(task16_sp & 0xffff, sizeof(task16_stack), "with its SP");
    is_u64(task16_tss.link, SEL_TSS, "its link leads back");
    is_u64(type_of(SEL_STACK_TASK16), TYPE_DATA | ACCESSED, "its stack was marked accessed");
    is_u64(type_of(SEL_TASK16), TYPE_TSS16, "IRET frees it");
    is_u64(task16_tss.di | task16_tss.bp, 0, "nothing is stored beside its slots");
}

static volatile struct {
    unsigned count;
    uint32_t error, ip, tr, dr6;
} trapped;

static void remember(struct trap_frame *frame)
{
    trapped.count++;
    trapped.error = frame->error;
    trapped.ip = frame->ip;
    trapped.tr = task_register();
    trapped.dr6 = read_dr6();
}

static void test_trap_flag(void)
{
    make_test_task(called_task);
    task_tss.trap = 1;
    trapped.count = 0;
    set_handler(DB, remember);
    call_test_task();
    set_handler(DB, NULL);
    is_u64(trapped.count, 1, "the T flag traps once");
    is_u64(trapped.ip, (uintptr_t)called_task, "before the first instruction");
    is_u64(trapped.dr6 & DR6_BT, DR6_BT, "DR6.BT says why");
    is_u64(seen.runs, 1, "and the task runs");
}

/* GS is loaded last, so that the handler can work. */
static void fault_in_new_task(unsigned vector, uint16_t gs, const char *name)
{
    make_test_task(called_task);
    task_tss.gs = gs;
    trapped.count = 0;
    set_handler(vector, remember);
    call_test_task();
    set_handler(vector, NULL);
    is_u64(trapped.count, 1, "%s raises exception %u", name, vector);
    is_u64(trapped.error, gs, "with its selector");
    is_u64(trapped.tr, SEL_TASK, "in the new task");
    is_u64(trapped.ip, (uintptr_t)called_task, "at its first instruction");
    is_u64(seen.runs, 1, "which then runs");
}

static void test_faults(void)
{
    is_fault(TRY("ljmp $0x40, $0", : : : "memory"), GP, SEL_TSS, "JMP to a busy task");
    set_descriptor(SEL_BAD, descriptor((uintptr_t)&task_tss, 103, TYPE_TSS32_ABSENT, 0));
    is_fault(TRY("lcall $0x78, $0", : : : "memory"), NP, SEL_BAD, "CALL of an absent task");
    set_descriptor(SEL_BAD, descriptor((uintptr_t)&task_tss, 102, TYPE_TSS32, 0));
    is_fault(TRY("lcall $0x78, $0", : : : "memory"), TS, SEL_BAD, "CALL of a short TSS");
    is_u64(task_register(), SEL_TSS, "they leave the old task running");

    fault_in_new_task(TS, 0x1230, "a selector outside the GDT");
    fault_in_new_task(TS, SEL_TSS, "a system segment in GS");
    set_descriptor(SEL_BAD, descriptor(0, 0, TYPE_DATA & ~0x80u, 0));
    fault_in_new_task(NP, SEL_BAD, "an absent segment in GS");
}

static void test_cr3(void)
{
    for (unsigned i = 0; i < 1024; i++)
        directory_a[i] = directory_b[i] =
            i * (uint32_t)LARGE_PAGE | PAGE_PRESENT | PAGE_WRITE | PAGE_LARGE;
    write_cr4(read_cr4() | CR4_PSE);
    write_cr3((uintptr_t)directory_a);
    write_cr0(read_cr0() | CR0_PG);
    tss.cr3 = (uintptr_t)directory_a;
    make_test_task(called_task);
    call_test_task();
    is_u64(seen.cr3, (uintptr_t)directory_b, "with paging a task has its CR3");
    is_u64(read_cr3(), (uintptr_t)directory_a, "and IRET brings the old one back");
}

void test_main(void)
{
    _Static_assert(SEL_BAD == 0x78 && SEL_TSS == 0x40, "the selectors in the assembly");
    test_call();
    test_jmp();
    test_gate();
    test_task16();
    test_trap_flag();
    test_faults();
    test_cr3();
}
