/* SPDX-License-Identifier: BSD-2-Clause */
/* The local APIC's registers: page offsets and bit names (SDM Vol 3A, "Local APIC Register Address
 * Map"). The x2APIC MSR of a register is APIC_MSR(offset). */
#pragma once

enum apic_reg {
    APIC_ID = 0x020,
    APIC_VERSION = 0x030,
    APIC_TPR = 0x080,
    APIC_APR = 0x090,
    APIC_PPR = 0x0A0,
    APIC_EOI = 0x0B0,
    APIC_RRD = 0x0C0,
    APIC_LDR = 0x0D0,
    APIC_DFR = 0x0E0,
    APIC_SVR = 0x0F0,
    APIC_ISR = 0x100, /* 8 registers, 32 vectors each; same for TMR and IRR */
    APIC_TMR = 0x180,
    APIC_IRR = 0x200,
    APIC_ESR = 0x280,
    APIC_LVT_CMCI = 0x2F0,
    APIC_ICR = 0x300,
    APIC_ICR_HIGH = 0x310,
    APIC_LVT_TIMER = 0x320,
    APIC_LVT_THERMAL = 0x330,
    APIC_LVT_PMC = 0x340,
    APIC_LVT_LINT0 = 0x350,
    APIC_LVT_LINT1 = 0x360,
    APIC_LVT_ERROR = 0x370,
    APIC_TIMER_INITIAL = 0x380,
    APIC_TIMER_CURRENT = 0x390,
    APIC_TIMER_DIVIDE = 0x3E0,
    APIC_SELF_IPI = 0x3F0,
};

#define APIC_PAGE_SIZE 4096u
#define APIC_MSR_FIRST 0x800u
#define APIC_MSR_LAST  0xBFFu
#define APIC_MSR(reg)  (APIC_MSR_FIRST + ((reg) >> 4))

/* IA32_APIC_BASE (SDM Vol 3A, "Local APIC Status and Location"). */
#define APIC_BASE_BSP     (UINT64_C(1) << 8)
#define APIC_BASE_EXTD    (UINT64_C(1) << 10)
#define APIC_BASE_EN      (UINT64_C(1) << 11)
#define APIC_BASE_ADDRESS (~UINT64_C(0xFFF))
#define APIC_BASE_DEFAULT UINT64_C(0xFEE00000)

#define APIC_VERSION_EOI_SUPPRESSION (UINT32_C(1) << 24)

#define APIC_SVR_ENABLE       (UINT32_C(1) << 8)
#define APIC_SVR_SUPPRESS_EOI (UINT32_C(1) << 12)

#define APIC_LVT_STATUS     (UINT32_C(1) << 12)
#define APIC_LVT_POLARITY   (UINT32_C(1) << 13)
#define APIC_LVT_REMOTE_IRR (UINT32_C(1) << 14)
#define APIC_LVT_LEVEL      (UINT32_C(1) << 15)
#define APIC_LVT_MASKED     (UINT32_C(1) << 16)

/* Error status register (SDM Vol 3A, "Error Handling"). */
#define APIC_ESR_REDIRECTABLE    (UINT32_C(1) << 4)
#define APIC_ESR_SEND_ILLEGAL    (UINT32_C(1) << 5)
#define APIC_ESR_RECEIVE_ILLEGAL (UINT32_C(1) << 6)
#define APIC_ESR_ILLEGAL_ADDRESS (UINT32_C(1) << 7)

#define APIC_ICR_DELIVERY  (UINT32_C(7) << 8)
#define APIC_ICR_LOGICAL   (UINT32_C(1) << 11)
#define APIC_ICR_STATUS    (UINT32_C(1) << 12)
#define APIC_ICR_ASSERT    (UINT32_C(1) << 14)
#define APIC_ICR_LEVEL     (UINT32_C(1) << 15)
#define APIC_ICR_SHORTHAND (UINT32_C(3) << 18)

/* Vectors below this are illegal in the APIC ("Valid Interrupt Vectors"). */
#define APIC_FIRST_VECTOR 16u
