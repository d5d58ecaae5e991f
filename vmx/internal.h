/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of this room share with each other only. A context given is the current one. */
#pragma once

#include "core/assert.h"
#include "core/bits.h"
#include "core/x86.h"
#include "vmx/exit.h"
#include "vmx/mitigations.h"
#include "vmx/vmcs.h"
#include "vmx/vmx.h"

#define BLOCKING_BY_STI_OR_MOV_SS (BLOCKING_BY_STI | BLOCKING_BY_MOV_SS)

/* DR6 and DR7 with no condition recorded and no breakpoint enabled. */
#define DR6_RESET       0xffff0ff0ull
#define DR7_RESET       0x400ull
#define DR6_BREAKPOINTS MASK(3, 0)
#define DR7_GD          BIT(13)

/* B0-B3, BD and BS, in DR6 as in the exit qualification of #DB. */
#define DR6_BD           BIT(13)
#define DR6_BS           BIT(14)
#define DEBUG_CONDITIONS (DR6_BREAKPOINTS | DR6_BD | DR6_BS)

#define XCR0_AVX512 MASK(7, 5)

/* entry.asm: enters the guest as long as vmx_exited(ctx) answers in which context. host_rsp caches
 * HOST_RSP. */
enum enter_result { ENTERED = 0, ENTRY_FAIL_INVALID = 1, ENTRY_FAIL_VALID = 2 };
enum enter_result vmx_enter(struct vmx_context *ctx, struct guest_regs *regs, uint64_t *host_rsp,
                            uint64_t launched);
void vmx_exit_point(void);

/* What entry.asm does beside: from vmx_mitigations_use(), the same for all processors. */
struct vmx_guard_values {
    uint32_t guards; /* enum vmx_guard */
    uint32_t spec_ctrl, spec_ctrl_guest;
};
extern struct vmx_guard_values vmx_guard;

/* The same two with the guards of entries and exits. */
enum enter_result vmx_enter_guarded(struct vmx_context *ctx, struct guest_regs *regs,
                                    uint64_t *host_rsp, uint64_t launched);
void vmx_exit_point_guarded(void);

static inline bool vmx_is_guarded(void)
{
    return vmx_guard.guards & (VMX_GUARD_L1D | VMX_GUARD_IBRS | VMX_GUARD_VERW | VMX_GUARD_RSB);
}

struct vmx_context *vmx_exited(struct vmx_context *ctx);

/* state.c: makes the processor hold the context's MSRs and its vcpu's shared registers. */
void vmx_make_live(struct vmx_context *ctx);
/* Makes `to` current in from's place if that takes no more than loading it; NULL: it does. */
struct vmx_context *vmx_take_over(struct vmx_context *from, struct vmx_context *to);
/* One of VMX_STAR .. VMX_TSC_AUX, wherever it is. */
uint64_t vmx_private_msr_get(struct vmx_context *ctx, enum vmx_reg reg);
void vmx_private_msr_set(struct vmx_context *ctx, enum vmx_reg reg, uint64_t value);
/* Move CR2 and the debug registers between processor and memory. */
void vmx_cr2_dr_save(struct guest_regs *regs);
void vmx_cr2_dr_load(const struct guest_regs *regs);
void vmx_clear(struct vmx_context *ctx);

/* fpu.c */
void fpu_save(struct guest_regs *regs);
void fpu_load(struct guest_regs *regs);

/* cpu.c */
void invept(const struct vmx_caps *caps, uint64_t eptp);
void invvpid(const struct vmx_caps *caps, uint16_t vpid);

/* event.c: keeps the event whose delivery the exit interrupted, to be delivered again. */
void event_requeue(struct vmx_context *ctx);
/* Hands ctx->event, not 0, to the coming entry. */
void event_enter(struct vmx_context *ctx);
/* The exit's cause was a fault of an IRET that had ended blocking by NMI. */
void event_block_nmi_again(void);

/* msr.c: lets the guest reach its own MSRs directly. */
void vmx_pass_own_msrs(struct vmx_context *ctx);
/* The MSR that is this register, or 0. */
uint32_t vmx_msr_of(enum vmx_reg reg);

