/* SPDX-License-Identifier: BSD-2-Clause */
/* Microsoft's TLFS as its guests see it: MSRs, call codes, statuses, and ways to call. */
#pragma once

#include "tests/guest/guest.h"

enum {
    HV_MSR_GUEST_OS_ID = 0x40000000,
    HV_MSR_HYPERCALL = 0x40000001,
    HV_MSR_VP_INDEX = 0x40000002,
    HV_MSR_RESET = 0x40000003,
    HV_MSR_TIME_REF_COUNT = 0x40000020,
    HV_MSR_REFERENCE_TSC = 0x40000021,
    HV_MSR_TSC_FREQUENCY = 0x40000022,
    HV_MSR_APIC_FREQUENCY = 0x40000023,
    HV_MSR_EOI = 0x40000070,
    HV_MSR_ICR = 0x40000071,
    HV_MSR_TPR = 0x40000072,
    HV_MSR_VP_ASSIST_PAGE = 0x40000073,
    HV_MSR_SCONTROL = 0x40000080,
    HV_MSR_SVERSION = 0x40000081,
    HV_MSR_SIEFP = 0x40000082,
    HV_MSR_SIMP = 0x40000083,
    HV_MSR_EOM = 0x40000084,
    HV_MSR_SINT0 = 0x40000090,
    HV_MSR_STIMER0_CONFIG = 0x400000b0,
    HV_MSR_STIMER0_COUNT = 0x400000b1,
    HV_MSR_CRASH_P0 = 0x40000100,
    HV_MSR_CRASH_CTL = 0x40000105,
};

/* A hypercall's input value. */
#define HV_FAST        (1ul << 16)
#define HV_VARIABLE(n) ((uint64_t)(n) << 17)
#define HV_REPS(n)     ((uint64_t)(n) << 32)
#define HV_START(n)    ((uint64_t)(n) << 48)

enum {
    HV_SUCCESS = 0,
    HV_INVALID_HYPERCALL_CODE = 2,
    HV_INVALID_HYPERCALL_INPUT = 3,
    HV_INVALID_ALIGNMENT = 4,
    HV_INVALID_PARAMETER = 5,
    HV_ACCESS_DENIED = 6,
    HV_INVALID_PARTITION_ID = 0xd,
    HV_INVALID_VP_INDEX = 0xe,
    HV_INVALID_CONNECTION_ID = 0x12,
    HV_INSUFFICIENT_BUFFERS = 0x13,
    HV_INVALID_VP_STATE = 0x15,
    HV_INVALID_SYNIC_STATE = 0x18,
};

#define HV_SELF ~0ull

/* An open-source identity: type 1, Linux. */
#define HV_TEST_OS_ID 0x8100000000000000ull

/* VMCALL with these parameters. Returns the result value. */
static inline uint64_t hv_call(uint64_t input, uint64_t rdx, uint64_t r8)
{
    register uint64_t output asm("r8") = r8;
    uint64_t result;
    asm volatile("vmcall" : "=a"(result), "+c"(input), "+d"(rdx), "+r"(output) : : "memory");
    return result;
}

/* The same by a call of a hypercall page. */
static inline uint64_t hv_call_at(const void *page, uint64_t input, uint64_t rdx, uint64_t r8)
{
    register uint64_t output asm("r8") = r8;
    uint64_t result;
    asm volatile("call *%4"
                 : "=a"(result), "+c"(input), "+d"(rdx), "+r"(output)
                 : "r"(page)
                 : "memory");
    return result;
}
