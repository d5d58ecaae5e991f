/* SPDX-License-Identifier: BSD-2-Clause */
/* Hypercalls as their handlers see them, and the table of those that exist (calls.c). */
#pragma once

#include "core/hyperv/state.h"

struct hv_hypercall {
    struct vcpu *vcpu;
    uint64_t input;    /* the hypercall input value */
    bool long_mode;    /* the caller is in 64-bit mode */
    const uint8_t *in; /* copy of the parameters: header, variable header, elements; aligned */
    uint8_t *out;      /* zeroed room for what the call returns: header, elements */
    uint32_t variable; /* bytes of variable header */
    uint32_t count;    /* elements of a rep call; 0: a simple call */
    uint32_t index;    /* the element to do next; the ones before are done */
    const uint8_t *elements; /* element 0 of the input */
    uint64_t deadline;       /* host TSC: then a rep call gives the guest's events a chance */
    uint32_t first;          /* element that this execution began with */
};

enum hv_call_flags {
    HV_REP = 1 << 0,
    HV_FAST = 1 << 1,     /* may be called with parameters in registers */
    HV_VARIABLE = 1 << 2, /* has a variable header */
    HV_RAW = 1 << 3,      /* looks at the input value and the registers by itself */
};

/*
 * The handler of a simple call acts and answers. That of a rep call does its elements one by one,
 *
 *     for (; hv_more(call); call->index++)
 *         if (...) return the status of element call->index;
 *     return HV_SUCCESS;
 *
 * and is called again for what is left when time was up.
 */
struct hv_call {
    enum hv_status (*handler)(struct hv_hypercall *call);
    uint16_t flags;   /* enum hv_call_flags */
    uint16_t header;  /* bytes of fixed input header */
    uint16_t element; /* bytes of an input element */
    uint16_t output;  /* bytes of fixed output */
    uint16_t output_element;
    uint64_t privilege; /* that a caller has to have; 0: none */
};

/* By call code; those without a handler do not exist. */
extern const struct hv_call hv_calls[HV_CALLS];

/* Whether a rep call's handler should do another element. */
bool hv_more(const struct hv_hypercall *call);

/* The VTL that the caller runs in. */
static inline unsigned hv_caller_vtl(const struct hv_hypercall *call)
{
    return call->vcpu->active->vtl;
}

/*
 * The VTL that an HV_INPUT_VTL names. HV_SUCCESS; HV_INVALID_PARAMETER with a reserved bit set,
 * HV_ACCESS_DENIED for one above the caller's.
 */
enum hv_status hv_input_vtl(const struct hv_hypercall *call, uint8_t input, unsigned *vtl);

/* ---- Handlers: flush.c, interrupts.c --------------------------------------------------------- */

enum hv_status hv_flush_space(struct hv_hypercall *call);
enum hv_status hv_flush_list(struct hv_hypercall *call);
enum hv_status hv_flush_space_ex(struct hv_hypercall *call);
enum hv_status hv_flush_list_ex(struct hv_hypercall *call);
enum hv_status hv_send_ipi(struct hv_hypercall *call);
enum hv_status hv_send_ipi_ex(struct hv_hypercall *call);
enum hv_status hv_post_message(struct hv_hypercall *call);
enum hv_status hv_signal_event(struct hv_hypercall *call);
