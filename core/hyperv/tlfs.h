/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Numbers and layouts of Microsoft's Hypervisor Top-Level Functional Specification (TLFS), by the
 * names that it gives them. Pure.
 */
#pragma once

#include <stdint.h>

#include "core/bits.h"

enum { HV_PAGE_SIZE = 4096, HV_SINTS = 16, HV_TIMERS = 4 };

#define HV_PARTITION_SELF UINT64_MAX
#define HV_VP_SELF        0xfffffffeu

/* Reference time counts 100 ns. */
#define HV_TIME_HZ 10000000ull

/* ---- CPUID: "Feature and Interface Discovery" ------------------------------------------------ */

enum {
    HV_CPUID_VENDOR = 0x40000000,
    HV_CPUID_INTERFACE,
    HV_CPUID_VERSION,
    HV_CPUID_FEATURES,
    HV_CPUID_RECOMMENDATIONS,
    HV_CPUID_LIMITS,
    HV_CPUID_HARDWARE,
    HV_CPUID_HIGHEST = 0x4000000c,
    HV_CPUID_STACK_VENDOR = 0x40000080,
    HV_CPUID_STACK_INTERFACE,
    HV_CPUID_STACK_PROPERTIES,
};

/* HV_PARTITION_PRIVILEGE_MASK: leaf HV_CPUID_FEATURES, EAX and EBX. */
#define HV_ACCESS_REFERENCE_COUNTER BIT(1)
#define HV_ACCESS_SYNIC             BIT(2)
#define HV_ACCESS_TIMERS            BIT(3)
#define HV_ACCESS_APIC              BIT(4)
#define HV_ACCESS_HYPERCALL         BIT(5)
#define HV_ACCESS_VP_INDEX          BIT(6)
#define HV_ACCESS_RESET             BIT(7)
#define HV_ACCESS_REFERENCE_TSC     BIT(9)
#define HV_ACCESS_FREQUENCIES       BIT(11)
#define HV_POST_MESSAGES            BIT(32 + 4)
#define HV_SIGNAL_EVENTS            BIT(32 + 5)
#define HV_EXTENDED_RANGES          BIT(32 + 15)
#define HV_ACCESS_VSM               BIT(32 + 16)
#define HV_ACCESS_VP_REGISTERS      BIT(32 + 17)
#define HV_FAST_OUTPUT              BIT(32 + 19)
#define HV_START_VP                 BIT(32 + 21)

/* The same leaf, EDX. */
#define HV_FEATURE_XMM_INPUT       BIT(4)
#define HV_FEATURE_FREQUENCIES     BIT(8)
#define HV_FEATURE_CRASH           BIT(10)
#define HV_FEATURE_EXTENDED_RANGES BIT(14)
#define HV_FEATURE_XMM_OUTPUT      BIT(15)
#define HV_FEATURE_SINT_POLLING    BIT(17)
#define HV_FEATURE_LOCK            BIT(18) /* of the hypercall MSR */
#define HV_FEATURE_DIRECT_TIMERS   BIT(19)
#define HV_FEATURE_VSM_PAT         BIT(20) /* a VTL's PAT is a register */

/* Leaf HV_CPUID_RECOMMENDATIONS, EAX. */
#define HV_RECOMMEND_REMOTE_FLUSH BIT(2)
#define HV_RECOMMEND_RELAXED_TIME BIT(5)
#define HV_DEPRECATE_AUTO_EOI     BIT(9)
#define HV_RECOMMEND_CLUSTER_IPI  BIT(10)
#define HV_RECOMMEND_EX_MASKS     BIT(11)

/* Leaf HV_CPUID_HARDWARE, EAX: what Lapwing needs, and so uses. */
#define HV_HARDWARE_MSR_BITMAPS        BIT(1)
#define HV_HARDWARE_SECOND_LEVEL       BIT(3)
#define HV_HARDWARE_UNRESTRICTED_GUEST BIT(17)

/* Leaf HV_CPUID_STACK_PROPERTIES, EAX. */
#define HV_STACK_EXTENDED_RTE BIT(2) /* I/O APIC entries and MSIs have 15 bits of destination */

/* ---- MSRs ------------------------------------------------------------------------------------ */

enum {
    HV_MSR_FIRST = 0x40000000,
    HV_MSR_GUEST_OS_ID = 0x40000000,
    HV_MSR_HYPERCALL,
    HV_MSR_VP_INDEX,
    HV_MSR_RESET,
    HV_MSR_TIME_REF_COUNT = 0x40000020,
    HV_MSR_REFERENCE_TSC,
    HV_MSR_TSC_FREQUENCY,
    HV_MSR_APIC_FREQUENCY,
    HV_MSR_EOI = 0x40000070,
    HV_MSR_ICR,
    HV_MSR_TPR,
    HV_MSR_VP_ASSIST_PAGE,
    HV_MSR_SCONTROL = 0x40000080,
    HV_MSR_SVERSION,
    HV_MSR_SIEFP,
    HV_MSR_SIMP,
    HV_MSR_EOM,
    HV_MSR_SINT0 = 0x40000090,
    HV_MSR_STIMER0_CONFIG = 0x400000b0, /* and at each odd number the count */
    HV_MSR_CRASH_P0 = 0x40000100,
    HV_MSR_CRASH_CTL = 0x40000105,
    HV_MSR_LAST = 0x40001fff,
};

