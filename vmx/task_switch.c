/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Hardware task switches, which VMX leaves to software: by CALL, JMP and IRET, and through task
 * gates of the IDT. Sources: SDM Vol 3A, "Task Switching"; Vol 3C, "Treatment of Task Switches".
 *
 * Up to the commit point every fault is one of the old task, with nothing changed; behind it the
 * new task is in place and faults are its own.
 */
#include "vmx/control_rules.h"
#include "vmx/internal.h"
#include "vmx/segment_load.h"
#include "vmx/segment_rules.h"
#include "vmx/tss.h"

enum {
    ERROR_EXT = 1 << 0,
    ERROR_IDT = 1 << 1,
};

#define DR6_BT         BIT(15)
#define DR7_LOCAL      (BIT(0) | BIT(2) | BIT(4) | BIT(6) | BIT(8))
#define EFLAGS_OF_TASK (MASK(21, 0) & ~(BIT(15) | BIT(5) | BIT(3)))
#define GATE_DPL(gate) field_get(gate, MASK(46, 45))

struct task_exit {
    struct vmx_context *ctx;
    struct task_switch request;
    uint32_t event; /* whose delivery goes through the gate; 0: none */
    struct vmx_segment old_tr, new_tr;
    struct task_image image; /* of the new task */
    uint8_t old_tss[TSS_SIZE_MAX];
    uint8_t new_tss[TSS_SIZE_MAX];
    struct vmx_exception fault;
};

/* ---- Small things ---------------------------------------------------------------------------- */

static bool is_32bit(const struct vmx_segment *tr)
{
    return tr->access & TYPE_TSS_32;
}

static unsigned tss_size(const struct vmx_segment *tr)
{
    return is_32bit(tr) ? TSS_SIZE_32 : TSS_SIZE_16;
}

/* The old task is to be continued by the new one's IRET. */
static bool is_nested(const struct task_exit *t)
{
    return t->request.source == TASK_CALL || t->request.source == TASK_GATE;
}

static bool by_instruction(const struct task_exit *t)
{
    return t->event == 0 || field_get(t->event, EVENT_TYPE) >= EVENT_SOFTWARE_INTERRUPT;
}

static uint32_t selector_error(const struct task_exit *t, uint16_t selector)
{
    return (selector & ~3u) | (by_instruction(t) ? 0 : ERROR_EXT);
}

static enum vmx_action raise(struct task_exit *t, uint8_t vector, uint32_t error)
{
    t->fault = (struct vmx_exception){.vector = vector, .has_error = true, .error = error};
    return VMX_RAISE;
}

static enum vmx_action read_system(struct task_exit *t, uint64_t base, unsigned offset, void *to,
                                   size_t size, unsigned access)
{
    struct vmx_context *ctx = t->ctx;
    return ctx->client->read(ctx->owner, (uint32_t)(base + offset), to, size,
                             access | VMX_ACCESS_SYSTEM, &t->fault);
}

static enum vmx_action write_system(struct task_exit *t, uint64_t base, unsigned offset,
                                    const void *from, size_t size)
{
    struct vmx_context *ctx = t->ctx;
    return ctx->client->write(ctx->owner, (uint32_t)(base + offset), from, size,
                              VMX_ACCESS_WRITE | VMX_ACCESS_SYSTEM, &t->fault);
}

/* ---- Before the commit point ----------------------------------------------------------------- */

/* Only software interrupts have to be allowed to use the gate. */
static enum vmx_action check_gate(struct task_exit *t)
{
    unsigned type = field_get(t->event, EVENT_TYPE);
    if (type != EVENT_SOFTWARE_INTERRUPT && type != EVENT_SOFTWARE_EXCEPTION)
        return VMX_NEXT;
    unsigned offset = field_get(t->event, EVENT_VECTOR) * DESCRIPTOR_SIZE;
    uint64_t gate;
    enum vmx_action action =
        read_system(t, vmread(GUEST_IDTR_BASE), offset, &gate, sizeof(gate), 0);
    if (action != VMX_NEXT)
        return action;
    if (GATE_DPL(gate) < vmx_cpl(t->ctx))
        return raise(t, EXCEPTION_GP, offset | ERROR_IDT);
    return VMX_NEXT;
}

