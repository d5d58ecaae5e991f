/* SPDX-License-Identifier: BSD-2-Clause */
/* A context's synthetic interrupts and timers: their clock, their way to its local APIC. */
#include "core/hyperv/vp.h"

#include "core/epoch.h"
#include "core/hyperv/vtl.h"
#include "core/string.h"

/* HV_TIMER_MESSAGE_PAYLOAD. */
struct timer_message {
    uint32_t timer;
    uint32_t reserved;
    uint64_t expired;
    uint64_t delivered;
};

static uint64_t now_of(const struct context *ctx)
{
    return hv_time(ctx->vcpu->vm);
}

/* Inside the epoch. */
static void raise(void *arg, uint8_t vector)
{
    struct context *ctx = arg;

    lapic_post(&ctx->lapic, vector);
}

void hv_synic_init(struct context *ctx)
{
    struct hv_context *hv = ctx->hv;

    synic_reset(&hv->synic, hv->messages.page, hv->event_flags.page, raise, ctx);
    for (unsigned i = 0; i < HV_TIMERS; i++)
        stimer_reset(&hv->timers[i]);
    hv->due = UINT64_MAX;
}

struct synic *hv_synic_lock(struct context *ctx)
{
    epoch_enter();
    spin_lock(&ctx->hv->lock);
    return &ctx->hv->synic;
}

void hv_synic_unlock(struct context *ctx)
{
    spin_unlock(&ctx->hv->lock);
    epoch_leave();
}

/* ---- Timers ---------------------------------------------------------------------------------- */

static bool send_message(struct context *ctx, unsigned timer, const struct stimer *t)
{
    const struct timer_message payload = {
        .timer = timer, .expired = t->expired, .delivered = now_of(ctx)};
    struct hv_message message = {.type = (uint32_t)HV_MESSAGE_TIMER_EXPIRED,
                                 .size = sizeof(payload)};

    memcpy(message.payload, &payload, sizeof(payload));
    return synic_deliver(&ctx->hv->synic, (unsigned)field_get(t->config, STIMER_SINT), &message);
}

/* Announces what expired. What finds no room is tried again. */
static void announce(struct context *ctx)
{
    for (unsigned i = 0; i < HV_TIMERS; i++) {
        struct stimer *t = &ctx->hv->timers[i];

        if (!t->owed)
            continue;
        if (t->config & STIMER_DIRECT) {
            raise(ctx, (uint8_t)field_get(t->config, STIMER_VECTOR));
            t->owed = false;
        } else {
            t->owed = !send_message(ctx, i, t);
        }
    }
}

static void set_due(struct context *ctx)
{
    uint64_t due = STIMER_NEVER;

    for (unsigned i = 0; i < HV_TIMERS; i++)
        due = min(due, stimer_due(&ctx->hv->timers[i]));
    ctx->hv->due = due == STIMER_NEVER ? UINT64_MAX : hv_tsc_at(ctx->vcpu->vm->hv->time_scale, due);
}

bool hv_write_timer(struct context *ctx, uint32_t offset, uint64_t value)
{
    struct stimer *t = &ctx->hv->timers[offset / 2];

    if (offset % 2 != 0)
        stimer_write_count(t, value, now_of(ctx));
    else if (!stimer_write_config(t, value, now_of(ctx)))
        return false;
    set_due(ctx);
    ctx->vmx.leave |= VMX_ATTEND;
    return true;
}

/* Inside the epoch. */
static void retry(struct context *ctx)
{
    spin_lock(&ctx->hv->lock);
    synic_retry(&ctx->hv->synic);
    announce(ctx);
    spin_unlock(&ctx->hv->lock);
}

static bool waits_for_room(const struct hv_context *hv)
{
    bool owed = hv->synic.queued > 0;

    for (unsigned i = 0; i < HV_TIMERS; i++)
        owed = owed || hv->timers[i].owed;
    return owed;
}

void hv_expire(struct context *ctx, uint64_t now)
{
    if (now < ctx->hv->due)
        return;
    for (unsigned i = 0; i < HV_TIMERS; i++)
        stimer_expire(&ctx->hv->timers[i], hv_time_at(ctx->vcpu->vm->hv->time_scale, now));
    set_due(ctx);
    retry(ctx);
}

uint64_t hv_deadline(const struct context *ctx)
{
    return ctx->hv->due;
}

void hv_retry(struct context *ctx)
{
    if (!waits_for_room(ctx->hv))
        return;
    epoch_enter();
    retry(ctx);
    epoch_leave();
}

bool hv_auto_eoi(const struct context *ctx)
{
    return ctx->hv->synic.auto_eoi != 0;
}

void hv_eoi_exits(const struct context *ctx, uint64_t bitmap[4])
{
    for (unsigned i = 0; i < HV_SINTS; i++) {
        uint64_t vector = ctx->hv->synic.sint[i] & SINT_VECTOR;

        if (!(ctx->hv->synic.sint[i] & SINT_MASKED))
            bitmap[vector / 64] |= BIT(vector % 64);
    }
}

void hv_acknowledged(struct context *ctx, uint8_t vector)
{
    if (!synic_auto_eoi(&ctx->hv->synic, vector) && !hv_vina_auto_eoi(ctx, vector))
        return;
    epoch_enter();
    lapic_eoi(&ctx->lapic);
    epoch_leave();
}
