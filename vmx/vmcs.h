/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * VMCS fields and how to reach them. A field is a struct, one type per width, so that an encoding
 * cannot be taken for a value.
 * Source: SDM Vol 3D, "Field Encoding in VMCS", in its order.
 */
#pragma once

#include <stdint.h>

/* F is applied to (name, encoding) of every field of a width that we use. The segments' fields of a
 * kind follow each other by 2, and so do the PDPTEs: those that are counted to have no name. */
#define VMCS_FIELDS_16(F)                                                                          \
    F(VPID, 0x0000)                                                                                \
    F(POSTED_INTERRUPT_VECTOR, 0x0002)                                                             \
    F(LAST_PID_POINTER_INDEX, 0x0008)                                                              \
    F(GUEST_ES_SELECTOR, 0x0800)                                                                   \
    F(GUEST_INTERRUPT_STATUS, 0x0810)                                                              \
    F(HOST_ES_SELECTOR, 0x0c00)                                                                    \
    F(HOST_CS_SELECTOR, 0x0c02)                                                                    \
    F(HOST_SS_SELECTOR, 0x0c04)                                                                    \
    F(HOST_DS_SELECTOR, 0x0c06)                                                                    \
    F(HOST_FS_SELECTOR, 0x0c08)                                                                    \
    F(HOST_GS_SELECTOR, 0x0c0a)                                                                    \
    F(HOST_TR_SELECTOR, 0x0c0c)

#define VMCS_FIELDS_64(F)                                                                          \
    F(MSR_BITMAP, 0x2004)                                                                          \
    F(TSC_OFFSET, 0x2010)                                                                          \
    F(VIRTUAL_APIC_ADDRESS, 0x2012)                                                                \
    F(APIC_ACCESS_ADDRESS, 0x2014)                                                                 \
    F(POSTED_INTERRUPT_DESCRIPTOR, 0x2016)                                                         \
    F(EPT_POINTER, 0x201a)                                                                         \
    F(EOI_EXIT_BITMAP0, 0x201c)                                                                    \
    F(EOI_EXIT_BITMAP1, 0x201e)                                                                    \
    F(EOI_EXIT_BITMAP2, 0x2020)                                                                    \
    F(EOI_EXIT_BITMAP3, 0x2022)                                                                    \
    F(XSS_EXITING_BITMAP, 0x202c)                                                                  \
    F(TERTIARY_CONTROLS, 0x2034)                                                                   \
    F(PID_POINTER_TABLE, 0x2042)                                                                   \
    F(GUEST_PHYSICAL_ADDRESS, 0x2400)                                                              \
    F(GUEST_LINK_POINTER, 0x2800)                                                                  \
    F(GUEST_DEBUGCTL, 0x2802)                                                                      \
    F(GUEST_PAT, 0x2804)                                                                           \
    F(GUEST_EFER, 0x2806)                                                                          \
    F(GUEST_PDPTE0, 0x280a)                                                                        \
    F(HOST_PAT, 0x2c00)                                                                            \
    F(HOST_EFER, 0x2c02)

#define VMCS_FIELDS_32(F)                                                                          \
    F(PIN_CONTROLS, 0x4000)                                                                        \
    F(PRIMARY_CONTROLS, 0x4002)                                                                    \
    F(EXCEPTION_BITMAP, 0x4004)                                                                    \
    F(PAGE_FAULT_MASK, 0x4006)                                                                     \
    F(PAGE_FAULT_MATCH, 0x4008)                                                                    \
    F(CR3_TARGET_COUNT, 0x400a)                                                                    \
    F(EXIT_CONTROLS, 0x400c)                                                                       \
    F(EXIT_MSR_STORE_COUNT, 0x400e)                                                                \
    F(EXIT_MSR_LOAD_COUNT, 0x4010)                                                                 \
    F(ENTRY_CONTROLS, 0x4012)                                                                      \
    F(ENTRY_MSR_LOAD_COUNT, 0x4014)                                                                \
    F(ENTRY_INTERRUPTION_INFO, 0x4016)                                                             \
    F(ENTRY_ERROR_CODE, 0x4018)                                                                    \
    F(ENTRY_INSTRUCTION_LENGTH, 0x401a)                                                            \
    F(TPR_THRESHOLD, 0x401c)                                                                       \
    F(SECONDARY_CONTROLS, 0x401e)                                                                  \
    F(PLE_GAP, 0x4020)                                                                             \
    F(PLE_WINDOW, 0x4022)                                                                          \
    F(INSTRUCTION_ERROR, 0x4400)                                                                   \
    F(EXIT_REASON, 0x4402)                                                                         \
    F(EXIT_INTERRUPTION_INFO, 0x4404)                                                              \
    F(EXIT_ERROR_CODE, 0x4406)                                                                     \
    F(IDT_VECTORING_INFO, 0x4408)                                                                  \
    F(IDT_VECTORING_ERROR_CODE, 0x440a)                                                            \
    F(EXIT_INSTRUCTION_LENGTH, 0x440c)                                                             \
    F(EXIT_INSTRUCTION_INFO, 0x440e)                                                               \
    F(GUEST_ES_LIMIT, 0x4800)                                                                      \
    F(GUEST_CS_LIMIT, 0x4802)                                                                      \
    F(GUEST_GDTR_LIMIT, 0x4810)                                                                    \
    F(GUEST_IDTR_LIMIT, 0x4812)                                                                    \
    F(GUEST_ES_ACCESS, 0x4814)                                                                     \
    F(GUEST_CS_ACCESS, 0x4816)                                                                     \
    F(GUEST_SS_ACCESS, 0x4818)                                                                     \
    F(GUEST_TR_ACCESS, 0x4822)                                                                     \
    F(GUEST_INTERRUPTIBILITY, 0x4824)                                                              \
    F(GUEST_ACTIVITY, 0x4826)                                                                      \
    F(GUEST_SYSENTER_CS, 0x482a)                                                                   \
    F(PREEMPTION_TIMER, 0x482e)                                                                    \
    F(HOST_SYSENTER_CS, 0x4c00)

