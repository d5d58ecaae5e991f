/* SPDX-License-Identifier: BSD-2-Clause */
/* Per-CPU areas: made on the BSP, loaded by the CPU they are for. */
#include "core/cpu.h"

#include "core/assert.h"
#include "core/bits.h"
#include "core/exception.h"
#include "core/handover.h"
#include "core/memory.h"
#include "core/paging.h"
#include "core/x86.h"

enum {
    MAIN_STACK_SIZE = 0x8000,
    FAULT_STACK_SIZE = 0x4000,
};

/* SDM Vol 3A, "Segment Descriptors": accessed, so that loading one writes nothing. */
#define DESCRIPTOR_CODE64 0x00af9b000000ffffull
#define DESCRIPTOR_DATA   0x00cf93000000ffffull
#define DESCRIPTOR_TSS    0x0000890000000000ull

/* Entries 0-3 as after reset (WB, WT, UC-, UC); entry 4 is what memory_map_device() needs. */
#define PAT_VALUE (0x0007040000070406ull | (uint64_t)MEMORY_TYPE_WC << 32)

struct __attribute__((packed)) gdt_register {
    uint16_t limit;
    uint64_t base;
};

extern const char boot_stack[], boot_stack_top[]; /* core/entry.asm */

static struct cpu *cpus[HANDOVER_MAX_CPUS];
static uint32_t n_cpus;

uint32_t cpu_count(void)
{
    return __atomic_load_n(&n_cpus, __ATOMIC_ACQUIRE);
}

struct cpu *cpu_get(uint32_t index)
{
    ASSERT(index < cpu_count());
    return cpus[index];
}

static void fill_descriptors(struct cpu *cpu)
{
    uint64_t base = (vaddr_t)&cpu->tss;
    cpu->gdt[SELECTOR_CODE / 8] = DESCRIPTOR_CODE64;
    cpu->gdt[SELECTOR_DATA / 8] = DESCRIPTOR_DATA;
    cpu->gdt[SELECTOR_TSS / 8] = DESCRIPTOR_TSS | (sizeof(struct tss) - 1) |
                                 (base & MASK(23, 0)) << 16 | (base & MASK(31, 24)) << 32;
    cpu->gdt[SELECTOR_TSS / 8 + 1] = base >> 32;
}

static void fill_tss(struct cpu *cpu)
{
    for (int i = CPU_STACK_NMI; i < CPU_STACKS; i++) {
        cpu->tss.ist[2 * (i - 1)] = (uint32_t)cpu->stack_top[i];
        cpu->tss.ist[2 * (i - 1) + 1] = (uint32_t)(cpu->stack_top[i] >> 32);
    }
    cpu->tss.io_map_base = sizeof(struct tss);
}

static uint64_t stack_size(enum cpu_stack stack)
{
    return stack == CPU_STACK_MAIN ? MAIN_STACK_SIZE : FAULT_STACK_SIZE;
}

struct cpu *cpu_create(uint32_t apic_id)
{
    struct cpu *cpu = memory_alloc(sizeof(struct cpu), PAGE_SIZE);
    if (!cpu)
        return NULL;
    cpu->self = cpu;
    cpu->apic_id = apic_id;
    for (int i = 0; i < CPU_STACKS; i++) {
        cpu->stack_top[i] = paging_map_stack(stack_size((enum cpu_stack)i));
        if (!cpu->stack_top[i])
            return NULL;
    }
    fill_descriptors(cpu);
    fill_tss(cpu);
    return cpu;
}

static void load_segments(const struct cpu *cpu)
{
    struct gdt_register gdtr = {sizeof(cpu->gdt) - 1, (vaddr_t)cpu->gdt};
    __asm__ volatile("lgdt %0\n"
                     "pushq %1\n"
                     "leaq 1f(%%rip), %%rax\n"
                     "pushq %%rax\n"
                     "lretq\n"
                     "1: movl %2, %%eax\n"
                     "movw %%ax, %%ds\n"
                     "movw %%ax, %%es\n"
                     "movw %%ax, %%ss\n"
                     "xorl %%eax, %%eax\n"
                     "movw %%ax, %%fs\n"
                     "movw %%ax, %%gs\n"
                     "movl %3, %%eax\n"
                     "ltr %%ax"
                     :
                     : "m"(gdtr), "i"(SELECTOR_CODE), "i"(SELECTOR_DATA), "i"(SELECTOR_TSS)
                     : "rax", "memory");
}

static void load_control_registers(void)
{
    struct cpuid basic = cpuid_checked(1, 0);
    struct cpuid extended = cpuid_checked(7, 0);
    uint64_t cr4 = CR4_PAE | CR4_PGE | CR4_MCE | CR4_OSFXSR | CR4_OSXMMEXCPT;
    if (basic.ecx & CPUID_1_ECX_XSAVE)
        cr4 |= CR4_OSXSAVE;
    if (extended.ebx & CPUID_7_EBX_FSGSBASE)
        cr4 |= CR4_FSGSBASE;
    if (extended.ebx & CPUID_7_EBX_SMEP)
        cr4 |= CR4_SMEP;
    if (extended.ebx & CPUID_7_EBX_SMAP)
        cr4 |= CR4_SMAP;
    if (extended.ecx & CPUID_7_ECX_UMIP)
        cr4 |= CR4_UMIP;
    wrmsr(MSR_IA32_PAT, PAT_VALUE);
    wrmsr(MSR_IA32_EFER, EFER_LME | EFER_LMA | EFER_NXE);
    write_cr0(CR0_PE | CR0_MP | CR0_ET | CR0_NE | CR0_WP | CR0_PG);
    write_cr4(cr4); /* changing CR4.PGE also drops what the TLB cached under the old PAT */
}

void cpu_init(struct cpu *cpu)
{
    load_segments(cpu);
    wrmsr(MSR_IA32_GS_BASE, (vaddr_t)cpu);
    exception_init_cpu();
    load_control_registers();
}

void cpu_set_online(struct cpu *cpu)
{
    uint32_t index = n_cpus;
    ASSERT(index < ARRAY_SIZE(cpus));
    cpu->index = index;
    cpus[index] = cpu;
    __atomic_store_n(&n_cpus, index + 1, __ATOMIC_RELEASE);
}

static bool is_within(vaddr_t address, uint64_t size, vaddr_t bottom, vaddr_t top)
{
    return address >= bottom && address < top && size <= top - address;
}

bool cpu_on_stack(vaddr_t address, uint64_t size)
{
    if (is_within(address, size, (vaddr_t)boot_stack, (vaddr_t)boot_stack_top))
        return true;
    if (cpu_count() == 0)
        return false;
    for (int i = 0; i < CPU_STACKS; i++) {
        vaddr_t top = this_cpu()->stack_top[i];
        if (is_within(address, size, top - stack_size((enum cpu_stack)i), top))
            return true;
    }
    return false;
}

void cpu_wait(void)
{
    __asm__ volatile("sti\n"
                     "hlt\n"
                     "cli"
                     :
                     :
                     : "memory");
}

void cpu_take_interrupts(void)
{
    __asm__ volatile("sti\n\tnop\n\tcli" : : : "memory");
}
