/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Running a guest: what core/ sees of VMX. No VMCS field and no exit reason's layout leaves this
 * room.
 *
 * Life of a context: vmx_context_init() once; vmx_load() makes it the current one of a processor,
 * which every function here that takes a context needs, save init, unload and destroy; vmx_run()
 * again and again; vmx_unload() on that same processor before another one may load it.
 * All functions are called with interrupts off. None waits, none takes a lock.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmx/apic.h"
#include "vmx/caps.h"
#include "vmx/ept.h"
#include "vmx/mitigations.h"

struct vmx_context;
struct guest_regs;

/* ---- Processors ------------------------------------------------------------------------------ */

/* One per processor, in core's per-CPU area, zeroed before first use. */
struct vmx_cpu {
    void *vmxon;                   /* its VMXON region, a page; NULL: not in VMX operation */
    const struct vmx_caps *caps;   /* set while in VMX operation */
    struct vmx_context *current;   /* whose VMCS is current */
    struct vmx_context *live_msrs; /* whose private MSRs the processor holds */
    struct guest_regs *live_regs;  /* whose FPU, CR2, DR and XCR0 state the processor holds */
};

/* Entries, exits and vmx_cpu_enable() do from now on what m says. Once, before the first of them;
 * the caller sees to m->small_pages. */
void vmx_mitigations_use(const struct vmx_mitigations *m);

/*
 * Enters VMX operation on this processor and makes it forget what it may have cached of guests.
 * Locks IA32_FEATURE_CONTROL if it is unlocked; sets the CR0 and CR4 bits that VMX and guest FPU
 * state need. caps lacks nothing (vmx_caps_missing()) and stays for good. False if there is no page
 * for the VMXON region.
 */
bool vmx_cpu_enable(struct vmx_cpu *cpu, const struct vmx_caps *caps);

/* Leaves VMX operation, in which INIT is blocked, for good. No context is loaded here any more. */
void vmx_cpu_disable(struct vmx_cpu *cpu);

/* ---- Guest state ----------------------------------------------------------------------------- */

/* General registers, numbered as instructions encode them. */
enum vmx_gpr {
    VMX_RAX,
    VMX_RCX,
    VMX_RDX,
    VMX_RBX,
    VMX_GPR_RSP, /* belongs to the context: VMX_RSP of enum vmx_reg */
    VMX_RBP,
    VMX_RSI,
    VMX_RDI,
    VMX_R8,
    VMX_R9,
    VMX_R10,
    VMX_R11,
    VMX_R12,
    VMX_R13,
    VMX_R14,
    VMX_R15,
    VMX_GPRS,
};

/*
 * What all contexts of one virtual processor share. gpr[] is up to date whenever vmx_run() is not
 * inside the guest (gpr[VMX_GPR_RSP] means nothing); the rest may sit in the processor: reach it
 * with vmx_get() and vmx_set().
 */
struct guest_regs {
    uint64_t gpr[VMX_GPRS];
    uint64_t cr2;
    uint64_t dr[4];
    uint64_t dr6;
    uint64_t xcr0;
    uint64_t xcr0_allowed; /* 0: the guest has no XSAVE */
    void *fpu;             /* vmx_fpu_size() bytes, 64-byte aligned */
    struct vmx_cpu *cpu;   /* in which processor the above sits, or NULL */
};

/* Bytes of FPU state for guests whose XCR0 may hold the bits of xcr0_allowed (0: no XSAVE). */
size_t vmx_fpu_size(uint64_t xcr0_allowed);

/* Gives *regs the power-up values, with that FPU memory. Not while it sits in a processor. */
void vmx_regs_init(struct guest_regs *regs, uint64_t xcr0_allowed, void *fpu);

/* The FXSAVE image of the shared registers, to read and change before the next vmx_run(). */
uint8_t *vmx_fpu_image(struct vmx_context *ctx);

/* INIT of the shared registers: all but FPU state and XCR0. On the processor that runs them. */
void vmx_regs_init_signal(struct vmx_context *ctx);