/* HYPERCALL, REFERENCE_TSC, VP_ASSIST_PAGE, SIEFP and SIMP alike: page number, and below it */
#define HV_PAGE_ENABLE BIT(0)
#define HV_PAGE_LOCKED BIT(1) /* of HYPERCALL */
#define HV_PAGE_FRAME  MASK(63, 12)

/* ---- Hypercalls: "Hypercall Interface" ------------------------------------------------------- */

enum hv_call_code {
    HV_CALL_FLUSH_SPACE = 0x0002,
    HV_CALL_FLUSH_LIST = 0x0003,
    HV_CALL_NOTIFY_LONG_SPIN_WAIT = 0x0008,
    HV_CALL_SEND_IPI = 0x000b,
    HV_CALL_MODIFY_VTL_PROTECTION_MASK = 0x000c,
    HV_CALL_ENABLE_PARTITION_VTL = 0x000d,
    HV_CALL_DISABLE_PARTITION_VTL = 0x000e,
    HV_CALL_ENABLE_VP_VTL = 0x000f,
    HV_CALL_DISABLE_VP_VTL = 0x0010,
    HV_CALL_VTL_CALL = 0x0011,
    HV_CALL_VTL_RETURN = 0x0012,
    HV_CALL_FLUSH_SPACE_EX = 0x0013,
    HV_CALL_FLUSH_LIST_EX = 0x0014,
    HV_CALL_SEND_IPI_EX = 0x0015,
    HV_CALL_GET_VP_REGISTERS = 0x0050,
    HV_CALL_SET_VP_REGISTERS = 0x0051,
    HV_CALL_TRANSLATE_VA = 0x0052,
    HV_CALL_POST_MESSAGE = 0x005c,
    HV_CALL_SIGNAL_EVENT = 0x005d,
    HV_CALL_START_VP = 0x0099,
    HV_CALL_GET_VP_INDEX_FROM_APIC_ID = 0x009a,
    HV_CALL_TRANSLATE_VA_EX = 0x00ac,
    HV_CALLS, /* one more than the highest */
};

#define HV_INPUT_CODE     MASK(15, 0)
#define HV_INPUT_FAST     BIT(16)
#define HV_INPUT_VARIABLE MASK(26, 17) /* 8-byte units of variable header */
#define HV_INPUT_COUNT    MASK(43, 32) /* of reps */
#define HV_INPUT_START    MASK(59, 48) /* the first rep to do */
/* Reserved bits; and "nested", which only a hypervisor's guest with guests may set. */
#define HV_INPUT_RESERVED (MASK(31, 27) | MASK(47, 44) | MASK(63, 60))

/* A result: status in bits 15:0, elements done in bits 43:32. */
enum hv_status {
    HV_SUCCESS = 0x00,
    HV_INVALID_HYPERCALL_CODE = 0x02,
    HV_INVALID_HYPERCALL_INPUT = 0x03,
    HV_INVALID_ALIGNMENT = 0x04,
    HV_INVALID_PARAMETER = 0x05,
    HV_ACCESS_DENIED = 0x06,
    HV_INVALID_PARTITION_STATE = 0x07,
    HV_OPERATION_DENIED = 0x08,
    HV_INSUFFICIENT_MEMORY = 0x0b,
    HV_INVALID_PARTITION_ID = 0x0d,
    HV_INVALID_VP_INDEX = 0x0e,
    HV_INVALID_PORT_ID = 0x11,
    HV_INVALID_CONNECTION_ID = 0x12,
    HV_INSUFFICIENT_BUFFERS = 0x13,
    HV_INVALID_VP_STATE = 0x15,
    HV_INVALID_SYNIC_STATE = 0x18,
    HV_INVALID_REGISTER_VALUE = 0x50,
    HV_INVALID_VTL_STATE = 0x51,
    HV_VTL_ALREADY_ENABLED = 0x86,

    /* No statuses, but what a handler may answer instead: nothing is written to the guest's
     * registers. */
    HV_AGAIN = 0x10000, /* execute the instruction again; events come first */
    HV_UNDEFINED,       /* raise #UD */
    HV_COMPLETE,        /* the instruction has ended */
    HV_DONE,            /* the handler has seen to registers and RIP */
    HV_STOPPED,         /* the VM is to stop */
};

/* HV_INPUT_VTL; with bit 4 clear the caller's own VTL is meant. */
enum { HV_VTL_NUMBER = 0xf, HV_VTL_USE_TARGET = 0x10, HV_VTL_RESERVED = 0xe0 };
