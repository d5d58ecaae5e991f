/* SPDX-License-Identifier: BSD-2-Clause */
/* Loading a segment register. Sources: SDM Vol 3A, "Segment Selectors" and "Privilege Level
 * Checking When Accessing Data Segments"; Vol 2B, "MOV - Move". */
#include "vmx/segment_load.h"

#include "vmx/internal.h"
#include "vmx/tss.h"

/* The table a selector points into; no descriptor fits into one with limit 0. */
static struct vmx_table table_of(struct vmx_context *ctx, uint16_t selector)
{
    if (!(selector & SELECTOR_LDT))
        return vmx_get_table(ctx, VMX_TABLE_GDTR);
    struct vmx_segment ldtr = vmx_get_segment(ctx, VMX_LDTR);
    if (ldtr.access & SEGMENT_UNUSABLE)
        return (struct vmx_table){0};
    uint32_t limit = min(ldtr.limit, (uint32_t)UINT16_MAX);
    return (struct vmx_table){.base = ldtr.base, .limit = (uint16_t)limit};
}

static enum vmx_action raise(struct vmx_exception *fault, uint8_t vector, uint32_t error)
{
    *fault = (struct vmx_exception){.vector = vector, .has_error = true, .error = error};
    return VMX_RAISE;
}

static enum vmx_action set_accessed(struct vmx_context *ctx, struct vmx_segment *segment,
                                    uint64_t descriptor, struct vmx_exception *fault)
{
    if (!(segment->access & SEGMENT_S) || (segment->access & SEGMENT_ACCESSED))
        return VMX_NEXT;
    segment->access |= SEGMENT_ACCESSED;
    uint8_t access = (uint8_t)segment->access;
    return ctx->client->write(ctx->owner, descriptor + DESCRIPTOR_ACCESS, &access, sizeof(access),
                              VMX_ACCESS_WRITE | VMX_ACCESS_SYSTEM, fault);
}

enum vmx_action segment_load_descriptor(struct vmx_context *ctx, const struct segment_load *load,
                                        struct vmx_exception *fault)
{
    struct vmx_table table = table_of(ctx, load->selector);
    unsigned offset = load->selector & SELECTOR_INDEX;
    if ((load->name == VMX_LDTR && (load->selector & SELECTOR_LDT)) ||
        offset + DESCRIPTOR_SIZE - 1 > table.limit)
        return raise(fault, load->wrong, load->error);
    uint64_t descriptor;
    enum vmx_action action = ctx->client->read(ctx->owner, table.base + offset, &descriptor,
                                               sizeof(descriptor), VMX_ACCESS_SYSTEM, fault);
    if (action != VMX_NEXT)
        return action;
    struct vmx_segment segment = segment_of_descriptor(load->selector, descriptor);
    int wrong = task_segment_fault(load->name, &segment, load->cpl);
    if (wrong >= 0)
        return raise(fault, wrong == EXCEPTION_TS ? load->wrong : (uint8_t)wrong, load->error);
    action = set_accessed(ctx, &segment, table.base + offset, fault);
    if (action == VMX_NEXT)
        vmx_set_segment(ctx, load->name, &segment);
    return action;
}

/* In real and virtual-8086 mode limit and access rights stay as they are. */
static enum vmx_action load_real(struct vmx_context *ctx, enum vmx_segment_name name,
                                 uint16_t selector)
{
    struct vmx_segment segment = vmx_get_segment(ctx, name);
    segment.selector = selector;
    segment.base = (uint64_t)selector << 4;
    vmx_set_segment(ctx, name, &segment);
    return VMX_NEXT;
}

/* A null SS is for 64-bit mode outside CPL 3, and keeps the CPL. */
static enum vmx_action load_null(struct vmx_context *ctx, const struct segment_load *load,
                                 struct vmx_exception *fault)
{
    struct vmx_segment segment = {.selector = load->selector, .access = SEGMENT_UNUSABLE};
    if (load->name == VMX_SS) {
        if (!in_64bit_mode() || load->cpl == 3 || (load->selector & 3) != load->cpl)
            return raise(fault, EXCEPTION_GP, 0);
        segment.access |= load->cpl << SEGMENT_DPL_SHIFT;
    }
    vmx_set_segment(ctx, load->name, &segment);
    return VMX_NEXT;
}

enum vmx_action vmx_load_segment(struct vmx_context *ctx, enum vmx_segment_name name,
                                 uint16_t selector, struct vmx_exception *fault)
{
    const struct segment_load load = {
        .name = name,
        .selector = selector,
        .cpl = vmx_cpl(ctx),
        .wrong = EXCEPTION_GP,
        .error = selector & ~3u,
    };
    ASSERT(name != VMX_CS);
    if (!(vmread(GUEST_CR0) & CR0_PE) || (vmread(GUEST_RFLAGS) & RFLAGS_VM))
        return load_real(ctx, name, selector);
    if (selector_is_null(selector))
        return load_null(ctx, &load, fault);
    return segment_load_descriptor(ctx, &load, fault);
}
