/* SPDX-License-Identifier: BSD-2-Clause */
/* Messages and event flags. */
#include "core/hyperv/synic.h"

#include "core/string.h"

enum { FIRST_VECTOR = 16, FLAG_WORDS = HV_EVENT_FLAGS / 64 };
#define SINT_DEFINED (SINT_VECTOR | SINT_MASKED | SINT_AUTO_EOI | SINT_POLLING)

void synic_reset(struct synic *s, void *messages, void *flags, void (*raise)(void *, uint8_t),
                 void *arg)
{
    *s = (struct synic){.messages = messages, .flags = flags, .raise = raise, .arg = arg};
    for (unsigned i = 0; i < HV_SINTS; i++)
        s->sint[i] = SINT_MASKED;
}

/* The value after reset, masked with vector 0, may be written back. Reserved bits are dropped. */
bool synic_write_sint(struct synic *s, unsigned sint, uint64_t value)
{
    value &= SINT_DEFINED;
    if ((value & SINT_VECTOR) < FIRST_VECTOR && value != SINT_MASKED)
        return false;
    s->sint[sint] = value;
    s->auto_eoi &= (uint16_t)~BIT(sint);
    if ((value & (SINT_MASKED | SINT_AUTO_EOI)) == SINT_AUTO_EOI)
        s->auto_eoi |= (uint16_t)BIT(sint);
    return true;
}

static bool takes_messages(const struct synic *s)
{
    return (s->control & SCONTROL_ENABLE) && s->has_messages;
}

static void raise(struct synic *s, unsigned sint)
{
    if (!(s->sint[sint] & (SINT_MASKED | SINT_POLLING)))
        s->raise(s->arg, (uint8_t)(s->sint[sint] & SINT_VECTOR));
}

/*
 * The guest empties a slot first and looks at the flag then. So the flag comes first here, and the
 * slot is looked at again: one of the two sees the other.
 */
static bool is_taken(struct hv_message *slot)
{
    if (__atomic_load_n(&slot->type, __ATOMIC_ACQUIRE) == 0)
        return false;
    __atomic_fetch_or(&slot->flags, HV_MESSAGE_PENDING, __ATOMIC_SEQ_CST);
    return __atomic_load_n(&slot->type, __ATOMIC_SEQ_CST) != 0;
}

bool synic_deliver(struct synic *s, unsigned sint, const struct hv_message *message)
{
    struct hv_message *slot = &s->messages[sint];

    if (!takes_messages(s) || is_taken(slot))
        return false;
    memcpy(slot->payload, message->payload, sizeof(slot->payload));
    slot->size = message->size;
    slot->reserved = 0;
    slot->origin = message->origin;
    __atomic_store_n(&slot->flags, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&slot->type, message->type, __ATOMIC_RELEASE);
    raise(s, sint);
    return true;
}

void synic_retry(struct synic *s)
{
    uint32_t kept = 0;
    uint32_t blocked = 0; /* a bit per SINT: messages stay in order */

    for (uint32_t i = 0; i < s->queued; i++) {
        uint32_t bit = 1u << s->queue[i].sint;

        if (!(blocked & bit) && synic_deliver(s, s->queue[i].sint, &s->queue[i].message))
            continue;
        blocked |= bit;
        if (kept != i)
            s->queue[kept] = s->queue[i];
        kept++;
    }
    s->queued = kept;
}

/* Whether a message of the hypervisor's waits already: then it stands for the later ones, which
 * come again as long as what they tell of goes on. */
static bool has_own(const struct synic *s)
{
    for (uint32_t i = 0; i < s->queued; i++)
        if (s->queue[i].message.type & BIT(31))
            return true;
    return false;
}

enum hv_status synic_post(struct synic *s, unsigned sint, const struct hv_message *message,
                          bool own)
{
    if (!takes_messages(s) && !own)
        return HV_INVALID_SYNIC_STATE;
    bool waits = own && has_own(s);
    synic_retry(s);
    if (waits || (!own && s->queued >= SYNIC_QUEUE))
        return HV_INSUFFICIENT_BUFFERS;
    s->queue[s->queued].message = *message;
    s->queue[s->queued].sint = (uint8_t)sint;
    s->queued++;
    synic_retry(s);
    return HV_SUCCESS;
}

enum hv_status synic_signal(struct synic *s, unsigned sint, unsigned flag)
{
    if (!(s->control & SCONTROL_ENABLE) || !s->has_flags || s->sint[sint] & SINT_MASKED)
        return HV_INVALID_SYNIC_STATE;
    uint64_t *word = &s->flags[sint * FLAG_WORDS + flag / 64];
    if (!(__atomic_fetch_or(word, BIT(flag % 64), __ATOMIC_SEQ_CST) & BIT(flag % 64)))
        raise(s, sint);
    return HV_SUCCESS;
}

bool synic_auto_eoi(const struct synic *s, uint8_t vector)
{
    for (unsigned i = 0; s->auto_eoi >> i != 0; i++)
        if ((s->auto_eoi >> i & 1) && (s->sint[i] & SINT_VECTOR) == vector)
            return true;
    return false;
}
