/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The processor's registers, bits and instructions, under the names of the SDM.
 * Constants are usable everywhere; the instructions only where the privilege level allows them.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "core/bits.h"

#define PAGE_SHIFT   12
#define PAGE_SIZE    0x1000ull
#define PAGE_SIZE_2M 0x200000ull
#define PAGE_SIZE_1G 0x40000000ull

/* SDM Vol 3A, "Control Registers". */
#define CR0_PE BIT(0)
#define CR0_MP BIT(1)
#define CR0_EM BIT(2)
#define CR0_TS BIT(3)
#define CR0_ET BIT(4)
#define CR0_NE BIT(5)
#define CR0_WP BIT(16)
#define CR0_AM BIT(18)
#define CR0_NW BIT(29)
#define CR0_CD BIT(30)
#define CR0_PG BIT(31)

#define CR4_VME        BIT(0)
#define CR4_PVI        BIT(1)
#define CR4_TSD        BIT(2)
#define CR4_DE         BIT(3)
#define CR4_PSE        BIT(4)
#define CR4_PAE        BIT(5)
#define CR4_MCE        BIT(6)
#define CR4_PGE        BIT(7)
#define CR4_PCE        BIT(8)
#define CR4_OSFXSR     BIT(9)
#define CR4_OSXMMEXCPT BIT(10)
#define CR4_UMIP       BIT(11)
#define CR4_LA57       BIT(12)
#define CR4_VMXE       BIT(13)
#define CR4_SMXE       BIT(14)
#define CR4_FSGSBASE   BIT(16)
#define CR4_PCIDE      BIT(17)
#define CR4_OSXSAVE    BIT(18)
#define CR4_SMEP       BIT(20)
#define CR4_SMAP       BIT(21)

#define XCR0_X87 BIT(0)
#define XCR0_SSE BIT(1)
#define XCR0_AVX BIT(2)

#define RFLAGS_ONE BIT(1) /* always set */
#define RFLAGS_TF  BIT(8)
#define RFLAGS_IF  BIT(9)
#define RFLAGS_DF  BIT(10)
#define RFLAGS_NT  BIT(14)
#define RFLAGS_RF  BIT(16)
#define RFLAGS_VM  BIT(17)
#define RFLAGS_AC  BIT(18)

#define EFER_SCE BIT(0)
#define EFER_LME BIT(8)
#define EFER_LMA BIT(10)
#define EFER_NXE BIT(11)

/* Paging-structure entries. PTE_PAT is bit 7 in a 4 KiB entry, where larger ones have PTE_LARGE. */
#define PTE_P       BIT(0)
#define PTE_RW      BIT(1)
#define PTE_US      BIT(2)
#define PTE_PWT     BIT(3)
#define PTE_PCD     BIT(4)
#define PTE_A       BIT(5)
#define PTE_D       BIT(6)
#define PTE_LARGE   BIT(7)
#define PTE_PAT     BIT(7)
#define PTE_G       BIT(8)
#define PTE_NX      BIT(63)
#define PTE_ADDRESS MASK(51, 12)

/* SDM Vol 3A, "Memory Cache Control": encodings shared by MTRRs, PAT and EPT. */
enum memory_type {
    MEMORY_TYPE_UC = 0,
    MEMORY_TYPE_WC = 1,
    MEMORY_TYPE_WT = 4,
    MEMORY_TYPE_WP = 5,
    MEMORY_TYPE_WB = 6,
    MEMORY_TYPE_UC_MINUS = 7, /* PAT only */
};

/* SDM Vol 3A, "Interrupt and Exception Handling". */
enum exception_vector {
    EXCEPTION_DE = 0,
    EXCEPTION_DB = 1,
    EXCEPTION_NMI = 2,
    EXCEPTION_BP = 3,
    EXCEPTION_UD = 6,
    EXCEPTION_NM = 7,
    EXCEPTION_DF = 8,
    EXCEPTION_TS = 10,
    EXCEPTION_NP = 11,
    EXCEPTION_SS = 12,
    EXCEPTION_GP = 13,
    EXCEPTION_PF = 14,
    EXCEPTION_AC = 17,
    EXCEPTION_MC = 18,
    EXCEPTION_CP = 21,
};