static enum vmx_action check_new_tss(struct task_exit *t)
{
    uint16_t selector = t->request.selector;
    uint32_t error = selector_error(t, selector);
    bool iret = t->request.source == TASK_IRET;
    uint8_t wrong = iret ? EXCEPTION_TS : EXCEPTION_GP;
    unsigned offset = selector & SELECTOR_INDEX;
    if ((selector & SELECTOR_LDT) || offset == 0 ||
        offset + DESCRIPTOR_SIZE - 1 > vmread32(GUEST_GDTR_LIMIT))
        return raise(t, wrong, error);

    uint64_t descriptor;
    enum vmx_action action = read_system(t, vmread(GUEST_GDTR_BASE), offset, &descriptor,
                                         sizeof(descriptor), VMX_ACCESS_WRITE);
    if (action != VMX_NEXT)
        return action;
    t->new_tr = segment_of_descriptor(selector, descriptor);
    bool busy = t->new_tr.access & TYPE_TSS_BUSY;
    if (!is_tss(&t->new_tr) || busy != iret)
        return raise(t, wrong, error);
    if (!(t->new_tr.access & SEGMENT_P))
        return raise(t, EXCEPTION_NP, error);
    if (t->new_tr.limit < tss_size(&t->new_tr) - 1)
        return raise(t, EXCEPTION_TS, error);
    return VMX_NEXT;
}

/* Reads both TSSs, asking for the right to write where that will be needed. */
static enum vmx_action read_tasks(struct task_exit *t)
{
    t->old_tr = vmx_get_segment(t->ctx, VMX_TR);
    struct tss_part part = tss_saved_part(is_32bit(&t->old_tr));
    enum vmx_action action = read_system(t, t->old_tr.base, part.offset, t->old_tss + part.offset,
                                         part.size, VMX_ACCESS_WRITE);
    if (action != VMX_NEXT)
        return action;
    action = read_system(t, t->new_tr.base, 0, t->new_tss, tss_size(&t->new_tr),
                         is_nested(t) ? VMX_ACCESS_WRITE : 0);
    if (action == VMX_NEXT)
        tss_decode(&t->image, t->new_tss, is_32bit(&t->new_tr));
    return action;
}

/* ---- The commit point ------------------------------------------------------------------------ */

static struct task_image current_task(const struct task_exit *t)
{
    struct vmx_context *ctx = t->ctx;
    uint64_t length = by_instruction(t) ? vmread32(EXIT_INSTRUCTION_LENGTH) : 0;
    uint64_t eflags = vmread(GUEST_RFLAGS);
    if (t->request.source == TASK_IRET)
        eflags &= ~(uint64_t)RFLAGS_NT;
    struct task_image image = {
        .eip = (uint32_t)(vmread(GUEST_RIP) + length),
        .eflags = (uint32_t)eflags,
    };
    for (unsigned i = 0; i < TASK_GPRS; i++)
        image.gpr[i] = (uint32_t)gpr_read(ctx, i);
    for (unsigned i = 0; i < TASK_SELECTORS; i++)
        image.selector[i] = vmx_get_segment(ctx, (enum vmx_segment_name)i).selector;
    return image;
}

static enum vmx_action save_old_task(struct task_exit *t)
{
    bool wide = is_32bit(&t->old_tr);
    struct task_image image = current_task(t);
    tss_encode(t->old_tss, &image, wide);
    struct tss_part part = tss_saved_part(wide);
    return write_system(t, t->old_tr.base, part.offset, t->old_tss + part.offset, part.size);
}

static enum vmx_action set_busy(struct task_exit *t, const struct vmx_segment *tr, bool busy)
{
    unsigned rest = (unsigned)tr->access & 0xff & ~(unsigned)TYPE_TSS_BUSY;
    uint8_t access = (uint8_t)(rest | (busy ? TYPE_TSS_BUSY : 0));
    unsigned offset = (tr->selector & SELECTOR_INDEX) + DESCRIPTOR_ACCESS;
    return write_system(t, vmread(GUEST_GDTR_BASE), offset, &access, sizeof(access));
}

static enum vmx_action commit(struct task_exit *t)
{
    enum vmx_action action = save_old_task(t);
    if (action == VMX_NEXT && !is_nested(t))
        action = set_busy(t, &t->old_tr, false);
    if (action == VMX_NEXT && t->request.source != TASK_IRET)
        action = set_busy(t, &t->new_tr, true);
    if (action == VMX_NEXT && is_nested(t)) {
        uint16_t link = t->old_tr.selector;
        action = write_system(t, t->new_tr.base, 0, &link, sizeof(link));
        t->image.eflags |= RFLAGS_NT;
    }
    return action;
}

