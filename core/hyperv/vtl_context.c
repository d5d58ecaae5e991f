/* SPDX-License-Identifier: BSD-2-Clause */
/* The registers that a virtual processor starts a VTL with. TLFS, "HV_INITIAL_VP_CONTEXT". */
#include "core/hyperv/vtl.h"

#include "core/x86.h"

struct vmx_segment hv_segment_in(const struct hv_segment *segment)
{
    return (struct vmx_segment){
        .base = segment->base,
        .limit = segment->limit,
        .selector = segment->selector,
        .access = segment->attributes | (segment->attributes & SEGMENT_P ? 0u : SEGMENT_UNUSABLE),
    };
}

struct hv_segment hv_segment_out(const struct vmx_segment *segment)
{
    return (struct hv_segment){
        .base = segment->base,
        .limit = segment->limit,
        .selector = segment->selector,
        .attributes = segment->access & SEGMENT_UNUSABLE ? 0 : (uint16_t)segment->access,
    };
}

/* What is reserved has to be checked before: some processors, and KVM as one, do not store it. */
static bool set_segment(struct vmx_context *vmx, enum vmx_segment_name name,
                        const struct hv_segment *segment)
{
    struct vmx_segment value = hv_segment_in(segment);

    vmx_set_segment(vmx, name, &value);
    return (value.access & SEGMENT_UNUSABLE) || !(value.access & SEGMENT_RESERVED);
}

static bool set_segments(struct vmx_context *vmx, const struct hv_initial_context *initial)
{
    const struct hv_segment *segments[] = {
        [VMX_ES] = &initial->es, [VMX_CS] = &initial->cs,     [VMX_SS] = &initial->ss,
        [VMX_DS] = &initial->ds, [VMX_FS] = &initial->fs,     [VMX_GS] = &initial->gs,
        [VMX_TR] = &initial->tr, [VMX_LDTR] = &initial->ldtr,
    };

    for (unsigned name = 0; name < ARRAY_SIZE(segments); name++)
        if (!set_segment(vmx, name, segments[name]))
            return false;
    return true;
}

static void set_tables(struct vmx_context *vmx, const struct hv_initial_context *initial)
{
    vmx_set_table(vmx, VMX_TABLE_IDTR, (struct vmx_table){initial->idtr.base, initial->idtr.limit});
    vmx_set_table(vmx, VMX_TABLE_GDTR, (struct vmx_table){initial->gdtr.base, initial->gdtr.limit});
}

static bool set_registers(struct vmx_context *vmx, const struct hv_initial_context *initial)
{
    const struct {
        enum vmx_reg reg;
        uint64_t value;
    } registers[] = {
        {VMX_RIP, initial->rip},   {VMX_RSP, initial->rsp}, {VMX_RFLAGS, initial->rflags},
        {VMX_EFER, initial->efer}, {VMX_CR0, initial->cr0}, {VMX_CR3, initial->cr3},
        {VMX_CR4, initial->cr4},   {VMX_PAT, initial->pat},
    };

    for (unsigned i = 0; i < ARRAY_SIZE(registers); i++) {
        if (!vmx_value_allowed(vmx, registers[i].reg, registers[i].value))
            return false;
        vmx_set(vmx, registers[i].reg, registers[i].value);
    }
    return true;
}

bool hv_set_initial_context(struct context *ctx, const struct hv_initial_context *initial)
{
    struct vmx_context *vmx = &ctx->vmx;

    vmx_context_reset(vmx, VMX_POWER_UP);
    set_tables(vmx, initial);
    /* What VM entry would take besides: real mode, and its data as code. */
    return initial->cr0 & CR0_PE && initial->cs.attributes & SEGMENT_CODE &&
           set_segments(vmx, initial) && set_registers(vmx, initial) && vmx_reload_pdptes(vmx) &&
           vmx_state_error(vmx) == NULL;
}