/* SDM Vol 4, "Model-Specific Registers". */
enum msr {
    MSR_IA32_TSC = 0x10,
    MSR_IA32_PLATFORM_ID = 0x17,
    MSR_IA32_APIC_BASE = 0x1b,
    MSR_IA32_FEATURE_CONTROL = 0x3a,
    MSR_IA32_TSC_ADJUST = 0x3b,
    MSR_IA32_SPEC_CTRL = 0x48,
    MSR_IA32_PRED_CMD = 0x49,
    MSR_IA32_BIOS_SIGN_ID = 0x8b,
    MSR_IA32_MTRRCAP = 0xfe,
    MSR_IA32_ARCH_CAPABILITIES = 0x10a,
    MSR_IA32_SYSENTER_CS = 0x174,
    MSR_IA32_SYSENTER_ESP = 0x175,
    MSR_IA32_SYSENTER_EIP = 0x176,
    MSR_IA32_MCG_CAP = 0x179,
    MSR_IA32_MCG_STATUS = 0x17a,
    MSR_IA32_MISC_ENABLE = 0x1a0,
    MSR_IA32_DEBUGCTL = 0x1d9,
    MSR_IA32_MTRR_PHYSBASE0 = 0x200,
    MSR_IA32_MTRR_PHYSMASK0 = 0x201,
    MSR_IA32_MTRR_FIX64K_00000 = 0x250,
    MSR_IA32_MTRR_FIX16K_80000 = 0x258,
    MSR_IA32_MTRR_FIX16K_A0000 = 0x259,
    MSR_IA32_MTRR_FIX4K_C0000 = 0x268,
    MSR_IA32_MTRR_FIX4K_F8000 = 0x26f,
    MSR_IA32_PAT = 0x277,
    MSR_IA32_MTRR_DEF_TYPE = 0x2ff,
    MSR_IA32_VMX_BASIC = 0x480,
    MSR_IA32_VMX_PINBASED_CTLS = 0x481,
    MSR_IA32_VMX_PROCBASED_CTLS = 0x482,
    MSR_IA32_VMX_EXIT_CTLS = 0x483,
    MSR_IA32_VMX_ENTRY_CTLS = 0x484,
    MSR_IA32_VMX_MISC = 0x485,
    MSR_IA32_VMX_CR0_FIXED0 = 0x486,
    MSR_IA32_VMX_CR0_FIXED1 = 0x487,
    MSR_IA32_VMX_CR4_FIXED0 = 0x488,
    MSR_IA32_VMX_CR4_FIXED1 = 0x489,
    MSR_IA32_VMX_PROCBASED_CTLS2 = 0x48b,
    MSR_IA32_VMX_EPT_VPID_CAP = 0x48c,
    MSR_IA32_VMX_TRUE_PINBASED_CTLS = 0x48d,
    MSR_IA32_VMX_TRUE_PROCBASED_CTLS = 0x48e,
    MSR_IA32_VMX_TRUE_EXIT_CTLS = 0x48f,
    MSR_IA32_VMX_TRUE_ENTRY_CTLS = 0x490,
    MSR_IA32_VMX_PROCBASED_CTLS3 = 0x492,
    MSR_IA32_TSC_DEADLINE = 0x6e0,
    MSR_IA32_X2APIC_FIRST = 0x800,
    MSR_IA32_XSS = 0xda0,
};

/* These do not fit an int, which is what an enumerator of gnu11 is. */
#define MSR_IA32_EFER           0xc0000080u
#define MSR_IA32_STAR           0xc0000081u
#define MSR_IA32_LSTAR          0xc0000082u
#define MSR_IA32_CSTAR          0xc0000083u
#define MSR_IA32_FMASK          0xc0000084u
#define MSR_IA32_FS_BASE        0xc0000100u
#define MSR_IA32_GS_BASE        0xc0000101u
#define MSR_IA32_KERNEL_GS_BASE 0xc0000102u
#define MSR_IA32_TSC_AUX        0xc0000103u

#define FEATURE_CONTROL_LOCK        BIT(0)
#define FEATURE_CONTROL_VMX_OUT_SMX BIT(2)

#define SPEC_CTRL_IBRS      BIT(0)
#define SPEC_CTRL_STIBP     BIT(1)
#define SPEC_CTRL_BHI_DIS_S BIT(10)
#define PRED_CMD_IBPB       BIT(0)

#define IA32_APIC_BASE_BSP     BIT(8)
#define IA32_APIC_BASE_X2APIC  BIT(10)
#define IA32_APIC_BASE_ENABLE  BIT(11)
#define IA32_APIC_BASE_ADDRESS MASK(51, 12)

