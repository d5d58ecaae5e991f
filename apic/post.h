/* SPDX-License-Identifier: BSD-2-Clause */
/* What other CPUs may write of an APIC: the hardware's posted-interrupt descriptor and, behind it,
 * a mailbox for what the descriptor cannot carry. Everything else belongs to the owner. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct lapic;

/* Posted-interrupt descriptor, bits 256 and up (SDM Vol 3C, "Posted-Interrupt Processing"). */
#define APIC_PI_ON         (UINT64_C(1) << 0) /* outstanding notification */
#define APIC_PI_NV_SHIFT   16                 /* notification vector, 8 bits */
#define APIC_PI_NDST_SHIFT 32                 /* notification destination, 32 bits */

/* Mailbox events; bits 1:0 count NMIs (0 to 2), bits 15:8 hold the SIPI vector. */
#define APIC_EVENT_NMI_MASK   UINT32_C(3)
#define APIC_EVENT_INIT       (UINT32_C(1) << 2)
#define APIC_EVENT_SIPI       (UINT32_C(1) << 3)
#define APIC_EVENT_EXTINT     (UINT32_C(1) << 4)
#define APIC_EVENT_LEVEL      (UINT32_C(1) << 5) /* `level` below is not empty */
#define APIC_EVENT_BAD_VECTOR (UINT32_C(1) << 6) /* a message with vector 0-15 arrived */
#define APIC_EVENT_SIPI_SHIFT 8

/* The owner of the APIC supplies this (64-byte aligned; the first 64 bytes are what the VMCS's
 * posted-interrupt-descriptor address names). Packed arrays of it keep senders' cache footprint
 * small; a page each works too. lapic_init() fills it in. */
struct apic_post {
    _Alignas(64) _Atomic uint64_t pir[4];
    _Atomic uint64_t control;
    /* Bit n: TMR says "level" for one of vectors 4n to 4n+3. Written by the owner; the manual
     * leaves the rest of the descriptor to software. */
    _Atomic uint64_t levels;
    uint64_t reserved[2];

    /* Vectors that arrived level-triggered. The hardware moves PIR to IRR without touching TMR, so
     * these go past it. */
    _Alignas(64) _Atomic uint64_t level[4];
    _Atomic uint32_t events;
    uint32_t index;
    struct lapic *lapic;
    void *owner;
};

_Static_assert(offsetof(struct apic_post, control) == 32, "ON is bit 256 of the descriptor");
_Static_assert(offsetof(struct apic_post, level) == 64, "the descriptor is 64 bytes");
_Static_assert(sizeof(struct apic_post) == 128, "two cache lines");

/* Sets where the hardware or `kick` sends the notification: physical `vector` to the physical
 * APIC `ndst` (as the descriptor's NDST field wants it). Owner only; ON is kept. */
void apic_post_notify(struct apic_post *post, uint8_t vector, uint32_t ndst);

/* Is anything posted that the owner has not merged yet? Any CPU. Together with "the owner publishes
 * that it halts, then asks again" no wake-up is lost: a poster sets its bit before it kicks. */
static inline bool apic_posted(const struct apic_post *post)
{
    uint64_t any = (atomic_load(&post->control) & APIC_PI_ON) | atomic_load(&post->events);
    any |= atomic_load(&post->pir[0]) | atomic_load(&post->pir[1]);
    any |= atomic_load(&post->pir[2]) | atomic_load(&post->pir[3]);
    return any != 0;
}
