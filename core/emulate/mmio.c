/* SPDX-License-Identifier: BSD-2-Clause */
/* Emulation of instructions that touch device memory. */
#include "core/emulate/mmio.h"

#include "core/emulate/emulate.h"
#include "core/emulate/insn.h"
#include "core/emulate/linear.h"
#include "core/format.h"
#include "core/log.h"
#include "core/string.h"
#include "core/vcpu.h"
#include "core/x86.h"

/* String instructions give other work a chance after this many elements. */
enum { ELEMENTS_PER_EXIT = 256 };

/* One emulation: what a callback found that the instruction's end has to take into account. */
struct attempt {
    struct vcpu *vcpu;
    enum vmx_action action;
    struct vmx_exception fault;
};

static const enum vmx_segment_name segment_names[] = {
    [INSN_ES] = VMX_ES, [INSN_CS] = VMX_CS, [INSN_SS] = VMX_SS,
    [INSN_DS] = VMX_DS, [INSN_FS] = VMX_FS, [INSN_GS] = VMX_GS,
};

static uint64_t segment_base(void *ctx, enum insn_segment segment)
{
    struct attempt *attempt = ctx;

    return vmx_get_segment(&attempt->vcpu->active->vmx, segment_names[segment]).base;
}

static uint16_t selector(void *ctx, enum insn_segment segment)
{
    struct attempt *attempt = ctx;

    return vmx_get_segment(&attempt->vcpu->active->vmx, segment_names[segment]).selector;
}

static bool load_segment(void *ctx, enum insn_segment segment, uint16_t selector)
{
    struct attempt *attempt = ctx;

    attempt->action = vmx_load_segment(&attempt->vcpu->active->vmx, segment_names[segment],
                                       selector, &attempt->fault);
    return attempt->action == VMX_NEXT;
}

static bool loads_ss(const struct insn *insn)
{
    return insn->other == INSN_OTHER_SEGMENT && insn->reg.number == INSN_SS && !insn->to_memory;
}

static bool read_memory(void *ctx, uint64_t linear, unsigned size, enum emulate_access access,
                        uint64_t *value)
{
    struct attempt *attempt = ctx;

    *value = 0;
    attempt->action = linear_read(attempt->vcpu, linear, value, size,
                                  access == EMULATE_READ ? 0 : VMX_ACCESS_WRITE, &attempt->fault);
    return attempt->action == VMX_NEXT;
}

static bool write_memory(void *ctx, uint64_t linear, unsigned size, uint64_t value)
{
    struct attempt *attempt = ctx;

    attempt->action =
        linear_write(attempt->vcpu, linear, &value, size, VMX_ACCESS_WRITE, &attempt->fault);
    return attempt->action == VMX_NEXT;
}

static enum insn_mode code_mode(struct vmx_context *vmx)
{
    uint32_t cs = vmx_get_segment(vmx, VMX_CS).access;

    if (vmx_get(vmx, VMX_EFER) & EFER_LMA && cs & SEGMENT_L)
        return INSN_MODE_64;
    return cs & SEGMENT_DB ? INSN_MODE_32 : INSN_MODE_16;
}

static uint8_t stack_size(struct vmx_context *vmx, enum insn_mode mode)
{
    if (mode == INSN_MODE_64)
        return 8;
    return vmx_get_segment(vmx, VMX_SS).access & SEGMENT_DB ? 4 : 2;
}

/* Ends the VM, saying where and why in its terms. */
static enum vmx_action stop(struct vcpu *vcpu, const struct vmx_ept_violation *violation,
                            const char *why)
{
    log_error("vm %s: vcpu %u: RIP 0x%lx: access to 0x%lx, where there is no RAM: %s",
              vcpu->vm->config->name, vcpu->index, vmx_get(&vcpu->active->vmx, VMX_RIP),
              violation->gpa, why);
    vm_stop(vcpu->vm, VM_ERROR, 0);
    return VMX_STOP;
}

