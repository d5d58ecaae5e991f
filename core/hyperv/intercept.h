/* SPDX-License-Identifier: BSD-2-Clause */
/* Telling a higher VTL what a lower one is not allowed to do. TLFS, "Intercepts". */
#pragma once

#include "core/hyperv/state.h"

/* HV_INTERCEPT_ACCESS_TYPE */
enum hv_access { HV_ACCESS_READ, HV_ACCESS_WRITE, HV_ACCESS_EXECUTE };

/* HV_X64_INTERCEPT_MESSAGE_HEADER */
struct hv_intercept_header {
    uint32_t vp;
    uint8_t length_and_cr8; /* of the instruction, 0: unknown; CR8 in bits 7:4 */
    uint8_t access;         /* enum hv_access */
    uint16_t state;
    struct {
        uint64_t base;
        uint32_t limit;
        uint16_t selector, attributes;
    } cs;
    uint64_t rip;
    uint64_t rflags;
};
_Static_assert(sizeof(struct hv_intercept_header) == 40, "as the TLFS has it");

/* What happened in the active context of @vcpu, whose instruction has @length bytes; 0: unknown. */
void hv_fill_header(struct vcpu *vcpu, struct hv_intercept_header *header, enum hv_access access,
                    unsigned length);

/*
 * Sends @payload to SINT0 of @to, and lets the active context end its turn: @to is entered when its
 * interrupt comes through. An earlier message that waits for its slot stays; the access is made
 * again, and refused again, when the lower VTL goes on.
 */
void hv_send_intercept(struct context *to, uint32_t type, const void *payload, uint8_t size);

enum {
    HV_MESSAGE_GPA_INTERCEPT = (int)0x80000001,
    HV_MESSAGE_MSR_INTERCEPT = (int)0x80010001,
    HV_MESSAGE_REGISTER_INTERCEPT = (int)0x80010006,
};

/*
 * An access of the active context to guest-physical memory that did not succeed. False: there is
 * nothing but a device, or nothing. Else *action says what becomes of the instruction.
 */
bool hv_violation(struct vcpu *vcpu, const struct vmx_ept_violation *violation,
                  enum vmx_action *action);
