/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a VM exit says: reasons, interruption information and exit qualifications, decoded into
 * plain records. Pure.
 * Sources: SDM Vol 3D, "VMX Basic Exit Reasons"; Vol 3C, "Basic VM-Exit Information".
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "core/bits.h"
#include "vmx/vmx.h"

/* F is applied to (name, number, text) of every basic exit reason. */
#define EXIT_REASONS(F)                                                                            \
    F(EXCEPTION_OR_NMI, 0, "exception or NMI")                                                     \
    F(EXTERNAL_INTERRUPT, 1, "external interrupt")                                                 \
    F(TRIPLE_FAULT, 2, "triple fault")                                                             \
    F(INIT, 3, "INIT")                                                                             \
    F(SIPI, 4, "start-up IPI")                                                                     \
    F(IO_SMI, 5, "I/O SMI")                                                                        \
    F(OTHER_SMI, 6, "other SMI")                                                                   \
    F(INTERRUPT_WINDOW, 7, "interrupt window")                                                     \
    F(NMI_WINDOW, 8, "NMI window")                                                                 \
    F(TASK_SWITCH, 9, "task switch")                                                               \
    F(CPUID, 10, "CPUID")                                                                          \
    F(GETSEC, 11, "GETSEC")                                                                        \
    F(HLT, 12, "HLT")                                                                              \
    F(INVD, 13, "INVD")                                                                            \
    F(INVLPG, 14, "INVLPG")                                                                        \
    F(RDPMC, 15, "RDPMC")                                                                          \
    F(RDTSC, 16, "RDTSC")                                                                          \
    F(RSM, 17, "RSM")                                                                              \
    F(VMCALL, 18, "VMCALL")                                                                        \
    F(VMCLEAR, 19, "VMCLEAR")                                                                      \
    F(VMLAUNCH, 20, "VMLAUNCH")                                                                    \
    F(VMPTRLD, 21, "VMPTRLD")                                                                      \
    F(VMPTRST, 22, "VMPTRST")                                                                      \
    F(VMREAD, 23, "VMREAD")                                                                        \
    F(VMRESUME, 24, "VMRESUME")                                                                    \
    F(VMWRITE, 25, "VMWRITE")                                                                      \
    F(VMXOFF, 26, "VMXOFF")                                                                        \
    F(VMXON, 27, "VMXON")                                                                          \
    F(CR_ACCESS, 28, "CR access")                                                                  \
    F(DR_ACCESS, 29, "DR access")                                                                  \
    F(IO, 30, "I/O instruction")                                                                   \
    F(RDMSR, 31, "RDMSR")                                                                          \
    F(WRMSR, 32, "WRMSR")                                                                          \
    F(INVALID_GUEST_STATE, 33, "entry failure, guest state")                                       \
    F(MSR_LOADING, 34, "entry failure, MSR loading")                                               \
    F(MWAIT, 36, "MWAIT")                                                                          \
    F(MONITOR_TRAP_FLAG, 37, "monitor trap flag")                                                  \
    F(MONITOR, 39, "MONITOR")                                                                      \
    F(PAUSE, 40, "PAUSE")                                                                          \
    F(MACHINE_CHECK_ENTRY, 41, "entry failure, machine check")                                     \
    F(TPR_BELOW_THRESHOLD, 43, "TPR below threshold")                                              \
    F(APIC_ACCESS, 44, "APIC access")                                                              \
    F(VIRTUALIZED_EOI, 45, "virtualized EOI")                                                      \
    F(GDTR_IDTR_ACCESS, 46, "GDTR or IDTR access")                                                 \
    F(LDTR_TR_ACCESS, 47, "LDTR or TR access")                                                     \
    F(EPT_VIOLATION, 48, "EPT violation")                                                          \
    F(EPT_MISCONFIGURATION, 49, "EPT misconfiguration")                                            \
    F(INVEPT, 50, "INVEPT")                                                                        \
    F(RDTSCP, 51, "RDTSCP")                                                                        \
    F(PREEMPTION_TIMER_EXPIRED, 52, "preemption timer")                                            \
    F(INVVPID, 53, "INVVPID")                                                                      \
    F(WBINVD, 54, "WBINVD")                                                                        \
    F(XSETBV, 55, "XSETBV")                                                                        \
    F(APIC_WRITE, 56, "APIC write")                                                                \
    F(RDRAND, 57, "RDRAND")                                                                        \
    F(INVPCID, 58, "INVPCID")                                                                      \
    F(VMFUNC, 59, "VMFUNC")                                                                        \
    F(ENCLS, 60, "ENCLS")                                                                          \
    F(RDSEED, 61, "RDSEED")                                                                        \
    F(PML_FULL, 62, "page-modification log full")                                                  \
    F(XSAVES, 63, "XSAVES")                                                                        \
    F(XRSTORS, 64, "XRSTORS")                                                                      \
    F(PCONFIG, 65, "PCONFIG")                                                                      \
    F(SPP_EVENT, 66, "SPP event")                                                                  \
    F(UMWAIT, 67, "UMWAIT")                                                                        \
    F(TPAUSE, 68, "TPAUSE")                                                                        \
    F(LOADIWKEY, 69, "LOADIWKEY")

