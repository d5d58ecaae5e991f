/* SPDX-License-Identifier: BSD-2-Clause */
/* Decodes what VM exits report. */
#include "vmx/exit.h"

#include <stddef.h>

#include "core/x86.h"

static const char *const exit_names[VMX_EXIT_REASONS] = {
#define EXIT_REASON_NAME(name, number, text) [number] = text,
    EXIT_REASONS(EXIT_REASON_NAME)
#undef EXIT_REASON_NAME
};

const char *vmx_exit_name(unsigned reason)
{
    return reason < VMX_EXIT_REASONS ? exit_names[reason] : NULL;
}

static const char *const instruction_errors[] = {
    [1] = "VMCALL in VMX root operation",
    [2] = "VMCLEAR with invalid physical address",
    [3] = "VMCLEAR with VMXON pointer",
    [4] = "VMLAUNCH with non-clear VMCS",
    [5] = "VMRESUME with non-launched VMCS",
    [6] = "VMRESUME after VMXOFF",
    [7] = "VM entry with invalid control fields",
    [8] = "VM entry with invalid host-state fields",
    [9] = "VMPTRLD with invalid physical address",
    [10] = "VMPTRLD with VMXON pointer",
    [11] = "VMPTRLD with incorrect VMCS revision identifier",
    [12] = "VMREAD or VMWRITE of an unsupported field",
    [13] = "VMWRITE to a read-only field",
    [15] = "VMXON in VMX root operation",
    [16] = "VM entry with invalid executive-VMCS pointer",
    [17] = "VM entry with non-launched executive VMCS",
    [18] = "VM entry with executive-VMCS pointer not VMXON pointer",
    [19] = "VMCALL with non-clear VMCS",
    [20] = "VMCALL with invalid VM-exit control fields",
    [22] = "VMCALL with incorrect MSEG revision identifier",
    [23] = "VMXOFF under dual-monitor treatment",
    [24] = "VMCALL with invalid SMM-monitor features",
    [25] = "VM entry with invalid VM-execution controls in executive VMCS",
    [26] = "VM entry with events blocked by MOV SS",
    [28] = "invalid operand to INVEPT or INVVPID",
};

const char *instruction_error_text(uint32_t error)
{
    if (error >= ARRAY_SIZE(instruction_errors) || !instruction_errors[error])
        return "unknown";
    return instruction_errors[error];
}

enum exception_class { BENIGN, CONTRIBUTORY, PAGE_FAULT };

static enum exception_class class_of(uint8_t vector)
{
    switch (vector) {
    case EXCEPTION_DE:
    case EXCEPTION_TS:
    case EXCEPTION_NP:
    case EXCEPTION_SS:
    case EXCEPTION_GP:
        return CONTRIBUTORY;
    case EXCEPTION_PF:
        return PAGE_FAULT;
    default:
        return BENIGN;
    }
}

enum combination combine_events(uint32_t first, uint8_t second_vector)
{
    if (field_get(first, EVENT_TYPE) != EVENT_HARDWARE_EXCEPTION)
        return COMBINE_SECOND;
    uint8_t first_vector = field_get(first, EVENT_VECTOR);
    enum exception_class second = class_of(second_vector);
    if (first_vector == EXCEPTION_DF)
        return second == BENIGN ? COMBINE_SECOND : COMBINE_SHUTDOWN;
    switch (class_of(first_vector)) {
    case CONTRIBUTORY:
        return second == CONTRIBUTORY ? COMBINE_DOUBLE_FAULT : COMBINE_SECOND;
    case PAGE_FAULT:
        return second == BENIGN ? COMBINE_SECOND : COMBINE_DOUBLE_FAULT;
    default:
        return COMBINE_SECOND;
    }
}

struct io_exit decode_io(uint64_t qualification)
{
    return (struct io_exit){
        .port = field_get(qualification, MASK(31, 16)),
        .size = (qualification & MASK(2, 0)) + 1,
        .in = qualification & BIT(3),
        .string = qualification & BIT(4),
        .rep = qualification & BIT(5),
    };
}

struct string_io decode_string_io(uint32_t instruction_info)
{
    static const uint64_t masks[] = {MASK(15, 0), MASK(31, 0), MASK(63, 0), MASK(63, 0)};
    unsigned size = field_get(instruction_info, MASK(9, 7));
    unsigned segment = field_get(instruction_info, MASK(17, 15));
    return (struct string_io){
        .address_mask = masks[size % ARRAY_SIZE(masks)],
        .segment = segment <= VMX_GS ? segment : VMX_DS,
    };
}

struct cr_exit decode_cr(uint64_t qualification)
{
    return (struct cr_exit){
        .number = field_get(qualification, MASK(3, 0)),
        .kind = field_get(qualification, MASK(5, 4)),
        .gpr = field_get(qualification, MASK(11, 8)),
        .lmsw_source = field_get(qualification, MASK(31, 16)),
    };
}

struct task_switch decode_task_switch(uint64_t qualification)
{
    return (struct task_switch){
        .selector = field_get(qualification, MASK(15, 0)),
        .source = field_get(qualification, MASK(31, 30)),
    };
}

struct vmx_ept_violation decode_ept_violation(uint64_t qualification)
{
    bool gla_valid = qualification & BIT(7);
    return (struct vmx_ept_violation){
        .access = (qualification & BIT(1) ? VMX_ACCESS_WRITE : 0) |
                  (qualification & BIT(2) ? VMX_ACCESS_EXECUTE : 0),
        .rights = field_get(qualification, MASK(5, 3)) | (qualification & BIT(6) ? EPT_UX : 0),
        .gla_valid = gla_valid,
        .table_walk = gla_valid && !(qualification & BIT(8)),
    };
}

/* SDM Vol 3C, "Exit Qualification for APIC-Access VM Exits". */
enum apic_access_type {
    APIC_ACCESS_WRITE = 1,
    APIC_ACCESS_FETCH = 2,
    APIC_ACCESS_DELIVERY = 3,
    APIC_ACCESS_PHYSICAL_DELIVERY = 10,
    APIC_ACCESS_PHYSICAL = 15,
};

struct vmx_ept_violation decode_apic_access(uint64_t qualification)
{
    unsigned type = field_get(qualification, MASK(15, 12));
    return (struct vmx_ept_violation){
        .gpa = field_get(qualification, MASK(11, 0)),
        .access = (type == APIC_ACCESS_WRITE ? VMX_ACCESS_WRITE : 0) |
                  (type == APIC_ACCESS_FETCH ? VMX_ACCESS_EXECUTE : 0),
        .table_walk = type == APIC_ACCESS_PHYSICAL,
        .in_delivery = type == APIC_ACCESS_DELIVERY || type == APIC_ACCESS_PHYSICAL_DELIVERY,
    };
}
