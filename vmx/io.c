/* SPDX-License-Identifier: BSD-2-Clause */
/* IN, OUT, INS and OUTS. Source: SDM Vol 2A and 2B, the instructions' pages. */
#include "vmx/internal.h"
#include "vmx/segment_rules.h"

/* Elements of a repeated string instruction per exit: between exits interrupts are taken. */
enum { MAX_ELEMENTS = 64 };

/*
 * The processor does not look at breakpoints on an access that exits: makes those that cover it
 * pending, and says whether there are any. SDM Vol 3B, "Debug Registers".
 */
static bool hit_breakpoints(struct vmx_context *ctx, const struct io_exit *io)
{
    enum { ENABLED = 3, ON_IO = 2 };
    static const uint8_t lengths[] = {1, 2, 8, 4};
    uint64_t dr7 = vmread(GUEST_DR7);
    uint64_t hits = 0;
    if (!(dr7 & MASK(7, 0)) || !(vmread(GUEST_CR4) & CR4_DE))
        return false;
    for (unsigned i = 0; i < 4; i++) {
        uint64_t length = lengths[dr7 >> (18 + 4 * i) & 3];
        uint64_t first = align_down(vmx_get(ctx, (enum vmx_reg)(VMX_DR0 + i)), length);
        if ((dr7 >> 2 * i & ENABLED) && (dr7 >> (16 + 4 * i) & 3) == ON_IO &&
            first < io->port + (uint64_t)io->size && io->port < first + length)
            hits |= BIT(i);
    }
    if (hits != 0)
        vmwrite(GUEST_PENDING_DEBUG, vmread(GUEST_PENDING_DEBUG) | PENDING_DEBUG_BREAKPOINT | hits);
    return hits != 0;
}

/* Ends an access that is a whole instruction. */
static enum vmx_outcome finish(struct vmx_context *ctx, const struct io_exit *io,
                               enum vmx_action action, const struct vmx_exception *fault)
{
    enum vmx_outcome outcome = vmx_act(ctx, action, fault);
    if (action == VMX_NEXT)
        hit_breakpoints(ctx, io);
    return outcome;
}

static enum vmx_outcome port_in(struct vmx_context *ctx, const struct io_exit *io)
{
    uint32_t value = 0;
    enum vmx_action action = ctx->client->port_read(ctx->owner, io->port, io->size, &value);
    if (action == VMX_NEXT) {
        uint64_t *rax = &ctx->regs->gpr[VMX_RAX];
        uint64_t mask = MASK(8 * io->size - 1, 0);
        *rax = io->size == 4 ? value : (*rax & ~mask) | (value & mask);
    }
    return finish(ctx, io, action, NULL);
}

static enum vmx_outcome port_out(struct vmx_context *ctx, const struct io_exit *io)
{
    uint32_t value = ctx->regs->gpr[VMX_RAX] & MASK(8 * io->size - 1, 0);
    return finish(ctx, io, ctx->client->port_write(ctx->owner, io->port, io->size, value), NULL);
}

/* Adds to a register as an instruction of that address size does. */
static uint64_t add_masked(uint64_t value, uint64_t delta, uint64_t mask)
{
    uint64_t sum = (value + delta) & mask;
    return mask == MASK(15, 0) ? (value & ~mask) | sum : sum;
}

struct string_state {
    struct io_exit io;
    struct string_io string;
    enum vmx_segment_name name;
    struct vmx_segment segment;
    enum vmx_gpr index; /* RSI or RDI */
    uint64_t step;      /* size, or -size with RFLAGS.DF */
    bool long_mode;
};

static struct string_state string_state(struct vmx_context *ctx, const struct io_exit *io)
{
    struct string_state s = {
        .io = *io,
        .string = decode_string_io(vmread32(EXIT_INSTRUCTION_INFO)),
        .index = io->in ? VMX_RDI : VMX_RSI,
        .step = vmread(GUEST_RFLAGS) & RFLAGS_DF ? -(uint64_t)io->size : io->size,
        .long_mode = in_64bit_mode(),
    };
    s.name = io->in ? VMX_ES : s.string.segment;
    s.segment = vmx_get_segment(ctx, s.name);
    return s;
}

