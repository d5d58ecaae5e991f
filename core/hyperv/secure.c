/* SPDX-License-Identifier: BSD-2-Clause */
/* Secure configuration of lower VTLs: mode-based execution, TLB locks, intercepts of registers. */
#include "core/hyperv/secure.h"

#include "core/hyperv/intercept.h"
#include "core/string.h"
#include "core/x86.h"

/* HV_REGISTER_VSM_VP_SECURE_VTL_CONFIG */
#define SECURE_MBEC       BIT(0)
#define SECURE_TLB_LOCKED BIT(1)

static void apply_mbec(struct vcpu *vp, unsigned below)
{
    bool on = false;

    for (unsigned vtl = below + 1; vtl < vp->vm->vtls; vtl++)
        on = on || vp->contexts[vtl].hv->secure[below] & SECURE_MBEC;
    struct vmx_context *before = vcpu_borrow(&vp->contexts[below]);
    vmx_use_mbec(&vp->contexts[below].vmx, on);
    vcpu_give_back(before);
}

enum hv_status hv_set_secure_config(struct context *ctx, unsigned below, uint64_t value)
{
    struct vcpu *vp = ctx->vcpu;
    bool mbec = vp->vm->hv->vtl[ctx->vtl].mbec;

    if (value & ~((mbec ? SECURE_MBEC : 0) | SECURE_TLB_LOCKED))
        return HV_INVALID_REGISTER_VALUE;
    uint64_t changed = value ^ ctx->hv->secure[below];
    atomic_store(&ctx->hv->secure[below], value);
    if (changed & SECURE_MBEC)
        apply_mbec(vp, below);
    return HV_SUCCESS;
}

void hv_unlock_tlbs(struct context *ctx)
{
    for (unsigned below = 0; below < ctx->vtl; below++)
        if (ctx->hv->secure[below] & SECURE_TLB_LOCKED)
            atomic_fetch_and(&ctx->hv->secure[below], ~SECURE_TLB_LOCKED);
}

void hv_lock_tlb(struct context *ctx, unsigned below)
{
    atomic_fetch_or(&ctx->hv->secure[below], SECURE_TLB_LOCKED);
}

bool hv_tlb_locked(const struct vcpu *vcpu, unsigned vtl)
{
    for (unsigned above = vtl + 1; above < vcpu->vm->vtls; above++)
        if (atomic_load(&vcpu->contexts[above].hv->secure[vtl]) & SECURE_TLB_LOCKED)
            return true;
    return false;
}

#define WAIT_FOR_TLB_LOCK BIT(0)

enum hv_status hv_set_tlb_wait(const struct context *caller, struct context *ctx, uint64_t value)
{
    if (caller->vcpu != ctx->vcpu || caller->vtl <= ctx->vtl)
        return HV_INVALID_PARAMETER;
    if (value & ~WAIT_FOR_TLB_LOCK)
        return HV_INVALID_REGISTER_VALUE;
    ctx->hv->waits_for_tlb = value;
    return HV_SUCCESS;
}

bool hv_waits_for_tlb(struct context *ctx)
{
    const struct vm *vm = ctx->vcpu->vm;

    for (uint32_t i = 0; ctx->hv->waits_for_tlb && i < vm->vcpu_count; i++)
        if (hv_tlb_locked(vm->vcpus[i], ctx->vtl))
            return true;
    ctx->hv->waits_for_tlb = false;
    return false;
}

/* ---- Intercepts of registers -------------------------------------------------------------------
 * Of several VTLs that want the same one the lowest hears of it.
 */

/* HV_REGISTER_CR_INTERCEPT_CONTROL */
#define INTERCEPT_CR0  BIT(0)
#define INTERCEPT_CR4  BIT(1)
#define INTERCEPT_XCR0 BIT(2)
#define INTERCEPT_GDTR BIT(15)
#define INTERCEPT_IDTR BIT(16)
#define INTERCEPT_LDTR BIT(17)
#define INTERCEPT_TR   BIT(18)