/* advance.c: ends an instruction that was traced, or blocked interrupts. */
void vmx_end_special(uint32_t blocking, uint64_t rflags);
/* vmx_act() of any action but VMX_NEXT. */
enum vmx_outcome vmx_act_other(struct vmx_context *ctx, enum vmx_action action,
                               const struct vmx_exception *exception);

/* table_access.c: an instruction is about to run natively, with the monitor trap to end that. */
bool vmx_waits_for_trap(const struct vmx_context *ctx);

/* context.c: CR4 was written. */
void vmx_update_mbec(struct vmx_context *ctx);

/* control_registers.c */
bool vmx_load_pdptes(struct vmx_context *ctx, uint64_t cr3);
/* WRMSR of IA32_EFER; false means #GP. */
bool vmx_write_efer(struct vmx_context *ctx, uint64_t value);

static inline uint64_t gpr_read(struct vmx_context *ctx, unsigned gpr)
{
    return gpr == VMX_GPR_RSP ? vmread(GUEST_RSP) : ctx->regs->gpr[gpr];
}

static inline void gpr_write(struct vmx_context *ctx, unsigned gpr, uint64_t value)
{
    if (gpr == VMX_GPR_RSP)
        vmwrite(GUEST_RSP, value);
    else
        ctx->regs->gpr[gpr] = value;
}

/* 64-bit mode, that is: not compatibility mode. */
static inline bool in_64bit_mode(void)
{
    return (vmread64(GUEST_EFER) & EFER_LMA) && (vmread32(GUEST_CS_ACCESS) & SEGMENT_L);
}

/* What ends an instruction, RIP aside. True: a single step is due. */
static inline bool vmx_end_instruction(void)
{
    uint32_t blocking = vmread32(GUEST_INTERRUPTIBILITY);
    uint64_t rflags = vmread(GUEST_RFLAGS);
    bool special = __builtin_expect(blocking & BLOCKING_BY_STI_OR_MOV_SS, 0) ||
                   __builtin_expect(rflags & (RFLAGS_TF | RFLAGS_RF), 0);
    if (special)
        vmx_end_special(blocking, rflags);
    return rflags & RFLAGS_TF;
}

/* Ends the instruction that exited; its length is known. Outside 64-bit mode EIP wraps. True: a
 * single step is due. */
static inline bool vmx_skip(void)
{
    uint64_t length = vmread32(EXIT_INSTRUCTION_LENGTH);
    uint64_t next = vmread(GUEST_RIP) + length;
    bool carry = (uint32_t)next < length;
    if (__builtin_expect(carry, false) && !in_64bit_mode())
        next = (uint32_t)next;
    vmwrite(GUEST_RIP, next);
    return vmx_end_instruction();
}

/* Carries out what a client answered. */
static inline enum vmx_outcome vmx_act(struct vmx_context *ctx, enum vmx_action action,
                                       const struct vmx_exception *exception)
{
    if (action != VMX_NEXT)
        return vmx_act_other(ctx, action, exception);
    vmx_skip();
    return VMX_RESUME;
}

/* Handlers of the larger exits. VMX_RESUME goes on with the guest. */
enum vmx_outcome exit_exception(struct vmx_context *ctx);
enum vmx_outcome exit_cr_access(struct vmx_context *ctx);
enum vmx_outcome exit_io(struct vmx_context *ctx);
enum vmx_outcome exit_task_switch(struct vmx_context *ctx);
enum vmx_outcome exit_ept_violation(struct vmx_context *ctx);
enum vmx_outcome exit_gdtr_idtr(struct vmx_context *ctx);
enum vmx_outcome exit_ldtr_tr(struct vmx_context *ctx);
enum vmx_outcome exit_monitor_trap(struct vmx_context *ctx);
enum vmx_outcome exit_ept_misconfiguration(struct vmx_context *ctx);
enum vmx_outcome exit_apic_access(struct vmx_context *ctx);
enum vmx_outcome exit_apic_write(struct vmx_context *ctx);
enum vmx_outcome exit_virtualized_eoi(struct vmx_context *ctx);
enum vmx_outcome exit_tpr_below_threshold(struct vmx_context *ctx);

/* dump.c: says what happened, with a dump. Always VMX_ERROR. */
enum vmx_outcome vmx_fail(struct vmx_context *ctx, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
