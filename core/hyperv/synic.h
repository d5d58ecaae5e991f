/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The synthetic interrupt controller of a virtual processor in one VTL: messages and event flags.
 * TLFS, "Inter-Partition Communication" and "Virtual Interrupt Controller". Pure: the caller
 * serializes, and raises the interrupts at the local APIC.
 */
#pragma once

#include <stdbool.h>

#include "core/hyperv/tlfs.h"

enum {
    HV_MESSAGE_PAYLOAD = 240,
    HV_MESSAGE_TIMER_EXPIRED = (int)0x80000010,
    HV_EVENT_FLAGS = 2048, /* per SINT */
    SYNIC_QUEUE = 8,       /* messages of guests that wait for their slots */
    SYNIC_QUEUE_OWN = 1,   /* and of the hypervisor's: those have bit 31 in their type */
};

/* HV_MESSAGE. The guest may change it at any time. */
struct hv_message {
    uint32_t type; /* 0: the slot is empty */
    uint8_t size;
    uint8_t flags;
    uint16_t reserved;
    uint64_t origin;
    uint8_t payload[HV_MESSAGE_PAYLOAD];
};
_Static_assert(sizeof(struct hv_message) == 256, "as the TLFS has it");

#define HV_MESSAGE_PENDING 1 /* flags: another one waits for the slot */

#define SCONTROL_ENABLE BIT(0)
#define SINT_VECTOR     MASK(7, 0)
#define SINT_MASKED     BIT(16)
#define SINT_AUTO_EOI   BIT(17)
#define SINT_POLLING    BIT(18)

struct synic {
    uint64_t control; /* SCONTROL */
    uint64_t sint[HV_SINTS];
    uint16_t auto_eoi;            /* a bit per SINT: unmasked, and wants no EOI */
    struct hv_message *messages;  /* HV_SINTS slots, a page */
    uint64_t *flags;              /* HV_EVENT_FLAGS bits for each SINT, a page */
    bool has_messages, has_flags; /* the guest has enabled the page */
    struct {
        struct hv_message message;
        uint8_t sint;
    } queue[SYNIC_QUEUE + SYNIC_QUEUE_OWN]; /* oldest first */
    uint32_t queued;

    void (*raise)(void *arg, uint8_t vector); /* an edge at the local APIC */
    void *arg;
};

/* The state after reset, with these pages, which are zeroed. */
void synic_reset(struct synic *s, void *messages, void *flags, void (*raise)(void *, uint8_t),
                 void *arg);

/* False: #GP. */
bool synic_write_sint(struct synic *s, unsigned sint, uint64_t value);

/*
 * Puts a message into its slot if that is empty and the guest has a message page, and raises the
 * interrupt unless the source is masked or polled. False: it did not go; if the slot is taken the
 * message there says now that another one waits.
 */
bool synic_deliver(struct synic *s, unsigned sint, const struct hv_message *message);

/*
 * Delivers or queues a message behind the others for its slot. @own: the hypervisor's, of which one
 * waits at most. Answers
 * HV_SUCCESS, HV_INSUFFICIENT_BUFFERS, or HV_INVALID_SYNIC_STATE when the guest takes no messages.
 */
enum hv_status synic_post(struct synic *s, unsigned sint, const struct hv_message *message,
                          bool own);

/* Tries the queue again: the guest wrote EOM, or anything else made room. */
void synic_retry(struct synic *s);

/* Sets an event flag, and raises the interrupt if it was clear. HV_SUCCESS or
 * HV_INVALID_SYNIC_STATE; @flag is below HV_EVENT_FLAGS. */
enum hv_status synic_signal(struct synic *s, unsigned sint, unsigned flag);

/* Whether the interrupt @vector comes from a source that wants no EOI. */
bool synic_auto_eoi(const struct synic *s, uint8_t vector);