#define VMCS_FIELDS_NATURAL(F)                                                                     \
    F(CR0_MASK, 0x6000)                                                                            \
    F(CR4_MASK, 0x6002)                                                                            \
    F(CR0_SHADOW, 0x6004)                                                                          \
    F(CR4_SHADOW, 0x6006)                                                                          \
    F(EXIT_QUALIFICATION, 0x6400)                                                                  \
    F(GUEST_LINEAR_ADDRESS, 0x640a)                                                                \
    F(GUEST_CR0, 0x6800)                                                                           \
    F(GUEST_CR3, 0x6802)                                                                           \
    F(GUEST_CR4, 0x6804)                                                                           \
    F(GUEST_ES_BASE, 0x6806)                                                                       \
    F(GUEST_FS_BASE, 0x680e)                                                                       \
    F(GUEST_GS_BASE, 0x6810)                                                                       \
    F(GUEST_GDTR_BASE, 0x6816)                                                                     \
    F(GUEST_IDTR_BASE, 0x6818)                                                                     \
    F(GUEST_DR7, 0x681a)                                                                           \
    F(GUEST_RSP, 0x681c)                                                                           \
    F(GUEST_RIP, 0x681e)                                                                           \
    F(GUEST_RFLAGS, 0x6820)                                                                        \
    F(GUEST_PENDING_DEBUG, 0x6822)                                                                 \
    F(GUEST_SYSENTER_ESP, 0x6824)                                                                  \
    F(GUEST_SYSENTER_EIP, 0x6826)                                                                  \
    F(HOST_CR0, 0x6c00)                                                                            \
    F(HOST_CR3, 0x6c02)                                                                            \
    F(HOST_CR4, 0x6c04)                                                                            \
    F(HOST_FS_BASE, 0x6c06)                                                                        \
    F(HOST_GS_BASE, 0x6c08)                                                                        \
    F(HOST_TR_BASE, 0x6c0a)                                                                        \
    F(HOST_GDTR_BASE, 0x6c0c)                                                                      \
    F(HOST_IDTR_BASE, 0x6c0e)                                                                      \
    F(HOST_SYSENTER_ESP, 0x6c10)                                                                   \
    F(HOST_SYSENTER_EIP, 0x6c12)                                                                   \
    F(HOST_RSP, 0x6c14)                                                                            \
    F(HOST_RIP, 0x6c16)

/* Panics: the current VMCS lacks a field we use, or there is none, or the field is read-only. */
_Noreturn void vmcs_access_failed(const char *operation, uint32_t code);

static inline uint64_t vmcs_read(uint32_t code)
{
    uint64_t value;
    __asm__ goto("vmread %1, %0\n\tjbe %l[failed]"
                 : "=r"(value)
                 : "r"((uint64_t)code)
                 : "cc"
                 : failed);
    return value;
failed:
    vmcs_access_failed("vmread", code);
}

static inline void vmcs_write(uint32_t code, uint64_t value)
{
    __asm__ goto("vmwrite %0, %1\n\tjbe %l[failed]"
                 :
                 : "r"(value), "r"((uint64_t)code)
                 : "cc"
                 : failed);
    return;
failed:
    vmcs_access_failed("vmwrite", code);
}

/* For the fields of a width: their type, their constants, and reading and writing them in the
 * current VMCS. */
#define VMCS_FIELD(name, encoding) name __attribute__((unused)) = {encoding},
#define VMCS_WIDTH(width, type, fields)                                                            \
    struct vmcs_field##width {                                                                     \
        uint32_t code;                                                                             \
    };                                                                                             \
    static const struct vmcs_field##width fields(VMCS_FIELD) vmcs_end##width                       \
        __attribute__((unused)) = {0};                                                             \
    static inline type vmread##width(struct vmcs_field##width field)                               \
    {                                                                                              \
        return vmcs_read(field.code);                                                              \
    }                                                                                              \
    static inline void vmwrite##width(struct vmcs_field##width field, type value)                  \
    {                                                                                              \
        vmcs_write(field.code, value);                                                             \
    }
VMCS_WIDTH(16, uint16_t, VMCS_FIELDS_16)
VMCS_WIDTH(32, uint32_t, VMCS_FIELDS_32)
VMCS_WIDTH(64, uint64_t, VMCS_FIELDS_64)
VMCS_WIDTH(, uint64_t, VMCS_FIELDS_NATURAL)
#undef VMCS_WIDTH
#undef VMCS_FIELD