/* Registers that are one number. Those from VMX_SHARED_REGS on are shared by a vcpu's contexts. */
enum vmx_reg {
    VMX_RIP,
    VMX_RSP,
    VMX_RFLAGS,
    VMX_CR0, /* as the guest sees it */
    VMX_CR3,
    VMX_CR4, /* as the guest sees it */
    VMX_DR7,
    VMX_PENDING_DEBUG, /* what of B0 to B3 and BS of DR6 a #DB is owed for */
    VMX_EFER,
    VMX_PAT,
    VMX_SYSENTER_CS,
    VMX_SYSENTER_ESP,
    VMX_SYSENTER_EIP,
    VMX_PDPTE0,
    VMX_PDPTE1,
    VMX_PDPTE2,
    VMX_PDPTE3,
    VMX_STAR,
    VMX_LSTAR,
    VMX_CSTAR,
    VMX_SFMASK,
    VMX_KERNEL_GS_BASE,
    VMX_TSC_AUX,
    VMX_SHARED_REGS,
    VMX_CR2 = VMX_SHARED_REGS,
    VMX_DR0,
    VMX_DR1,
    VMX_DR2,
    VMX_DR3,
    VMX_DR6,
    VMX_XCR0,
    VMX_REGS,
};

enum vmx_segment_name {
    VMX_ES,
    VMX_CS,
    VMX_SS,
    VMX_DS,
    VMX_FS,
    VMX_GS,
    VMX_LDTR,
    VMX_TR,
    VMX_SEGMENTS,
};

/* Bits of vmx_segment.access: bits 8 to 23 of a descriptor's second word, and "unusable". */
enum {
    SEGMENT_TYPE = 0xf,
    SEGMENT_ACCESSED = 1 << 0,
    SEGMENT_WRITABLE = 1 << 1, /* of code: readable */
    SEGMENT_DOWN = 1 << 2,     /* expands down; of code: conforming */
    SEGMENT_CODE = 1 << 3,
    SEGMENT_S = 1 << 4, /* code or data, not a system segment */
    SEGMENT_DPL_SHIFT = 5,
    SEGMENT_DPL = 3 << 5,
    SEGMENT_P = 1 << 7,
    SEGMENT_AVL = 1 << 12,
    SEGMENT_L = 1 << 13,
    SEGMENT_DB = 1 << 14,
    SEGMENT_G = 1 << 15,
    SEGMENT_UNUSABLE = 1 << 16,
};
/* A VMCS may not keep these: check them before they are written. */
#define SEGMENT_RESERVED (MASK(11, 8) | MASK(31, 17))

struct vmx_segment {
    uint64_t base;
    uint32_t limit; /* in bytes, whatever SEGMENT_G says */
    uint32_t access;
    uint16_t selector;
};

enum vmx_table_register { VMX_TABLE_GDTR, VMX_TABLE_IDTR, VMX_TABLE_LDTR, VMX_TABLE_TR };

/* GDTR or IDTR. */
struct vmx_table {
    uint64_t base;
    uint16_t limit;
};

/*
 * Raw access, to start and to inspect a context. vmx_set() checks nothing: with a state that the
 * architecture does not know the next vmx_run() fails and says why; ask vmx_state_error() first
 * if the values come from a guest. EFER is taken with LMA as given, and decides with it whether
 * the guest is in IA-32e mode.
 */
uint64_t vmx_get(struct vmx_context *ctx, enum vmx_reg reg);
void vmx_set(struct vmx_context *ctx, enum vmx_reg reg, uint64_t value);
struct vmx_segment vmx_get_segment(struct vmx_context *ctx, enum vmx_segment_name name);
void vmx_set_segment(struct vmx_context *ctx, enum vmx_segment_name name,
                     const struct vmx_segment *segment);
struct vmx_table vmx_get_table(struct vmx_context *ctx, enum vmx_table_register which);
void vmx_set_table(struct vmx_context *ctx, enum vmx_table_register which, struct vmx_table table);

/* Whether the register can hold the value at all, for this guest and whatever the others hold. */
bool vmx_value_allowed(const struct vmx_context *ctx, enum vmx_reg reg, uint64_t value);