/* ---- In the new task ------------------------------------------------------------------------- */

/* NMIs: the end of IRET unblocks them; delivering one blocks them. */
static void update_blocking(const struct task_exit *t)
{
    uint32_t blocking = vmread32(GUEST_INTERRUPTIBILITY);
    blocking &= ~(uint32_t)(BLOCKING_BY_STI | BLOCKING_BY_MOV_SS);
    if (t->request.source == TASK_IRET)
        blocking &= ~(uint32_t)BLOCKING_BY_NMI;
    if (t->event != 0 && field_get(t->event, EVENT_TYPE) == EVENT_NMI)
        blocking |= BLOCKING_BY_NMI;
    vmwrite32(GUEST_INTERRUPTIBILITY, blocking);
}

static void load_registers(struct task_exit *t)
{
    struct vmx_context *ctx = t->ctx;
    t->new_tr.access |= TYPE_TSS_BUSY;
    vmx_set_segment(ctx, VMX_TR, &t->new_tr);
    vmx_set(ctx, VMX_CR0, vmx_get(ctx, VMX_CR0) | CR0_TS);
    vmwrite(GUEST_DR7, vmread(GUEST_DR7) & ~(uint64_t)DR7_LOCAL);
    vmwrite(GUEST_RIP, t->image.eip);
    vmwrite(GUEST_RFLAGS, (t->image.eflags & EFLAGS_OF_TASK) | RFLAGS_ONE);
    for (unsigned i = 0; i < TASK_GPRS; i++)
        gpr_write(ctx, i, t->image.gpr[i]);
    update_blocking(t);
}

/* A 16-bit TSS has no CR3, and without paging it is not loaded. */
static enum vmx_action load_cr3(struct task_exit *t)
{
    struct vmx_context *ctx = t->ctx;
    if (!is_32bit(&t->new_tr) || !(vmread(GUEST_CR0) & CR0_PG))
        return VMX_NEXT;
    vmwrite(GUEST_CR3, t->image.cr3);
    vmx_flush_linear(ctx);
    if ((vmread(GUEST_CR4) & CR4_PAE) && !vmx_load_pdptes(ctx, t->image.cr3))
        return raise(t, EXCEPTION_GP, 0);
    return VMX_NEXT;
}

/*
 * Selectors are loaded before descriptors are looked at: a fault finds flat code and stack at the
 * new privilege level, and no data segments.
 */
static void load_selectors(struct task_exit *t, unsigned cpl)
{
    uint32_t flat = SEGMENT_G | SEGMENT_DB | SEGMENT_P | SEGMENT_S | SEGMENT_WRITABLE |
                    SEGMENT_ACCESSED | cpl << SEGMENT_DPL_SHIFT;
    for (unsigned i = 0; i < TASK_SELECTORS; i++) {
        struct vmx_segment segment = {.selector = t->image.selector[i], .limit = UINT32_MAX};
        if (i == VMX_CS)
            segment.access = flat | SEGMENT_CODE;
        else if (i == VMX_SS)
            segment.access = flat;
        else
            segment.access = SEGMENT_UNUSABLE;
        vmx_set_segment(t->ctx, (enum vmx_segment_name)i, &segment);
    }
    struct vmx_segment ldtr = {.selector = t->image.ldt, .access = SEGMENT_UNUSABLE};
    vmx_set_segment(t->ctx, VMX_LDTR, &ldtr);
}

static enum vmx_action load_segment(struct task_exit *t, enum vmx_segment_name name,
                                    uint16_t selector, unsigned cpl)
{
    const struct segment_load load = {
        .name = name,
        .selector = selector,
        .cpl = cpl,
        .wrong = EXCEPTION_TS,
        .error = selector_error(t, selector),
    };
    if (!selector_is_null(selector))
        return segment_load_descriptor(t->ctx, &load, &t->fault);
    if (name == VMX_CS || name == VMX_SS)
        return raise(t, EXCEPTION_TS, load.error);
    return VMX_NEXT; /* load_selectors() has left it unusable */
}