/* CPUID bits: leaf, register, bit. */
#define CPUID_1_ECX_VMX            BIT(5)
#define CPUID_1_ECX_X2APIC         BIT(21)
#define CPUID_1_ECX_TSC_DEADLINE   BIT(24)
#define CPUID_1_ECX_XSAVE          BIT(26)
#define CPUID_7_EBX_FSGSBASE       BIT(0)
#define CPUID_7_EBX_SMEP           BIT(7)
#define CPUID_7_EBX_SMAP           BIT(20)
#define CPUID_7_ECX_UMIP           BIT(2)
#define CPUID_80000001_EDX_NX      BIT(20)
#define CPUID_80000001_EDX_PAGE_1G BIT(26)

struct cpuid {
    uint32_t eax, ebx, ecx, edx;
};

static inline struct cpuid cpuid(uint32_t leaf, uint32_t subleaf)
{
    struct cpuid r;
    __asm__ volatile("cpuid"
                     : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx)
                     : "a"(leaf), "c"(subleaf));
    return r;
}

/* Zeros where the leaf is beyond the highest basic or extended one. */
static inline struct cpuid cpuid_checked(uint32_t leaf, uint32_t subleaf)
{
    if (cpuid(leaf & 0x80000000u, 0).eax < leaf)
        return (struct cpuid){0};
    return cpuid(leaf, subleaf);
}

static inline uint64_t rdmsr(uint32_t index)
{
    uint32_t low, high;
    __asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(index) : "memory");
    return (uint64_t)high << 32 | low;
}

static inline void wrmsr(uint32_t index, uint64_t value)
{
    __asm__ volatile("wrmsr"
                     :
                     : "c"(index), "a"((uint32_t)value), "d"((uint32_t)(value >> 32))
                     : "memory");
}

#define X86_CONTROL_REGISTER(name, number)                                                         \
    static inline uint64_t read_##name(void)                                                       \
    {                                                                                              \
        uint64_t value;                                                                            \
        __asm__ volatile("mov %%" number ", %0" : "=r"(value) : : "memory");                       \
        return value;                                                                              \
    }                                                                                              \
    static inline void write_##name(uint64_t value)                                                \
    {                                                                                              \
        __asm__ volatile("mov %0, %%" number : : "r"(value) : "memory");                           \
    }

X86_CONTROL_REGISTER(cr0, "cr0")
X86_CONTROL_REGISTER(cr2, "cr2")
X86_CONTROL_REGISTER(cr3, "cr3")
X86_CONTROL_REGISTER(cr4, "cr4")
X86_CONTROL_REGISTER(dr0, "dr0")
X86_CONTROL_REGISTER(dr1, "dr1")
X86_CONTROL_REGISTER(dr2, "dr2")
X86_CONTROL_REGISTER(dr3, "dr3")
X86_CONTROL_REGISTER(dr6, "dr6")
#undef X86_CONTROL_REGISTER

#define X86_PORT(width, suffix)                                                                    \
    static inline uint##width##_t in##width(uint16_t port)                                         \
    {                                                                                              \
        uint##width##_t value;                                                                     \
        __asm__ volatile("in" suffix " %1, %0" : "=a"(value) : "Nd"(port) : "memory");             \
        return value;                                                                              \
    }                                                                                              \
    static inline void out##width(uint16_t port, uint##width##_t value)                            \
    {                                                                                              \
        __asm__ volatile("out" suffix " %0, %1" : : "a"(value), "Nd"(port) : "memory");            \
    }

X86_PORT(8, "b")
X86_PORT(16, "w")
#undef X86_PORT

/* Device registers: one access of exactly this width, neither merged nor repeated. */
static inline uint32_t mmio_read32(const volatile void *address)
{
    return *(const volatile uint32_t *)address;
}

static inline void mmio_write32(volatile void *address, uint32_t value)
{
    *(volatile uint32_t *)address = value;
}

static inline uint64_t rdtsc(void)
{
    uint32_t low, high;
    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high) : : "memory");
    return (uint64_t)high << 32 | low;
}

/* Needs CR4.OSXSAVE. */
static inline uint64_t xgetbv(uint32_t index)
{
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(index));
    return (uint64_t)high << 32 | low;
}

static inline void xsetbv(uint32_t index, uint64_t value)
{
    __asm__ volatile("xsetbv"
                     :
                     : "c"(index), "a"((uint32_t)value), "d"((uint32_t)(value >> 32))
                     : "memory");
}

/* Instructions without operands. */
#define X86_INSTRUCTION(name)                                                                      \
    static inline void name(void)                                                                  \
    {                                                                                              \
        __asm__ volatile(#name : : : "memory");                                                    \
    }

X86_INSTRUCTION(mfence)
X86_INSTRUCTION(pause)
X86_INSTRUCTION(cli)
X86_INSTRUCTION(hlt)
#undef X86_INSTRUCTION