/* Loads the PDPTEs from memory if the state has PAE paging. False if one has a reserved bit set or
 * there is no memory: nothing changed. */
bool vmx_reload_pdptes(struct vmx_context *ctx);

/* The rule of SDM Vol 3C, "Checks on the Guest State Area", that the state breaks, or NULL. */
const char *vmx_state_error(struct vmx_context *ctx);

/* 0..3. */
unsigned vmx_cpl(struct vmx_context *ctx);

/* Of addresses in registers: 57 where the guest may use 5-level paging, else 48. Any CPU. */
unsigned vmx_linear_bits(const struct vmx_context *ctx);

/* Whether the guest runs at CPL 0, not in real-address mode, and if so whether in 64-bit mode. */
bool vmx_is_kernel(struct vmx_context *ctx, bool *long_mode);

/* As the instructions do it, with all side effects; false means #GP(0) and nothing changed. */
bool vmx_write_cr0(struct vmx_context *ctx, uint64_t value);
bool vmx_write_cr4(struct vmx_context *ctx, uint64_t value);
bool vmx_write_xcr0(struct vmx_context *ctx, uint64_t value);

/* XMM0 to XMM5, 16 bytes each. From within a call of the client only. */
enum { VMX_XMM_BYTES = 6 * 16 };
void vmx_get_xmm(struct vmx_context *ctx, uint8_t to[VMX_XMM_BYTES]);
void vmx_set_xmm(struct vmx_context *ctx, const uint8_t from[VMX_XMM_BYTES]);

/*
 * RDMSR and WRMSR, with WRMSR's checks, of the MSRs that belong to the context: EFER, PAT,
 * SYSENTER_*, STAR, LSTAR, CSTAR, SFMASK, FS, GS and KERNEL_GS base, TSC_AUX.
 */
enum vmx_msr_result { VMX_MSR_OK, VMX_MSR_GP, VMX_MSR_NOT_MINE };
enum vmx_msr_result vmx_msr_read(struct vmx_context *ctx, uint32_t msr, uint64_t *value);
enum vmx_msr_result vmx_msr_write(struct vmx_context *ctx, uint32_t msr, uint64_t value);

/*
 * Whether the guest's reads and writes of an MSR go to the client. At first all do but those of
 * the MSRs above; writes of EFER do. msr is within 0..0x1fff or 0xc0000000..0xc0001fff: what
 * lies outside always goes to the client.
 */
void vmx_intercept_msr(struct vmx_context *ctx, uint32_t msr, bool reads, bool writes);

/* ---- Exceptions and interrupts --------------------------------------------------------------- */

struct vmx_exception {
    uint8_t vector; /* enum exception_vector */
    bool has_error;
    uint32_t error;
    uint64_t address; /* for CR2, if vector is EXCEPTION_PF */
};

/*
 * Raises a fault at the current instruction. If the last exit interrupted the delivery of another
 * event the two combine as SDM Vol 3A, "Interrupt 8 - Double Fault Exception" says; where that is
 * a shutdown the next vmx_run() returns VMX_TRIPLE_FAULT without entering.
 */
void vmx_inject_exception(struct vmx_context *ctx, const struct vmx_exception *exception);
void vmx_inject_gp(struct vmx_context *ctx); /* #GP(0) */
void vmx_inject_ud(struct vmx_context *ctx);

/* What the next entry delivers: an exit interrupted its delivery, or it was injected. */
struct vmx_event {
    bool pending;
    uint8_t vector;
    uint8_t type; /* SDM Vol 3C, "Format of the VM-Entry Interruption-Information Field" */
    bool has_error;
    uint8_t length; /* of the instruction that made it, if one did */
    uint32_t error;
};
struct vmx_event vmx_get_event(struct vmx_context *ctx);
bool vmx_set_event(struct vmx_context *ctx,
                   const struct vmx_event *event); /* false: no such event */

/* Whether STI or MOV SS holds back interrupts for one instruction, and an NMI handler holds back
 * NMIs. */