#define INTERCEPT_TABLES (INTERCEPT_GDTR | INTERCEPT_IDTR | INTERCEPT_LDTR | INTERCEPT_TR)
#define INTERCEPT_KNOWN  MASK(23, 0) /* no SGX, no CET */

/* The bits for reads and writes, and which accesses exit in any case. */
static const struct {
    uint32_t msr;
    uint32_t read, write;
    bool read_exits, write_exits;
} msrs[] = {
    {MSR_IA32_MISC_ENABLE, BIT(3), BIT(4), true, true},
    {MSR_IA32_LSTAR, BIT(5), BIT(6), false, false},
    {MSR_IA32_STAR, BIT(7), BIT(8), false, false},
    {MSR_IA32_CSTAR, BIT(9), BIT(10), false, false},
    {MSR_IA32_APIC_BASE, BIT(11), BIT(12), true, true},
    {MSR_IA32_EFER, BIT(13), BIT(14), false, true},
    {MSR_IA32_SYSENTER_CS, 0, BIT(19), false, false},
    {MSR_IA32_SYSENTER_EIP, 0, BIT(20), false, true},
    {MSR_IA32_SYSENTER_ESP, 0, BIT(21), false, true},
    {MSR_IA32_FMASK, 0, BIT(22), false, false},
    {MSR_IA32_TSC_AUX, 0, BIT(23), true, true},
};

static void apply_intercepts(struct vcpu *vp, unsigned below)
{
    struct vmx_context *vmx = &vp->contexts[below].vmx;
    struct vmx_context *before = vcpu_borrow(&vp->contexts[below]);
    uint64_t all = 0, cr0 = 0, cr4 = 0;

    for (unsigned vtl = below + 1; vtl < vp->vm->vtls; vtl++) {
        const struct hv_context *hv = vp->contexts[vtl].hv;

        all |= hv->intercepts;
        cr0 |= hv->intercepts & INTERCEPT_CR0 ? hv->cr0_mask : 0;
        cr4 |= hv->intercepts & INTERCEPT_CR4 ? hv->cr4_mask : 0;
    }
    vp->contexts[below].hv->guarded = all != 0;
    vmx_intercept_cr(vmx, cr0, cr4);
    vmx_intercept_tables(vmx, all & INTERCEPT_TABLES);
    for (unsigned i = 0; i < ARRAY_SIZE(msrs); i++)
        vmx_intercept_msr(vmx, msrs[i].msr, msrs[i].read_exits || all & msrs[i].read,
                          msrs[i].write_exits || all & msrs[i].write);
    vcpu_give_back(before);
}

static void apply_to_lower(struct context *ctx)
{
    for (unsigned below = 0; below < ctx->vtl; below++)
        apply_intercepts(ctx->vcpu, below);
}

enum hv_status hv_set_intercepts(struct context *ctx, uint64_t value)
{
    const struct vmx_caps *caps = ctx->vmx.caps;
    bool can_tables =
        vmx_has(caps, VMX_DESCRIPTOR_TABLE_EXITING) && vmx_has(caps, VMX_MONITOR_TRAP_FLAG);

    if (value & ~INTERCEPT_KNOWN || (value & INTERCEPT_TABLES && !can_tables))
        return HV_INVALID_REGISTER_VALUE;
    ctx->hv->intercepts = value;
    apply_to_lower(ctx);
    return HV_SUCCESS;
}

void hv_set_intercept_mask(struct context *ctx, uint64_t *mask, uint64_t value)
{
    *mask = value;
    apply_to_lower(ctx);
}

/* Who wants to know; @mask: which of its masks decides by the bits that change, or NULL. */
static struct context *interested(struct vcpu *vcpu, uint64_t bit, size_t mask, uint64_t changed)
{
    for (unsigned vtl = vcpu->active->vtl + 1; vtl < vcpu->vm->vtls; vtl++) {
        struct context *ctx = &vcpu->contexts[vtl];
        uint64_t wanted = UINT64_MAX;

        if (mask != 0)
            memcpy(&wanted, (const uint8_t *)ctx->hv + mask, sizeof(wanted));
        if (vcpu_has_vtl(vcpu, vtl) && ctx->hv->intercepts & bit && changed & wanted)
            return ctx;
    }
    return NULL;
}