/* False: *fault says what the address raises. */
static bool string_address(struct vmx_context *ctx, const struct string_state *s, uint64_t *linear,
                           struct vmx_exception *fault)
{
    struct segment_use use = {
        .offset = ctx->regs->gpr[s->index] & s->string.address_mask,
        .size = s->io.size,
        .write = s->io.in,
        .long_mode = s->long_mode,
        .la57 = vmread(GUEST_CR4) & CR4_LA57,
        .has_base = s->name == VMX_FS || s->name == VMX_GS,
        .real_mode = !(vmread(GUEST_CR0) & CR0_PE) || (vmread(GUEST_RFLAGS) & RFLAGS_VM),
    };
    if (segment_linear(&s->segment, &use, linear))
        return true;
    *fault = (struct vmx_exception){
        .vector = s->name == VMX_SS ? EXCEPTION_SS : EXCEPTION_GP,
        .has_error = true,
    };
    return false;
}

/* The destination is probed before the port is read: reading may have side effects. */
static enum vmx_action ins_element(struct vmx_context *ctx, const struct string_state *s,
                                   uint64_t linear, struct vmx_exception *fault)
{
    const struct vmx_client *client = ctx->client;
    uint32_t value = 0;
    enum vmx_action action =
        client->read(ctx->owner, linear, &value, s->io.size, VMX_ACCESS_WRITE, fault);
    if (action == VMX_NEXT)
        action = client->port_read(ctx->owner, s->io.port, s->io.size, &value);
    if (action == VMX_NEXT)
        action = client->write(ctx->owner, linear, &value, s->io.size, VMX_ACCESS_WRITE, fault);
    return action;
}

static enum vmx_action outs_element(struct vmx_context *ctx, const struct string_state *s,
                                    uint64_t linear, struct vmx_exception *fault)
{
    uint32_t value = 0;
    enum vmx_action action = ctx->client->read(ctx->owner, linear, &value, s->io.size, 0, fault);
    if (action == VMX_NEXT)
        action = ctx->client->port_write(ctx->owner, s->io.port, s->io.size, value);
    return action;
}

static enum vmx_action string_element(struct vmx_context *ctx, const struct string_state *s,
                                      struct vmx_exception *fault)
{
    uint64_t linear;
    if (!string_address(ctx, s, &linear, fault))
        return VMX_RAISE;
    enum vmx_action action =
        s->io.in ? ins_element(ctx, s, linear, fault) : outs_element(ctx, s, linear, fault);
    if (action == VMX_NEXT) {
        uint64_t *index = &ctx->regs->gpr[s->index];
        *index = add_masked(*index, s->step, s->string.address_mask);
    }
    return action;
}

static enum vmx_outcome repeat(struct vmx_context *ctx, const struct string_state *s)
{
    uint64_t *rcx = &ctx->regs->gpr[VMX_RCX];
    uint64_t mask = s->string.address_mask;
    bool single_step = vmread(GUEST_RFLAGS) & RFLAGS_TF;
    unsigned limit = single_step ? 1 : MAX_ELEMENTS;
    bool trapped = false;
    struct vmx_exception fault;
    for (unsigned i = 0; i < limit && (*rcx & mask) != 0 && !trapped; i++) {
        enum vmx_action action = string_element(ctx, s, &fault);
        if (action != VMX_NEXT)
            return vmx_act(ctx, action, &fault);
        *rcx = add_masked(*rcx, -1ull, mask);
        trapped = hit_breakpoints(ctx, &s->io);
    }
    if ((*rcx & mask) == 0)
        return vmx_act(ctx, VMX_NEXT, NULL);
    if (single_step || trapped)
        vmx_end_instruction(); /* an iteration traps like an instruction */
    return VMX_RESUME;
}

enum vmx_outcome exit_io(struct vmx_context *ctx)
{
    struct io_exit io = decode_io(vmread(EXIT_QUALIFICATION));
    if (!io.string)
        return io.in ? port_in(ctx, &io) : port_out(ctx, &io);
    struct string_state s = string_state(ctx, &io);
    if (io.rep)
        return repeat(ctx, &s);
    struct vmx_exception fault;
    return finish(ctx, &io, string_element(ctx, &s, &fault), &fault);
}