struct vmx_blocking {
    bool shadow, nmi;
};
struct vmx_blocking vmx_get_blocking(struct vmx_context *ctx);
void vmx_set_blocking(struct vmx_context *ctx, struct vmx_blocking blocking);

/* True if the guest would take one before its next instruction. */
bool vmx_can_take_interrupt(struct vmx_context *ctx);
bool vmx_can_take_nmi(struct vmx_context *ctx);

/* True from an NMI's injection to the guest's IRET. */
bool vmx_handles_nmi(struct vmx_context *ctx);

/* Delivers one on the next entry. Only after the matching question above was answered true. */
void vmx_inject_interrupt(struct vmx_context *ctx, uint8_t vector);
void vmx_inject_nmi(struct vmx_context *ctx);

/* Makes vmx_run() call client->attend() as soon as the guest could take one, until taken back. */
static inline void vmx_want_interrupt_window(struct vmx_context *ctx, bool want);
static inline void vmx_want_nmi_window(struct vmx_context *ctx, bool want);

/* ---- Time ------------------------------------------------------------------------------------ */

/*
 * Whether vmx_run() returns VMX_PAUSED from a loop of PAUSEs, where the processor can tell. Where
 * it cannot, exits by every PAUSE would cost more than the loop: nothing happens.
 */
void vmx_watch_pauses(struct vmx_context *ctx, bool watch);

/* Guest TSC = processor's TSC + offset, modulo 2^64. */
void vmx_set_tsc_offset(struct vmx_context *ctx, uint64_t offset);

/* ---- The client: what core decides ----------------------------------------------------------- */

/* What is to become of the instruction that asked. */
enum vmx_action {
    VMX_NEXT,     /* it is complete: go on behind it */
    VMX_AGAIN,    /* leave RIP alone: run it again, or the client arranged everything */
    VMX_RAISE_GP, /* it raises #GP(0) */
    VMX_RAISE_UD,
    VMX_RAISE, /* it raises the exception which the client filled in, where it was given one */
    VMX_STOP,  /* the client ended the VM: vmx_run() returns VMX_STOPPED */
};

/* How guest memory is accessed; none of WRITE and EXECUTE is a read. */
enum {
    VMX_ACCESS_WRITE = 1 << 0,
    VMX_ACCESS_EXECUTE = 1 << 1,
    VMX_ACCESS_SYSTEM = 1 << 2, /* of descriptor tables and TSS: supervisor whatever the CPL */
};

struct vmx_ept_violation {
    uint64_t gpa;
    uint64_t gla;     /* if gla_valid */
    unsigned access;  /* VMX_ACCESS_WRITE, _EXECUTE; a read-modify-write counts as a write */
    unsigned rights;  /* EPT_R, W, X, UX of the translation; 0 if there is none */
    bool gla_valid;   /* if not: loading PDPTEs, or unknown */
    bool table_walk;  /* of a guest paging structure on the way to gla, not of gla itself */
    bool in_delivery; /* of an event, which VMX_AGAIN delivers again */
};

/*
 * Called from vmx_run() with the owner given to vmx_context_init(), on the processor that runs the
 * context, interrupts off. Every member is set. They may call
 * anything here but vmx_run(), and leave ctx current.
 */
struct vmx_client {
    /* CPUID, whose operands and answer are general registers. */
    void (*cpuid)(void *owner);

    /* What vmx_intercept_msr() sends here. vmx_msr_read() and vmx_msr_write() do the context's
     * own. */
    enum vmx_action (*rdmsr)(void *owner, uint32_t msr, uint64_t *value);
    enum vmx_action (*wrmsr)(void *owner, uint32_t msr, uint64_t value);

    /* size is 1, 2 or 4. VMX_NEXT or VMX_STOP. A string instruction asks once per element. */
    enum vmx_action (*port_read)(void *owner, uint16_t port, unsigned size, uint32_t *value);
    enum vmx_action (*port_write)(void *owner, uint16_t port, unsigned size, uint32_t value);