/* HV_X64_MSR_INTERCEPT_MESSAGE */
struct msr_intercept {
    struct hv_intercept_header header;
    uint32_t msr;
    uint32_t reserved;
    uint64_t rdx, rax;
};
_Static_assert(sizeof(struct msr_intercept) == 64, "as the TLFS has it");

bool hv_refuses_msr(struct vcpu *vcpu, uint32_t msr, bool write, uint64_t value)
{
    struct context *to = NULL;

    for (unsigned i = 0; i < ARRAY_SIZE(msrs) && to == NULL; i++) {
        bool masked = write && msr == MSR_IA32_MISC_ENABLE;

        if (msrs[i].msr == msr)
            to = interested(vcpu, write ? msrs[i].write : msrs[i].read,
                            masked ? offsetof(struct hv_context, misc_enable_mask) : 0,
                            masked ? value ^ vcpu->msrs.misc_enable : UINT64_MAX);
    }
    if (to == NULL)
        return false;
    struct msr_intercept m = {
        .msr = msr, .rdx = vcpu->regs.gpr[VMX_RDX], .rax = vcpu->regs.gpr[VMX_RAX]};
    hv_fill_header(vcpu, &m.header, write ? HV_ACCESS_WRITE : HV_ACCESS_READ,
                   vmx_instruction_length(&vcpu->active->vmx));
    hv_send_intercept(to, (uint32_t)HV_MESSAGE_MSR_INTERCEPT, &m, sizeof(m));
    return true;
}

/* HV_X64_REGISTER_INTERCEPT_MESSAGE */
struct register_intercept {
    struct hv_intercept_header header;
    uint8_t memory_operand; /* the value is its linear address */
    uint8_t reserved[3];
    uint32_t name;
    uint64_t value[2];
};
_Static_assert(sizeof(struct register_intercept) == 64, "as the TLFS has it");

static bool refuse_register(struct vcpu *vcpu, struct context *to, uint32_t name, bool memory,
                            uint64_t value)
{
    struct register_intercept m = {.memory_operand = memory, .name = name, .value = {value}};

    if (to == NULL)
        return false;
    hv_fill_header(vcpu, &m.header, HV_ACCESS_WRITE, vmx_instruction_length(&vcpu->active->vmx));
    hv_send_intercept(to, (uint32_t)HV_MESSAGE_REGISTER_INTERCEPT, &m, sizeof(m));
    return true;
}

bool hv_refuses_write(struct vcpu *vcpu, enum vmx_reg reg, uint64_t value)
{
    uint64_t changed = value ^ vmx_get(&vcpu->active->vmx, reg);
    struct context *to;

    switch (reg) {
    case VMX_CR0:
        to = interested(vcpu, INTERCEPT_CR0, offsetof(struct hv_context, cr0_mask), changed);
        return refuse_register(vcpu, to, 0x40000, false, value);
    case VMX_CR4:
        to = interested(vcpu, INTERCEPT_CR4, offsetof(struct hv_context, cr4_mask), changed);
        return refuse_register(vcpu, to, 0x40003, false, value);
    default:
        to = interested(vcpu, INTERCEPT_XCR0, 0, UINT64_MAX);
        return refuse_register(vcpu, to, 0x40005, false, value);
    }
}

bool hv_refuses_table(struct vcpu *vcpu, enum vmx_table_register which, bool memory,
                      uint64_t operand)
{
    static const struct {
        uint64_t bit;
        uint32_t name;
    } tables[] = {
        [VMX_TABLE_GDTR] = {INTERCEPT_GDTR, 0x70001},
        [VMX_TABLE_IDTR] = {INTERCEPT_IDTR, 0x70000},
        [VMX_TABLE_LDTR] = {INTERCEPT_LDTR, 0x60006},
        [VMX_TABLE_TR] = {INTERCEPT_TR, 0x60007},
    };

    return refuse_register(vcpu, interested(vcpu, tables[which].bit, 0, UINT64_MAX),
                           tables[which].name, memory, operand);
}
