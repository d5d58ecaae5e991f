/* SPDX-License-Identifier: BSD-2-Clause */
/* Telling people what state a guest is in, and which rule it breaks. */
#include <stdarg.h>

#include "core/format.h"
#include "core/log.h"
#include "vmx/check.h"
#include "vmx/internal.h"

static struct guest_state collect(struct vmx_context *ctx)
{
    uint32_t address_bits = cpuid_checked(0x80000008, 0).eax;
    struct guest_state s = {
        .cr0 = vmread(GUEST_CR0),
        .cr3 = vmread(GUEST_CR3),
        .cr4 = vmread(GUEST_CR4),
        .cr0_fixed0 = ctx->caps->cr0_fixed0,
        .cr0_fixed1 = ctx->caps->cr0_fixed1,
        .cr4_fixed0 = ctx->caps->cr4_fixed0,
        .cr4_fixed1 = ctx->caps->cr4_fixed1,
        .dr7 = vmread(GUEST_DR7),
        .rip = vmread(GUEST_RIP),
        .rflags = vmread(GUEST_RFLAGS),
        .efer = vmread64(GUEST_EFER),
        .pat = vmread64(GUEST_PAT),
        .sysenter_esp = vmread(GUEST_SYSENTER_ESP),
        .sysenter_eip = vmread(GUEST_SYSENTER_EIP),
        .gdtr_base = vmread(GUEST_GDTR_BASE),
        .idtr_base = vmread(GUEST_IDTR_BASE),
        .gdtr_limit = vmread32(GUEST_GDTR_LIMIT),
        .idtr_limit = vmread32(GUEST_IDTR_LIMIT),
        .activity = vmread32(GUEST_ACTIVITY),
        .interruptibility = vmread32(GUEST_INTERRUPTIBILITY),
        .pending_debug = vmread(GUEST_PENDING_DEBUG),
        .link_pointer = vmread64(GUEST_LINK_POINTER),
        .event = ctx->event != 0 ? ctx->event : vmread32(ENTRY_INTERRUPTION_INFO),
        .ia32e = vmread32(ENTRY_CONTROLS) & vmx_feature_bit(ctx->caps, VMX_IA32E_GUEST),
        .physical_bits = field_get(address_bits, MASK(7, 0)),
        .linear_bits = field_get(address_bits, MASK(15, 8)),
    };
    for (unsigned i = 0; i < VMX_SEGMENTS; i++)
        s.segment[i] = vmx_get_segment(ctx, i);
    for (unsigned i = 0; i < ARRAY_SIZE(s.pdpte); i++)
        s.pdpte[i] = vmx_get(ctx, VMX_PDPTE0 + i);
    return s;
}

const char *vmx_state_error(struct vmx_context *ctx)
{
    struct guest_state s = collect(ctx);
    return check_guest_state(&s);
}

static void dump_general(struct vmx_context *ctx)
{
    const uint64_t *r = ctx->regs->gpr;
    log_error("rip %016lx rsp %016lx rflags %08lx", vmread(GUEST_RIP), vmread(GUEST_RSP),
              vmread(GUEST_RFLAGS));
    log_error("rax %016lx rbx %016lx rcx %016lx rdx %016lx", r[VMX_RAX], r[VMX_RBX], r[VMX_RCX],
              r[VMX_RDX]);
    log_error("rsi %016lx rdi %016lx rbp %016lx r8  %016lx", r[VMX_RSI], r[VMX_RDI], r[VMX_RBP],
              r[VMX_R8]);
    log_error("r9  %016lx r10 %016lx r11 %016lx r12 %016lx", r[VMX_R9], r[VMX_R10], r[VMX_R11],
              r[VMX_R12]);
    log_error("r13 %016lx r14 %016lx r15 %016lx", r[VMX_R13], r[VMX_R14], r[VMX_R15]);
}

static void dump_control(struct vmx_context *ctx)
{
    log_error("cr0 %08lx (real %08lx) cr2 %016lx cr3 %016lx", vmx_get(ctx, VMX_CR0),
              vmread(GUEST_CR0), vmx_get(ctx, VMX_CR2), vmread(GUEST_CR3));
    log_error("cr4 %08lx (real %08lx) efer %04lx pat %016lx xcr0 %lx", vmx_get(ctx, VMX_CR4),
              vmread(GUEST_CR4), vmread64(GUEST_EFER), vmread64(GUEST_PAT), vmx_get(ctx, VMX_XCR0));
    log_error("dr0 %016lx dr1 %016lx dr2 %016lx dr3 %016lx", vmx_get(ctx, VMX_DR0),
              vmx_get(ctx, VMX_DR1), vmx_get(ctx, VMX_DR2), vmx_get(ctx, VMX_DR3));
    log_error("dr6 %08lx dr7 %08lx debugctl %lx", vmx_get(ctx, VMX_DR6), vmread(GUEST_DR7),
              vmread64(GUEST_DEBUGCTL));
    log_error("pdpte %016lx %016lx %016lx %016lx", vmx_get(ctx, VMX_PDPTE0),
              vmx_get(ctx, VMX_PDPTE1), vmx_get(ctx, VMX_PDPTE2), vmx_get(ctx, VMX_PDPTE3));
}