static void load_v86_segments(struct task_exit *t)
{
    for (unsigned i = 0; i < TASK_SELECTORS; i++) {
        uint16_t selector = t->image.selector[i];
        struct vmx_segment segment = {
            .selector = selector,
            .base = (uint64_t)selector << 4,
            .limit = 0xffff,
            .access = SEGMENT_P | SEGMENT_DPL | SEGMENT_S | SEGMENT_WRITABLE | SEGMENT_ACCESSED,
        };
        vmx_set_segment(t->ctx, (enum vmx_segment_name)i, &segment);
    }
}

static enum vmx_action load_segments(struct task_exit *t)
{
    static const enum vmx_segment_name order[] = {VMX_CS, VMX_SS, VMX_DS, VMX_ES, VMX_FS, VMX_GS};
    bool v86 = t->image.eflags & RFLAGS_VM;
    unsigned cpl = v86 ? 3 : t->image.selector[VMX_CS] & 3;
    load_selectors(t, cpl);
    if (v86)
        load_v86_segments(t);
    enum vmx_action action = load_segment(t, VMX_LDTR, t->image.ldt, cpl);
    for (unsigned i = 0; i < ARRAY_SIZE(order) && action == VMX_NEXT && !v86; i++)
        action = load_segment(t, order[i], t->image.selector[order[i]], cpl);
    if (action == VMX_NEXT && t->image.eip > vmread32(GUEST_CS_LIMIT))
        return raise(t, EXCEPTION_GP, by_instruction(t) ? 0 : ERROR_EXT);
    return action;
}

/* The error code of the exception that came through the gate, as wide as the TSS. */
static enum vmx_action push_error(struct task_exit *t)
{
    struct vmx_context *ctx = t->ctx;
    if (!(t->event & EVENT_HAS_ERROR))
        return VMX_NEXT;
    struct vmx_segment ss = vmx_get_segment(ctx, VMX_SS);
    uint64_t mask = ss.access & SEGMENT_DB ? MASK(31, 0) : MASK(15, 0);
    unsigned size = is_32bit(&t->new_tr) ? 4 : 2;
    uint64_t rsp = vmread(GUEST_RSP);
    uint64_t top = (rsp - size) & mask;
    struct segment_use use = {
        .offset = top,
        .size = size,
        .write = true,
        .real_mode = vmread(GUEST_RFLAGS) & RFLAGS_VM,
    };
    uint64_t linear;
    if (!segment_linear(&ss, &use, &linear))
        return raise(t, EXCEPTION_SS, ERROR_EXT);
    enum vmx_action action = ctx->client->write(ctx->owner, linear, &ctx->event_error, size,
                                                VMX_ACCESS_WRITE, &t->fault);
    if (action == VMX_NEXT)
        vmwrite(GUEST_RSP, (rsp & ~mask) | top);
    return action;
}

static void trap_new_task(struct task_exit *t)
{
    struct vmx_context *ctx = t->ctx;
    if (!t->image.trap)
        return;
    vmx_set(ctx, VMX_DR6, vmx_get(ctx, VMX_DR6) | DR6_BT);
    vmx_inject_exception(ctx, &(struct vmx_exception){.vector = EXCEPTION_DB});
}

static enum vmx_action enter_new_task(struct task_exit *t)
{
    load_registers(t);
    enum vmx_action action = load_cr3(t);
    if (action == VMX_NEXT)
        action = load_segments(t);
    if (action == VMX_NEXT)
        action = push_error(t);
    return action;
}

/* ---- The exit -------------------------------------------------------------------------------- */

enum vmx_outcome exit_task_switch(struct vmx_context *ctx)
{
    event_requeue(ctx);
    struct task_exit t = {
        .ctx = ctx,
        .request = decode_task_switch(vmread(EXIT_QUALIFICATION)),
        .event = ctx->event,
    };
    enum vmx_action action = check_gate(&t);
    if (action == VMX_NEXT)
        action = check_new_tss(&t);
    if (action == VMX_NEXT)
        action = read_tasks(&t);
    if (action == VMX_NEXT)
        action = commit(&t);
    if (action != VMX_NEXT)
        return vmx_act(ctx, action, &t.fault);

    ctx->event = 0;
    action = enter_new_task(&t);
    if (action != VMX_NEXT)
        return vmx_act(ctx, action, &t.fault);
    trap_new_task(&t);
    return VMX_RESUME;
}