    /* Guest memory by canonical linear address; size is 1 to 256 bytes, may cross a page; all or
     * nothing. VMX_NEXT, or VMX_RAISE with *fault filled, or VMX_AGAIN, or VMX_STOP. With
     * VMX_ACCESS_WRITE read() asks for the right to write, too. */
    enum vmx_action (*read)(void *owner, uint64_t gla, void *to, size_t size, unsigned access,
                            struct vmx_exception *fault);
    enum vmx_action (*write)(void *owner, uint64_t gla, const void *from, size_t size,
                             unsigned access, struct vmx_exception *fault);

    /* Reads 8 aligned bytes of RAM by guest-physical address; false if there is none. */
    bool (*read_pdpte)(void *owner, uint64_t gpa, uint64_t *value);

    uint64_t (*read_cr8)(void *owner);
    void (*write_cr8)(void *owner, uint64_t value); /* 0..15 */

    /* VMX_AGAIN: it is mapped now, or emulated, vmx_advance_to() called. VMX_RAISE_GP, _STOP. */
    enum vmx_action (*ept_violation)(void *owner, const struct vmx_ept_violation *violation);

    enum vmx_action (*vmcall)(void *owner);

    /* Before CR0, CR4 or XCR0 is written, and before a table register is loaded (the operand is the
     * selector, or the linear address of what is loaded): true keeps the guest from it, RIP stays
     * at the instruction. Only what vmx_intercept_cr() and vmx_intercept_tables() ask for is sure
     * to come here. */
    bool (*refuses_write)(void *owner, enum vmx_reg reg, uint64_t value);
    bool (*refuses_table)(void *owner, enum vmx_table_register which, bool memory,
                          uint64_t operand);

    /* INT3 of a context of vmx_debug(), before its #BP. True: vmx_run() returns, with RIP at it. */
    bool (*breakpoint)(void *owner);

    /* After vmx_switch(): that context is current now, an entry follows. With VMX_LEAVE it makes
     * vmx_run() return instead. */
    void (*switched)(void *owner);

    /* VMX_ATTEND was set, or a wanted window is open: the instruction has ended, an entry follows.
     * With VMX_LEAVE it makes vmx_run() return instead. */
    void (*attend)(void *owner);

    /* With ctx->traced: a VM exit has happened, and an entry is about to. */
    void (*exited)(void *owner, unsigned reason, uint64_t rip, uint64_t qualification);
    void (*enters)(void *owner, uint64_t rip);

    /* A host interrupt, acknowledged at the local APIC by nobody yet: dispatch it. */
    void (*host_interrupt)(uint8_t vector);

    /* With VMX_APIC_REGISTERS: the register at this offset of the page holds what the guest wrote.
     * With VMX_APIC_DELIVERY: the EOI of one of the vectors of vmx_apic_set_eoi_exits() is done. */
    void (*apic_written)(void *owner, uint16_t offset);
    void (*apic_eoi)(void *owner, uint8_t vector);
};

/* ---- Contexts -------------------------------------------------------------------------------- */

/* What the guest may have. CPUID must tell the same story. */
struct vmx_policy {
    uint64_t cr4_allowed;  /* CR4 bits the guest may set; not VMXE, SMXE, PKE, CET */
    uint64_t efer_allowed; /* EFER bits the guest may set, LMA aside */
    uint8_t physical_bits; /* its MAXPHYADDR */
    uint64_t stay;         /* TSC ticks in the guest after which vmx_run() returns at the latest */
    bool rdtscp;           /* and IA32_TSC_AUX */
    bool invpcid;
    bool xsaves;
    bool intercept_exceptions; /* also those that Lapwing has no use for */
};

enum {
    VMX_EXIT_REASONS = 96,
    VMX_PRIVATE_MSRS = 6, /* STAR to TSC_AUX of enum vmx_reg: loaded by software */
};

/* Why vmx_run() returned. */
enum vmx_outcome {
    VMX_RESUME,       /* VMX_LEAVE was set; there is nothing to tell */
    VMX_PREEMPTED,    /* a host interrupt came and was dispatched, or policy.stay is over */
    VMX_HALTED,       /* HLT is complete: run again when an event comes */
    VMX_PAUSED,       /* a guest that spins offers its time */
    VMX_TRIPLE_FAULT, /* the virtual processor is in shutdown */
    VMX_STOPPED,      /* by the client */
    VMX_ERROR,        /* cannot go on; the log says why, with a dump. End the VM */
};