static enum vmx_action stop_for_insn(struct vcpu *vcpu, const struct vmx_ept_violation *violation,
                                     const uint8_t *bytes, size_t count)
{
    char text[64 + 3 * INSN_MAX_LENGTH];
    size_t n = format_string(text, sizeof(text), "this instruction cannot be emulated:");

    for (size_t i = 0; i < count; i++)
        n += format_string(text + n, sizeof(text) - n, " %02x", bytes[i]);
    return stop(vcpu, violation, text);
}

/* Turns what linear_*() answered into what an EPT-violation handler may answer. */
static enum vmx_action settle_fault(struct vcpu *vcpu, enum vmx_action action,
                                    const struct vmx_exception *fault)
{
    if (action != VMX_RAISE)
        return action;
    vmx_inject_exception(&vcpu->active->vmx, fault);
    return VMX_AGAIN;
}

/* Carries out *insn on the vcpu's registers. */
static enum vmx_action execute(struct vcpu *vcpu, const struct insn *insn, enum insn_mode mode)
{
    struct vmx_context *vmx = &vcpu->active->vmx;
    struct attempt attempt = {.vcpu = vcpu};
    const struct emulate_env env = {
        .ctx = &attempt,
        .mode = mode,
        .stack_size = stack_size(vmx, mode),
        .segment_base = segment_base,
        .selector = selector,
        .load_segment = load_segment,
        .read = read_memory,
        .write = write_memory,
    };
    struct emulate_regs regs = {
        .rip = vmx_get(vmx, VMX_RIP),
        .rflags = vmx_get(vmx, VMX_RFLAGS),
    };

    _Static_assert(sizeof(regs.gpr) == sizeof(vcpu->regs.gpr), "the same sixteen registers");
    memcpy(regs.gpr, vcpu->regs.gpr, sizeof(regs.gpr));
    regs.gpr[EMULATE_RSP] = vmx_get(vmx, VMX_RSP);

    enum emulate_result result = emulate(insn, &regs, &env, ELEMENTS_PER_EXIT);

    memcpy(vcpu->regs.gpr, regs.gpr, sizeof(regs.gpr));
    vmx_set(vmx, VMX_RSP, regs.gpr[EMULATE_RSP]);
    vmx_set(vmx, VMX_RFLAGS, regs.rflags);
    if (result == EMULATE_FAULT)
        return settle_fault(vcpu, attempt.action, &attempt.fault);
    if (result == EMULATE_DONE)
        vmx_advance_to(vmx, regs.rip);
    if (result == EMULATE_DONE && loads_ss(insn))
        vmx_block_by_mov_ss(vmx);
    return VMX_AGAIN;
}

enum vmx_action mmio_emulate(struct vcpu *vcpu, const struct vmx_ept_violation *violation)
{
    struct vmx_context *vmx = &vcpu->active->vmx;
    enum insn_mode mode = code_mode(vmx);
    uint8_t bytes[INSN_MAX_LENGTH];
    size_t count;
    struct vmx_exception fault;
    struct insn insn;

    if (violation->table_walk)
        return stop(vcpu, violation, "it was to hold a paging structure");
    if (violation->in_delivery)
        return stop(vcpu, violation, "an event was being delivered through it");

    if (violation->access & VMX_ACCESS_EXECUTE)
        return VMX_RAISE_UD; /* absent memory reads all-ones, and FF FF is no instruction */

    enum vmx_action action = linear_fetch(vcpu, bytes, sizeof(bytes), &count, &fault);
    if (action != VMX_NEXT)
        return settle_fault(vcpu, action, &fault);
    switch (insn_decode(bytes, count, mode, &insn)) {
    case INSN_OK:
        break;
    case INSN_TOO_LONG:
        return VMX_RAISE_GP;
    case INSN_TRUNCATED:
    case INSN_UNSUPPORTED:
        return stop_for_insn(vcpu, violation, bytes, count);
    }
    return execute(vcpu, &insn, mode);
}