static void dump_segments(struct vmx_context *ctx)
{
    static const char names[VMX_SEGMENTS][5] = {"es", "cs", "ss", "ds", "fs", "gs", "ldtr", "tr"};
    for (unsigned i = 0; i < VMX_SEGMENTS; i++) {
        struct vmx_segment s = vmx_get_segment(ctx, i);
        log_error("%-4s %04x base %016lx limit %08x access %05x", names[i], s.selector, s.base,
                  s.limit, s.access);
    }
    struct vmx_table gdtr = vmx_get_table(ctx, VMX_TABLE_GDTR);
    struct vmx_table idtr = vmx_get_table(ctx, VMX_TABLE_IDTR);
    log_error("gdtr base %016lx limit %04x, idtr base %016lx limit %04x", gdtr.base, gdtr.limit,
              idtr.base, idtr.limit);
}

static void dump_msrs(struct vmx_context *ctx)
{
    log_error("sysenter cs %lx esp %016lx eip %016lx", vmx_get(ctx, VMX_SYSENTER_CS),
              vmx_get(ctx, VMX_SYSENTER_ESP), vmx_get(ctx, VMX_SYSENTER_EIP));
    log_error("star %016lx lstar %016lx cstar %016lx", vmx_get(ctx, VMX_STAR),
              vmx_get(ctx, VMX_LSTAR), vmx_get(ctx, VMX_CSTAR));
    log_error("sfmask %08lx kernel gs %016lx tsc_aux %08lx", vmx_get(ctx, VMX_SFMASK),
              vmx_get(ctx, VMX_KERNEL_GS_BASE), vmx_get(ctx, VMX_TSC_AUX));
}

static void dump_exit(struct vmx_context *ctx)
{
    log_error("interruptibility %x activity %x pending debug %lx queued event %08x",
              vmread32(GUEST_INTERRUPTIBILITY), vmread32(GUEST_ACTIVITY),
              vmread(GUEST_PENDING_DEBUG), ctx->event);
    log_error("exit reason %08x qualification %016lx interruption %08x error %x",
              vmread32(EXIT_REASON), vmread(EXIT_QUALIFICATION), vmread32(EXIT_INTERRUPTION_INFO),
              vmread32(EXIT_ERROR_CODE));
    log_error("idt vectoring %08x error %x, instruction length %u info %08x",
              vmread32(IDT_VECTORING_INFO), vmread32(IDT_VECTORING_ERROR_CODE),
              vmread32(EXIT_INSTRUCTION_LENGTH), vmread32(EXIT_INSTRUCTION_INFO));
    log_error("guest-physical %016lx guest-linear %016lx", vmread64(GUEST_PHYSICAL_ADDRESS),
              vmread(GUEST_LINEAR_ADDRESS));
    log_error("controls: pin %08x primary %08x secondary %08x exit %08x entry %08x exceptions %08x",
              vmread32(PIN_CONTROLS), vmread32(PRIMARY_CONTROLS), vmread32(SECONDARY_CONTROLS),
              vmread32(EXIT_CONTROLS), vmread32(ENTRY_CONTROLS), vmread32(EXCEPTION_BITMAP));
    log_error("ept %016lx vpid %u tsc offset %016lx", vmread64(EPT_POINTER), ctx->vpid,
              vmread64(TSC_OFFSET));
}

void vmx_dump(struct vmx_context *ctx)
{
    dump_general(ctx);
    dump_control(ctx);
    dump_segments(ctx);
    dump_msrs(ctx);
    dump_exit(ctx);
}

enum vmx_outcome vmx_fail(struct vmx_context *ctx, const char *format, ...)
{
    char text[LOG_LINE_MAX];
    va_list arguments;
    va_start(arguments, format);
    format_string_v(text, sizeof(text), format, arguments);
    va_end(arguments);
    log_error("%s", text);
    vmx_dump(ctx);
    return VMX_ERROR;
}