enum vmx_leave {
    VMX_LEAVE = 1,  /* vmx_run() returns */
    VMX_SWITCH = 4, /* vmx/'s own: see vmx_switch() */
    VMX_ATTEND = 2, /* vmx_run() calls client->attend(), then enters again */
};

struct vmx_context {
    void *owner;
    const struct vmx_client *client;
    const struct vmx_caps *caps;
    struct guest_regs *regs;
    struct ept *ept;
    struct vmx_policy policy;

    uint8_t leave; /* bits of enum vmx_leave: what to do after the exit at hand; that clears it */
    bool traced;   /* client->exited() and enters() want to be called */

    uint64_t exits[VMX_EXIT_REASONS]; /* by basic exit reason, see vmx_exit_name() */

    /* The rest is vmx/'s own. */
    struct vmx_cpu *cpu; /* where it is loaded, or NULL */
    void *vmcs;
    uint64_t vmcs_physical;
    uint8_t *msr_bitmap;
    uint64_t host_rsp; /* as the VMCS holds it */
    uint64_t launched;
    uint64_t ept_generation;  /* ept->generation when this processor last forgot it */
    uint32_t stay;            /* policy.stay in ticks of the preemption timer */
    enum vmx_outcome outcome; /* of the last exit */
    uint32_t primary;         /* controls, as the VMCS holds them */
    uint32_t secondary;
    struct vmx_apic apic;
    vmx_apic_set apic_help; /* in use */
    uint64_t ept_pointer;   /* of the tree or of its view, as the VMCS holds it */
    uint32_t event;         /* interruption information to enter with, or 0 */
    uint32_t event_error;
    uint32_t event_length;    /* of the instruction that made it, if one did */
    uint16_t vpid;            /* 0: none */
    bool shutdown;            /* a third fault happened */
    struct vmx_context *next; /* to go on with after this exit, or NULL */
    bool debugged;            /* #BP goes to the client first */
    bool trapped;             /* by the monitor trap flag */
    bool watches_pauses;
    bool watches_tables;
    bool mbec_wanted;
    bool mbec; /* user and supervisor fetches have rights of their own: EPT_UX, EPT_X */
    uint64_t cr0_intercepted, cr4_intercepted;
    uint64_t cr0_mask, cr4_mask;     /* bits that are not the guest's own */
    uint64_t msrs[VMX_PRIVATE_MSRS]; /* unless cpu->live_msrs is this context */
};

/* SDM Vol 3C, "Primary Processor-Based VM-Execution Controls". */
#define VMX_INTERRUPT_WINDOW_CONTROL (UINT32_C(1) << 2)
#define VMX_NMI_WINDOW_CONTROL       (UINT32_C(1) << 22)

void vmx_flip_window(struct vmx_context *ctx, uint32_t control);

static inline void vmx_want_interrupt_window(struct vmx_context *ctx, bool want)
{
    if (want != ((ctx->primary & VMX_INTERRUPT_WINDOW_CONTROL) != 0))
        vmx_flip_window(ctx, VMX_INTERRUPT_WINDOW_CONTROL);
}

static inline void vmx_want_nmi_window(struct vmx_context *ctx, bool want)
{
    if (want != ((ctx->primary & VMX_NMI_WINDOW_CONTROL) != 0))
        vmx_flip_window(ctx, VMX_NMI_WINDOW_CONTROL);
}

/*
 * Makes *ctx a context in power-up state, current on this processor. Takes pages from core's
 * allocator; false if there are none. Everything pointed to must outlive it.
 */
bool vmx_context_init(struct vmx_context *ctx, struct vmx_cpu *cpu, const struct vmx_policy *policy,
                      const struct vmx_client *client, void *owner, struct guest_regs *regs,
                      struct ept *ept);

/* Gives back what init took. Not while loaded. */
void vmx_context_destroy(struct vmx_context *ctx);

