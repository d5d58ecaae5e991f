/* SPDX-License-Identifier: BSD-2-Clause */
/* Making, resetting and ending contexts. */
#include "core/memory.h"
#include "core/string.h"
#include "vmx/internal.h"

/* ---- VPIDs: 1 to 65535, of all contexts of the machine; 0 is the hypervisor's ---------------- */

enum { VPIDS = 65536 };
static uint64_t vpids_taken[VPIDS / 64] = {1};

static uint16_t vpid_alloc(const struct vmx_caps *caps)
{
    if (!vmx_has(caps, VMX_VPID) || !vmx_has(caps, VMX_INVVPID) || !vmx_has(caps, VMX_INVVPID_ALL))
        return 0;
    for (unsigned i = 0; i < ARRAY_SIZE(vpids_taken); i++) {
        uint64_t taken = __atomic_load_n(&vpids_taken[i], __ATOMIC_RELAXED);
        while (taken != UINT64_MAX) {
            unsigned bit = __builtin_ctzll(~taken);
            if (__atomic_compare_exchange_n(&vpids_taken[i], &taken, taken | BIT(bit), false,
                                            __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
                return i * 64 + bit;
        }
    }
    return 0;
}

static void vpid_free(uint16_t vpid)
{
    if (vpid != 0)
        __atomic_fetch_and(&vpids_taken[vpid / 64], ~BIT(vpid % 64), __ATOMIC_ACQ_REL);
}

/* ---- Controls -------------------------------------------------------------------------------- */

static uint32_t controls(const struct vmx_context *ctx, enum vmx_word word,
                         const enum vmx_feature *features, unsigned n)
{
    uint64_t wanted = 0;
    for (unsigned i = 0; i < n; i++)
        wanted |= vmx_feature_bit(ctx->caps, features[i]);
    return vmx_control_value(ctx->caps, word, wanted);
}

static uint32_t secondary_controls(const struct vmx_context *ctx)
{
    enum vmx_feature wanted[8] = {VMX_EPT, VMX_UNRESTRICTED_GUEST, VMX_WBINVD_EXITING,
                                  VMX_PAUSE_LOOP_EXITING};
    unsigned n = 4;
    if (ctx->vpid != 0)
        wanted[n++] = VMX_VPID;
    if (ctx->policy.rdtscp)
        wanted[n++] = VMX_RDTSCP;
    if (ctx->policy.invpcid)
        wanted[n++] = VMX_INVPCID;
    if (ctx->policy.xsaves)
        wanted[n++] = VMX_XSAVES;
    return controls(ctx, VMX_SECONDARY, wanted, n);
}

static const enum vmx_feature pin_features[] = {
    VMX_EXTERNAL_INTERRUPT_EXITING,
    VMX_NMI_EXITING,
    VMX_VIRTUAL_NMIS,
    VMX_PREEMPTION_TIMER,
};

static const enum vmx_feature primary_features[] = {
    VMX_TSC_OFFSETTING,
    VMX_HLT_EXITING,
    VMX_MWAIT_EXITING,
    VMX_RDPMC_EXITING,
    VMX_CR8_LOAD_EXITING,
    VMX_CR8_STORE_EXITING,
    VMX_UNCONDITIONAL_IO_EXITING,
    VMX_MSR_BITMAPS,
    VMX_MONITOR_EXITING,
    VMX_SECONDARY_CONTROLS,
};

static const enum vmx_feature exit_features[] = {
    VMX_SAVE_DEBUG_CONTROLS, VMX_HOST_64BIT, VMX_ACKNOWLEDGE_INTERRUPT, VMX_SAVE_PAT,
    VMX_EXIT_LOAD_PAT,       VMX_SAVE_EFER,  VMX_EXIT_LOAD_EFER,        VMX_SAVE_PREEMPTION_TIMER,
};

static const enum vmx_feature entry_features[] = {
    VMX_ENTRY_LOAD_DEBUG_CONTROLS,
    VMX_ENTRY_LOAD_PAT,
    VMX_ENTRY_LOAD_EFER,
};

/* #MC is the host's. #DB and #AC: see reflect_debug_exception(). */
static uint32_t intercepted_exceptions(const struct vmx_context *ctx)
{
    if (ctx->policy.intercept_exceptions)
        return UINT32_MAX;
    return BIT(EXCEPTION_MC) | BIT(EXCEPTION_DB) | BIT(EXCEPTION_AC);
}

/*
 * A loop: PAUSEs of CPL 0, each at most so many TSC ticks behind the one before, for longer than
 * the window. SDM Vol 3C, "Changes to Instruction Behavior in VMX Non-Root Operation".
 */
enum { PAUSE_GAP = 128, PAUSE_WINDOW = 4096 };

static void write_controls(struct vmx_context *ctx)
{
    ctx->secondary = secondary_controls(ctx);
    ctx->primary = controls(ctx, VMX_PRIMARY, primary_features, ARRAY_SIZE(primary_features));
    vmwrite32(PIN_CONTROLS, controls(ctx, VMX_PIN, pin_features, ARRAY_SIZE(pin_features)));
    vmwrite32(PRIMARY_CONTROLS, ctx->primary);
    vmwrite32(SECONDARY_CONTROLS, ctx->secondary);
    vmwrite32(EXIT_CONTROLS, controls(ctx, VMX_EXIT, exit_features, ARRAY_SIZE(exit_features)));
    vmwrite32(ENTRY_CONTROLS, controls(ctx, VMX_ENTRY, entry_features, ARRAY_SIZE(entry_features)));
    vmwrite32(EXCEPTION_BITMAP, intercepted_exceptions(ctx));
    vmwrite32(PAGE_FAULT_MASK, 0);
    vmwrite32(PAGE_FAULT_MATCH, 0);
    vmwrite32(CR3_TARGET_COUNT, 0);
    vmwrite32(EXIT_MSR_STORE_COUNT, 0);
    vmwrite32(EXIT_MSR_LOAD_COUNT, 0);
    vmwrite32(ENTRY_MSR_LOAD_COUNT, 0);
    vmwrite32(ENTRY_INTERRUPTION_INFO, 0);
    vmwrite64(MSR_BITMAP, virt_to_phys(ctx->msr_bitmap));
    vmwrite64(EPT_POINTER, ctx->ept_pointer);
    vmwrite64(TSC_OFFSET, 0);
    if (ctx->vpid != 0)
        vmwrite16(VPID, ctx->vpid);
    if (ctx->policy.xsaves)
        vmwrite64(XSS_EXITING_BITMAP, 0);
    if (vmx_has(ctx->caps, VMX_PAUSE_LOOP_EXITING)) {
        vmwrite32(PLE_GAP, PAUSE_GAP);
        vmwrite32(PLE_WINDOW, UINT32_MAX);
    }
    vmwrite(CR0_MASK, ctx->cr0_mask);
    vmwrite(CR4_MASK, ctx->cr4_mask);
}

/* ---- Reset ----------------------------------------------------------------------------------- */

#define CR0_AFTER_RESET (CR0_CD | CR0_NW | CR0_ET)
#define PAT_AFTER_RESET 0x0007040600070406ull
#define NO_LINK         UINT64_MAX /* the VMCS link pointer, without VMCS shadowing */

enum {
    ACCESS_DATA = SEGMENT_P | SEGMENT_S | SEGMENT_WRITABLE | SEGMENT_ACCESSED,
    ACCESS_LDT = SEGMENT_P | 2,
    ACCESS_TSS_BUSY = SEGMENT_P | 11,
};

static void reset_segments(struct vmx_context *ctx)
{
    struct vmx_segment data = {.limit = 0xffff, .access = ACCESS_DATA};
    for (unsigned name = VMX_ES; name <= VMX_GS; name++)
        vmx_set_segment(ctx, name, &data);
    struct vmx_segment code = data;
    code.selector = 0xf000;
    code.base = 0xffff0000;
    vmx_set_segment(ctx, VMX_CS, &code);
    struct vmx_segment ldtr = {.limit = 0xffff, .access = ACCESS_LDT};
    struct vmx_segment tr = {.limit = 0xffff, .access = ACCESS_TSS_BUSY};
    vmx_set_segment(ctx, VMX_LDTR, &ldtr);
    vmx_set_segment(ctx, VMX_TR, &tr);
    vmx_set_table(ctx, VMX_TABLE_GDTR, (struct vmx_table){.limit = 0xffff});
    vmx_set_table(ctx, VMX_TABLE_IDTR, (struct vmx_table){.limit = 0xffff});
}

static void reset_msrs(struct vmx_context *ctx)
{
    vmx_set(ctx, VMX_PAT, PAT_AFTER_RESET);
    for (enum vmx_reg reg = VMX_SYSENTER_CS; reg <= VMX_SYSENTER_EIP; reg++)
        vmx_set(ctx, reg, 0);
    for (enum vmx_reg reg = VMX_STAR; reg <= VMX_TSC_AUX; reg++)
        vmx_set(ctx, reg, 0);
}

void vmx_context_reset(struct vmx_context *ctx, enum vmx_reset kind)
{
    uint64_t cr0 = CR0_AFTER_RESET;
    if (kind == VMX_INIT)
        cr0 = CR0_ET | (vmx_get(ctx, VMX_CR0) & (CR0_CD | CR0_NW));
    else
        reset_msrs(ctx);
    reset_segments(ctx);
    vmx_set(ctx, VMX_CR0, cr0);
    vmx_set(ctx, VMX_CR3, 0);
    vmx_set(ctx, VMX_CR4, 0);
    vmx_set(ctx, VMX_EFER, 0);
    vmx_set(ctx, VMX_RIP, 0xfff0);
    vmx_set(ctx, VMX_RSP, 0);
    vmx_set(ctx, VMX_RFLAGS, RFLAGS_ONE);
    vmx_set(ctx, VMX_DR7, DR7_RESET);
    for (enum vmx_reg reg = VMX_PDPTE0; reg <= VMX_PDPTE3; reg++)
        vmx_set(ctx, reg, 0);
    vmwrite64(GUEST_LINK_POINTER, NO_LINK);
    vmwrite64(GUEST_DEBUGCTL, 0);
    vmwrite(GUEST_PENDING_DEBUG, 0);
    vmwrite32(GUEST_INTERRUPTIBILITY, 0);
    vmwrite32(GUEST_ACTIVITY, 0);
    ctx->event = 0;
    ctx->shutdown = false;
    vmx_flush_linear(ctx);
}

void vmx_regs_init_signal(struct vmx_context *ctx)
{
    memset(ctx->regs->gpr, 0, sizeof(ctx->regs->gpr));
    for (enum vmx_reg reg = VMX_CR2; reg <= VMX_DR3; reg++)
        vmx_set(ctx, reg, 0);
    vmx_set(ctx, VMX_DR6, DR6_RESET);
}

/* ---- Life ------------------------------------------------------------------------------------ */

/*
 * Real and visible CR0 differ in CD, NW and NE, and PG decides about EFER.LMA. What software cannot
 * change, ET and the reserved bits (SDM Vol 3A, "Control Registers"), is not left to the processor
 * either: KVM, which emulates one for us, lets a guest that writes them read back what it wrote.
 */
#define CR0_GUESTS_OWN     (CR0_PE | CR0_MP | CR0_EM | CR0_TS | CR0_WP | CR0_AM)
#define CR0_NOT_GUESTS_OWN (~(uint64_t)CR0_GUESTS_OWN)

static uint64_t cr4_not_guests_own(const struct vmx_caps *caps, const struct vmx_policy *policy)
{
    return ~policy->cr4_allowed | CR4_VMXE | CR4_MCE | caps->cr4_fixed0;
}

bool vmx_context_init(struct vmx_context *ctx, struct vmx_cpu *cpu, const struct vmx_policy *policy,
                      const struct vmx_client *client, void *owner, struct guest_regs *regs,
                      struct ept *ept)
{
    const struct vmx_caps *caps = cpu->caps;
    uint32_t *vmcs = page_alloc();
    uint8_t *bitmap = page_alloc();
    if (!vmcs || !bitmap) {
        page_free(vmcs);
        page_free(bitmap);
        return false;
    }
    *vmcs = vmx_revision(caps);
    memset(bitmap, 0xff, PAGE_SIZE);
    *ctx = (struct vmx_context){
        .owner = owner,
        .client = client,
        .caps = caps,
        .regs = regs,
        .ept = ept,
        .ept_pointer = ept->pointer,
        .policy = *policy,
        .vmcs = vmcs,
        .vmcs_physical = virt_to_phys(vmcs),
        .msr_bitmap = bitmap,
        .vpid = vpid_alloc(caps),
        .stay = (uint32_t)(policy->stay >> vmx_preemption_timer_shift(caps)),
        .cr0_mask = CR0_NOT_GUESTS_OWN,
        .cr4_mask = cr4_not_guests_own(caps, policy),
    };
    vmx_pass_own_msrs(ctx);
    vmx_clear(ctx);
    vmx_load(cpu, ctx);
    write_controls(ctx);
    vmx_context_reset(ctx, VMX_POWER_UP);
    return true;
}

void vmx_context_destroy(struct vmx_context *ctx)
{
    ASSERT(!ctx->cpu);
    vpid_free(ctx->vpid);
    page_free(ctx->vmcs);
    page_free(ctx->msr_bitmap);
    ctx->vmcs = NULL;
    ctx->msr_bitmap = NULL;
}

/* Masks change, what the guest sees does not. */
static void update_cr_masks(struct vmx_context *ctx)
{
    uint64_t cr0_seen = vmx_get(ctx, VMX_CR0), cr4_seen = vmx_get(ctx, VMX_CR4);
    ctx->cr0_mask = CR0_NOT_GUESTS_OWN | ctx->cr0_intercepted;
    ctx->cr4_mask = cr4_not_guests_own(ctx->caps, &ctx->policy) | ctx->cr4_intercepted |
                    (ctx->mbec_wanted ? CR4_SMEP : 0);
    vmwrite(CR0_MASK, ctx->cr0_mask);
    vmwrite(CR4_MASK, ctx->cr4_mask);
    vmwrite(CR0_SHADOW, cr0_seen);
    vmwrite(CR4_SHADOW, cr4_seen);
}

void vmx_intercept_cr(struct vmx_context *ctx, uint64_t cr0, uint64_t cr4)
{
    ctx->cr0_intercepted = cr0;
    ctx->cr4_intercepted = cr4;
    update_cr_masks(ctx);
}

/* The processor goes by the page, not by CPL: without SMEP a kernel could run what users may. */
void vmx_update_mbec(struct vmx_context *ctx)
{
    uint32_t bit = vmx_feature_bit(ctx->caps, VMX_MODE_BASED_EXECUTE);
    bool on = ctx->mbec_wanted && (vmread(GUEST_CR4) & CR4_SMEP);
    if (on == ctx->mbec)
        return;
    ctx->mbec = on;
    ctx->secondary = on ? ctx->secondary | bit : ctx->secondary & ~bit;
    vmwrite32(SECONDARY_CONTROLS, ctx->secondary);
    invept(ctx->caps, ctx->ept_pointer);
}

void vmx_use_mbec(struct vmx_context *ctx, bool on)
{
    ctx->mbec_wanted = on;
    update_cr_masks(ctx);
    vmx_update_mbec(ctx);
}

void vmx_set_tsc_offset(struct vmx_context *, uint64_t offset)
{
    vmwrite64(TSC_OFFSET, offset);
}

void vmx_watch_pauses(struct vmx_context *ctx, bool watch)
{
    if (watch == ctx->watches_pauses || !vmx_has(ctx->caps, VMX_PAUSE_LOOP_EXITING))
        return;
    ctx->watches_pauses = watch;
    vmwrite32(PLE_WINDOW, watch ? PAUSE_WINDOW : UINT32_MAX);
}