enum exit_reason {
#define EXIT_REASON_ENUMERATOR(name, number, text) EXIT_##name = number,
    EXIT_REASONS(EXIT_REASON_ENUMERATOR)
#undef EXIT_REASON_ENUMERATOR
};

#define EXIT_REASON_BASIC        MASK(15, 0)
#define EXIT_REASON_ENTRY_FAILED BIT(31)

/* What a VM-instruction error means, for people. SDM Vol 3C, "VM Instruction Error Numbers". */
const char *instruction_error_text(uint32_t error);

/* Interruption information, of exits, of IDT vectoring and for entries. */
#define EVENT_VECTOR      MASK(7, 0)
#define EVENT_TYPE        MASK(10, 8)
#define EVENT_HAS_ERROR   BIT(11)
#define EVENT_NMI_UNBLOCK BIT(12) /* of exits: IRET had ended blocking by NMI */
#define EVENT_VALID       BIT(31)

enum event_type {
    EVENT_EXTERNAL_INTERRUPT = 0,
    EVENT_NMI = 2,
    EVENT_HARDWARE_EXCEPTION = 3,
    EVENT_SOFTWARE_INTERRUPT = 4,
    EVENT_PRIVILEGED_SOFTWARE_EXCEPTION = 5, /* INT1 */
    EVENT_SOFTWARE_EXCEPTION = 6,            /* INT3, INTO */
};

static inline uint32_t event_info(enum event_type type, uint8_t vector)
{
    return EVENT_VALID | (uint32_t)type << 8 | vector;
}

/* Guest interruptibility state. SDM Vol 3C, "Guest Non-Register State". */
#define BLOCKING_BY_STI    BIT(0)
#define BLOCKING_BY_MOV_SS BIT(1)
#define BLOCKING_BY_NMI    BIT(3)

#define PENDING_DEBUG_BREAKPOINT BIT(12) /* bits 3:0 name breakpoints that are enabled */
#define PENDING_DEBUG_BS         BIT(14)

/* What becomes of a second event while a first one is delivered. */
enum combination {
    COMBINE_SECOND, /* the second is delivered; the first, if a fault, comes again by itself */
    COMBINE_DOUBLE_FAULT,
    COMBINE_SHUTDOWN,
};

/*
 * SDM Vol 3A, "Interrupt 8 - Double Fault Exception", for a hardware exception second_vector that
 * is raised while the event first (interruption information) is delivered.
 */
enum combination combine_events(uint32_t first, uint8_t second_vector);

struct io_exit {
    uint16_t port;
    uint8_t size; /* 1, 2, 4 */
    bool in;
    bool string;
    bool rep;
};
struct io_exit decode_io(uint64_t qualification);

/* The VM-exit instruction information of INS and OUTS. */
struct string_io {
    uint64_t address_mask;         /* of rCX, rSI and rDI */
    enum vmx_segment_name segment; /* of OUTS */
};
struct string_io decode_string_io(uint32_t instruction_info);

struct cr_exit {
    uint8_t number;
    uint8_t gpr; /* of MOV */
    enum cr_access_kind {
        CR_MOV_TO = 0,
        CR_MOV_FROM = 1,
        CR_CLTS = 2,
        CR_LMSW = 3,
    } kind;
    uint16_t lmsw_source;
};
struct cr_exit decode_cr(uint64_t qualification);

struct task_switch {
    uint16_t selector;
    enum task_switch_source {
        TASK_CALL = 0,
        TASK_IRET = 1,
        TASK_JMP = 2,
        TASK_GATE = 3, /* in the IDT */
    } source;
};
struct task_switch decode_task_switch(uint64_t qualification);

/* All members but gpa, gla and in_delivery. */
struct vmx_ept_violation decode_ept_violation(uint64_t qualification);
#define EPT_VIOLATION_NMI_UNBLOCK BIT(12)

/* The same of an access to the APIC-access page; gpa is the offset in it. */
struct vmx_ept_violation decode_apic_access(uint64_t qualification);
