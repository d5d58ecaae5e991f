/* SPDX-License-Identifier: BSD-2-Clause */
/* The posted-interrupt descriptor and the mailbox behind it: senders' side, and the owner's
 * settings. lapic_merge() empties them. */
#include "apic/post.h"

#include "apic/internal.h"

void apic_post_clear(struct apic_post *post)
{
    atomic_fetch_and(&post->control, ~APIC_PI_ON);
    (void)atomic_exchange(&post->events, 0);
    for (unsigned i = 0; i < 4; i++) {
        (void)atomic_exchange(&post->pir[i], 0);
        (void)atomic_exchange(&post->level[i], 0);
    }
}

void apic_post_notify(struct apic_post *post, uint8_t vector, uint32_t ndst)
{
    uint64_t target = (uint64_t)vector << APIC_PI_NV_SHIFT | (uint64_t)ndst << APIC_PI_NDST_SHIFT;
    uint64_t old = atomic_load(&post->control);
    while (!atomic_compare_exchange_weak(&post->control, &old, (old & APIC_PI_ON) | target)) {
    }
}

/* Adds events; a kick is due when the mailbox was empty before, else one is already on its way. */
static bool add_events(struct apic_post *post, uint32_t events)
{
    return atomic_fetch_or(&post->events, events) == 0;
}

bool apic_post_level(struct apic_post *post, uint8_t vector)
{
    atomic_fetch_or(&post->level[vector / APIC_VECTORS_PER_WORD],
                    UINT64_C(1) << (vector % APIC_VECTORS_PER_WORD));
    return add_events(post, APIC_EVENT_LEVEL);
}

bool apic_post_bad_vector(struct apic_post *post)
{
    return add_events(post, APIC_EVENT_BAD_VECTOR);
}

/* The mailbox after one more message. NMIs count to two: one in service and one latched is what
 * a processor can hold. An INIT cancels NMIs and a SIPI that came before it; of two SIPIs the first
 * one starts the processor and the second finds it running. */
static uint32_t with_event(uint32_t events, const struct apic_msg *msg)
{
    switch (msg->delivery) {
    case APIC_NMI:
        return (events & APIC_EVENT_NMI_MASK) == 2 ? events : events + 1;
    case APIC_INIT:
        events &=
            ~(APIC_EVENT_NMI_MASK | APIC_EVENT_SIPI | UINT32_C(0xFF) << APIC_EVENT_SIPI_SHIFT);
        return events | APIC_EVENT_INIT;
    case APIC_SIPI:
        if ((events & APIC_EVENT_SIPI) != 0)
            return events;
        return events | APIC_EVENT_SIPI | (uint32_t)msg->vector << APIC_EVENT_SIPI_SHIFT;
    default:
        return events | APIC_EVENT_EXTINT;
    }
}

bool apic_post_event(struct apic_post *post, const struct apic_msg *msg)
{
    uint32_t old = atomic_load(&post->events);
    while (!atomic_compare_exchange_weak(&post->events, &old, with_event(old, msg))) {
    }
    return old == 0;
}
