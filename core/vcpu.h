/* SPDX-License-Identifier: BSD-2-Clause */
/* A virtual processor, its contexts, and the loop that runs it. */
#pragma once

#include <stdatomic.h>

#include "apic/lapic.h"
#include "core/cpu.h"
#include "core/guest/cpuid.h"
#include "core/guest/msr.h"
#include "core/guest/start.h"
#include "core/sched.h"
#include "core/vm.h"
#include "vmx/vmx.h"

struct hv_context;
struct hv_vp;

enum context_state {
    CONTEXT_RUNNABLE,
    CONTEXT_HALTED, /* by HLT: an interrupt that it could take, or an NMI, wakes it */
    CONTEXT_WAITS_FOR_SIPI,
};

enum {
    EXTERNAL_LINT0 = 1,   /* the level that the APIC was last told */
    EXTERNAL_MESSAGE = 2, /* an ExtINT message has arrived and was not taken */
};

/* One virtual processor in one VTL. */
struct context {
    struct vmx_context vmx;
    struct lapic lapic;
    struct apic_post *post;
    void *apic_page;
    uint64_t apic_identity, apic_base; /* when the processor's help was last chosen for the APIC */
    bool apic_auto_eoi;
    bool eoi_exits_stale;     /* the VMCS may not know whose EOI is wanted */
    _Atomic bool apic_posted; /* the processor merges what is posted, when told by VECTOR_POSTED */
    struct vcpu *vcpu;
    struct hv_context *hv; /* NULL: without Hyper-V's interface */
    unsigned vtl;
    enum context_state state;
    unsigned nmis;     /* owed to the guest, 0 to 2 */
    unsigned external; /* EXTERNAL_...: what may be an external (8259-style) interrupt */
};

enum vcpu_hit { VCPU_NOT_HIT, VCPU_STEPPED, VCPU_AT_BREAKPOINT };

/* Belongs to the CPU that runs it. Others may post to the contexts' APICs and wake it. */
struct vcpu {
    struct vm *vm;
    uint32_t index;
    uint32_t apic_id; /* 32-bit ID, fixed */
    struct guest_regs regs;
    size_t fpu_size;
    struct guest_msrs msrs;
    struct cpuid_answer cpuid[64];
    uint64_t apic_due; /* when the first context's APIC timer was due as the host's was set */
    struct context contexts[VM_VTLS_MAX]; /* by VTL; vm->vtls of them exist */
    uint16_t enabled;                     /* bit n: VTL n is enabled on this processor */
    struct context *active;               /* which one runs when the processor does */
    struct hv_vp *hv;                     /* NULL: without Hyper-V's interface */
    const struct context *notified; /* gets the notifications of its posts: core/guest/ipi.c */
    _Atomic uint32_t held;          /* bits of enum vm_holder; 0: it may run */
    bool steps;                     /* GDB wants one instruction only */
    enum vcpu_hit gdb_hit;          /* why it was held for GDB */
    struct sched_entity sched;
};

/* Makes a processor in power-up state. NULL, and nothing left behind, when memory is short. */
struct vcpu *vcpu_create(struct vm *vm, uint32_t index, uint32_t apic_id);
void vcpu_destroy(struct vcpu *vcpu);

/* Gives a processor that has not run yet the state a loader asks for. On any CPU. */
void vcpu_set_start(struct vcpu *vcpu, const struct guest_start *start);

/* Makes the guest's TSC begin with the VM's time: on any CPU, before it runs; and later, on the CPU
 * that owns it, between VM exits. */
void vcpu_start_clock(struct vcpu *vcpu);
void vcpu_set_clock(struct vcpu *vcpu);

/*
 * A turn: runs @vcpu on this CPU, its home, until its slice is over, it has nothing to do or its VM
 * stops. With RUN_SLEEPS *deadline is the host TSC at which it wakes by itself. For core/sched.c.
 */
enum run_result vcpu_run(struct vcpu *vcpu, uint64_t *deadline);

/* Leaves nothing of it in a processor. On the boot processor, when it has run to its end. */
void vcpu_retire(struct vcpu *vcpu);

/* The APIC of @vcpu, which this CPU runs, has changed: delivers what it can, and when to wake. */
void vcpu_attend(struct vcpu *vcpu);

/* Its APIC timer has changed, and nothing else: sets the host's timer to what is due next. */
void vcpu_set_timer(struct vcpu *vcpu);

/* Another context of @vcpu, which this CPU runs, became active and current between two entries. */
void vcpu_switched(struct vcpu *vcpu);

/* Whether VTL @vtl is enabled on @vcpu. */
static inline bool vcpu_has_vtl(const struct vcpu *vcpu, unsigned vtl)
{
    return vcpu->enabled >> vtl & 1;
}

/*
 * Makes the registers of @ctx, whose processor this CPU owns, reachable with vmx_get() and the like
 * for a moment; to be ended with what it returned. Between VM exits.
 */
struct vmx_context *vcpu_borrow(struct context *ctx);
void vcpu_give_back(struct vmx_context *before);

/*
 * Where the hypervisor reaches what @ctx sees at @gpa: RAM or a page laid over it, with all of
 * @rights (vmx/ept.h); good up to the end of the page. NULL if it is not that. Any CPU; the rights
 * are those of now.
 */
void *context_view(const struct context *ctx, gpa_t gpa, unsigned rights);

/* Whether there is anything at @gpa for @ctx, even if it may not use it. Any CPU. */
bool context_has(const struct context *ctx, gpa_t gpa);

/* So many NMIs arrive for @ctx; some may count as one. On the CPU that owns it, between exits. */
void context_take_nmis(struct context *ctx, unsigned count);

/* Its VM exits for @reason, below VMX_EXIT_REASONS, so far; exact on the CPU that owns it. */
uint64_t vcpu_exits(const struct vcpu *vcpu, unsigned reason);

/* The guest's CR4, on the CPU that runs @vcpu. */
uint64_t vcpu_cr4(struct vcpu *vcpu);