/*
 * Resets the private state. INIT leaves alone the MSRs, CR0.CD and CR0.NW. SDM Vol 3A, "Processor
 * State After Reset".
 */
enum vmx_reset { VMX_POWER_UP, VMX_INIT };
void vmx_context_reset(struct vmx_context *ctx, enum vmx_reset kind);

/* Makes ctx current on this processor; cheap if it is. It is not loaded on another one. */
void vmx_load(struct vmx_cpu *cpu, struct vmx_context *ctx);

/* Whether fetches at CPL 3 need EPT_UX, and others EPT_X, while the guest has CR4.SMEP set; else
 * all need EPT_X. The processor has VMX_MODE_BASED_EXECUTE, the guest SMEP. */
void vmx_use_mbec(struct vmx_context *ctx, bool on);

/*
 * From within a call of from's client: goes on with `to`, another context of the same virtual
 * processor, when the instruction has ended. Where that cannot be done at once vmx_run() returns.
 */
void vmx_switch(struct vmx_context *from, struct vmx_context *to);

/* Makes writes of these bits of CR0 and CR4 known to the client, besides those that always are. */
void vmx_intercept_cr(struct vmx_context *ctx, uint64_t cr0, uint64_t cr4);

/* The same for loads of table registers. False if the processor cannot do that. */
bool vmx_intercept_tables(struct vmx_context *ctx, bool on);

/* ---- Debugging: vmx/debug.c ---- */

/* Makes breakpoint instructions known to the client. */
void vmx_debug(struct vmx_context *ctx);

/*
 * Around a vmx_run(), with a processor that has VMX_MONITOR_TRAP_FLAG: it returns after the first
 * exit. vmx_end_trap(), with the same context current, says whether that came because an
 * instruction was executed, or an event delivered.
 */
void vmx_trap_next(struct vmx_context *ctx);
bool vmx_end_trap(struct vmx_context *ctx);

/* Bytes of the instruction that made the exit at hand, for exits that tell. */
unsigned vmx_instruction_length(struct vmx_context *ctx);

/* Moves all state of ctx from this processor, its own, to memory. No effect if not loaded. */
void vmx_unload(struct vmx_context *ctx);

/* Makes this processor forget the translations that it may hold for ctx, loaded or not. */
void vmx_flush_linear(struct vmx_context *ctx);

/*
 * Ends the current instruction as the processor would: RIP moves to rip,
 * blocking by STI and MOV SS ends, with RFLAGS.TF set a single-step trap becomes pending.
 */
void vmx_advance_to(struct vmx_context *ctx, uint64_t rip);

/*
 * Loads ES, SS, DS, FS or GS as MOV does in the current context's mode. VMX_NEXT: done. VMX_RAISE
 * with *fault, VMX_AGAIN, VMX_STOP: as the client's read and write, with nothing loaded.
 */
enum vmx_action vmx_load_segment(struct vmx_context *ctx, enum vmx_segment_name name,
                                 uint16_t selector, struct vmx_exception *fault);

/* After vmx_advance_to(): the instruction was a MOV to SS. */
void vmx_block_by_mov_ss(struct vmx_context *ctx);

/*
 * Runs the guest until there is something for core to do. With vmx_switch() another context may be
 * current then, and the outcome is that one's.
 * A host interrupt that is pending on entry
 * ends it as VMX_PREEMPTED: who first posts work and then interrupts this processor is heard.
 * Bochs (2.7 and 3.0) loses sight of host interrupts while a guest runs that was entered with
 * RFLAGS.IF clear, until the guest changes IF or leaves: there policy.stay bounds the delay, and
 * the caller lets in what is pending then.
 * Changes of ctx->ept, made before the call or before such an interrupt, are in force; those that
 * the client makes while it answers are if it sets a bit of ctx->leave.
 */
enum vmx_outcome vmx_run(struct vmx_context *ctx);

/* Writes all guest state to the log, for people. */
void vmx_dump(struct vmx_context *ctx);

/* The basic exit reason's name, NULL for a number without one. */
const char *vmx_exit_name(unsigned reason);
