/* SPDX-License-Identifier: BSD-2-Clause */
/* The registers of a virtual processor by name, save those of Virtual Secure Mode. */
#include "core/hyperv/vp_registers.h"

#include "core/epoch.h"
#include "core/hyperv/vtl.h"
#include "core/string.h"
#include "core/x86.h"

/* First numbers of the groups, and single ones. TLFS, "HV_REGISTER_NAME". */
enum {
    REG_EXPLICIT_SUSPEND = 0x00000000,
    REG_INTERCEPT_SUSPEND = 0x00000001,
    REG_ACTIVITY = 0x00000004,
    REG_VERSION = 0x00000100,
    REG_FEATURES = 0x00000200, /* leaf 40000003H, and the leaves behind */
    REG_FEATURES_LAST = 0x00000208,
    REG_TSC_FREQUENCY = 0x00000240,
    REG_APIC_FREQUENCY = 0x00000241,
    REG_PENDING_INTERRUPTION = 0x00010002,
    REG_INTERRUPT_STATE = 0x00010003,
    REG_PENDING_EVENT0 = 0x00010004,
    REG_PENDING_EVENT1 = 0x00010005,
    REG_PENDING_DEBUG = 0x00010007,
    REG_PENDING_EVENT2 = 0x00010008,
    REG_PENDING_EVENT3 = 0x00010009,
    REG_RAX = 0x00020000,
    REG_R15 = 0x0002000f,
    REG_XMM0 = 0x00030000,
    REG_MMX7 = 0x00030017,
    REG_X87_CONTROL = 0x00030018,
    REG_XMM_CONTROL = 0x00030019,
    REG_CR8 = 0x00040004,
    REG_XFEM = 0x00040005,
    REG_INTERMEDIATE_CR8 = 0x00041004,
    REG_ES = 0x00060000,
    REG_TR = 0x00060007,
    REG_IDTR = 0x00070000,
    REG_GDTR = 0x00070001,
    REG_INITIAL_APIC_ID = 0x0008000c,
    REG_MTRR_CAP = 0x0008000d,
    REG_MTRR_DEF_TYPE = 0x0008000e,
    REG_MTRR_BASE0 = 0x00080010,
    REG_MTRR_MASK0 = 0x00080040,
    REG_MTRR_FIXED = 0x00080070,
    REG_SYNTHETIC = 0x00090000,
    REG_SINT0 = 0x000a0000,
    REG_SCONTROL = 0x000a0010,
    REG_STIMER0 = 0x000b0000, /* configuration and count in turn */
    REG_APIC = 0x00084800,    /* and the number of the x2APIC MSR */
    REG_APIC_LAST = 0x0008483f,
    REG_VSM = 0x000d0000,
    REG_VSM_LAST = 0x000effff,
    REG_CRASH_P0 = 0x00000210,
};

/* Registers that are one number of the context. The order of segments and of general registers is
 * that of vmx/, too. */
static const struct {
    uint32_t name;
    enum vmx_reg reg;
} numbers[] = {
    {0x20004, VMX_RSP},
    {0x20010, VMX_RIP},
    {0x20011, VMX_RFLAGS},
    {0x40000, VMX_CR0},
    {0x40001, VMX_CR2},
    {0x40002, VMX_CR3},
    {0x40003, VMX_CR4},
    {0x41000, VMX_CR0},
    {0x41003, VMX_CR4},
    {0x50000, VMX_DR0},
    {0x50001, VMX_DR1},
    {0x50002, VMX_DR2},
    {0x50003, VMX_DR3},
    {0x50004, VMX_DR6},
    {0x50005, VMX_DR7},
    {0x80001, VMX_EFER},
    {0x80002, VMX_KERNEL_GS_BASE},
    {0x80004, VMX_PAT},
    {0x80005, VMX_SYSENTER_CS},
    {0x80006, VMX_SYSENTER_EIP},
    {0x80007, VMX_SYSENTER_ESP},
    {0x80008, VMX_STAR},
    {0x80009, VMX_LSTAR},
    {0x8000a, VMX_CSTAR},
    {0x8000b, VMX_SFMASK},
    {0x8007b, VMX_TSC_AUX},
};

static bool find_number(uint32_t name, enum vmx_reg *reg)
{
    for (unsigned i = 0; i < ARRAY_SIZE(numbers); i++) {
        if (numbers[i].name == name) {
            *reg = numbers[i].reg;
            return true;
        }
    }
    return false;
}

static enum hv_status ok_or(bool ok, enum hv_status otherwise)
{
    return ok ? HV_SUCCESS : otherwise;
}

/* ---- x87 and SSE -------------------------------------------------------------------------------
 * The values are parts of the FXSAVE image. SDM Vol 1, "Layout of the Legacy Region".
 */

enum { IMAGE_CONTROL = 0, IMAGE_MXCSR = 16, IMAGE_ST0 = 32, IMAGE_XMM0 = 160 };

static bool is_fpu(uint32_t name)
{
    return name >= REG_XMM0 && name <= REG_XMM_CONTROL;
}

static unsigned image_offset(uint32_t name)
{
    if (name == REG_X87_CONTROL)
        return IMAGE_CONTROL;
    if (name == REG_XMM_CONTROL)
        return IMAGE_MXCSR;
    unsigned n = name - REG_XMM0;
    return n < 16 ? IMAGE_XMM0 + 16 * n : IMAGE_ST0 + 16 * (n % 8);
}

/* MXCSR is in the third word; the fourth, its mask, is the processor's. */
static enum hv_status set_fpu(struct context *ctx, uint32_t name, struct hv_value value)
{
    uint8_t *image = vmx_fpu_image(&ctx->vmx);

    if (name == REG_XMM_CONTROL) {
        uint32_t mask;

        memcpy(&mask, image + IMAGE_MXCSR + 12, sizeof(mask));
        if ((uint32_t)value.high & ~(mask == 0 ? 0xffbfu : mask))
            return HV_INVALID_REGISTER_VALUE;
        value.high = (uint32_t)value.high | (uint64_t)mask << 32;
    }
    memcpy(image + image_offset(name), &value, sizeof(value));
    return HV_SUCCESS;
}

/* ---- Events ---------------------------------------------------------------------------------- */

/* HV_X64_PENDING_INTERRUPTION_REGISTER */
#define INTERRUPTION_PENDING  BIT(0)
#define INTERRUPTION_TYPE     MASK(3, 1)
#define INTERRUPTION_ERROR    BIT(4)
#define INTERRUPTION_LENGTH   MASK(8, 5)
#define INTERRUPTION_RESERVED MASK(15, 9)
#define INTERRUPTION_VECTOR   MASK(31, 16)

static uint64_t get_interruption(struct context *ctx)
{
    struct vmx_event e = vmx_get_event(&ctx->vmx);

    if (!e.pending)
        return 0;
    return INTERRUPTION_PENDING | (uint64_t)e.type << 1 | (e.has_error ? INTERRUPTION_ERROR : 0) |
           (uint64_t)e.length << 5 | (uint64_t)e.vector << 16 | (uint64_t)e.error << 32;
}

static enum hv_status set_interruption(struct context *ctx, uint64_t value)
{
    const struct vmx_event event = {
        .pending = value & INTERRUPTION_PENDING,
        .type = (uint8_t)field_get(value, INTERRUPTION_TYPE),
        .has_error = value & INTERRUPTION_ERROR,
        .length = (uint8_t)field_get(value, INTERRUPTION_LENGTH),
        .vector = (uint8_t)field_get(value, INTERRUPTION_VECTOR),
        .error = (uint32_t)(value >> 32),
    };

    if (value & INTERRUPTION_RESERVED || field_get(value, INTERRUPTION_VECTOR) > UINT8_MAX)
        return HV_INVALID_REGISTER_VALUE;
    return ok_or(vmx_set_event(&ctx->vmx, &event), HV_INVALID_REGISTER_VALUE);
}

/* HV_X64_INTERRUPT_STATE_REGISTER */
#define STATE_SHADOW BIT(0)
#define STATE_NMI    BIT(1)

static uint64_t get_interrupt_state(struct context *ctx)
{
    struct vmx_blocking blocking = vmx_get_blocking(&ctx->vmx);

    return (blocking.shadow ? STATE_SHADOW : 0) | (blocking.nmi ? STATE_NMI : 0);
}

static enum hv_status set_interrupt_state(struct context *ctx, uint64_t value)
{
    if (value & ~(STATE_SHADOW | STATE_NMI))
        return HV_INVALID_REGISTER_VALUE;
    vmx_set_blocking(&ctx->vmx, (struct vmx_blocking){value & STATE_SHADOW, value & STATE_NMI});
    return HV_SUCCESS;
}

/* HV_X64_PENDING_DEBUG_EXCEPTION: breakpoints that were met, and a step. */
#define DEBUG_BREAKPOINTS MASK(3, 0)
#define DEBUG_STEP        BIT(4)
#define DR6_BS            BIT(14)

static uint64_t get_pending_debug(struct context *ctx)
{
    uint64_t dr6 = vmx_get(&ctx->vmx, VMX_PENDING_DEBUG);

    return (dr6 & DEBUG_BREAKPOINTS) | (dr6 & DR6_BS ? DEBUG_STEP : 0);
}

static enum hv_status set_pending_debug(struct context *ctx, uint64_t value)
{
    if (value & ~(DEBUG_BREAKPOINTS | DEBUG_STEP))
        return HV_INVALID_REGISTER_VALUE;
    vmx_set(&ctx->vmx, VMX_PENDING_DEBUG,
            (value & DEBUG_BREAKPOINTS) | (value & DEBUG_STEP ? DR6_BS : 0));
    return HV_SUCCESS;
}

#define ACTIVITY_STARTUP BIT(0)
#define ACTIVITY_HALT    BIT(1)

static uint64_t get_activity(const struct context *ctx)
{
    return (ctx->state == CONTEXT_WAITS_FOR_SIPI ? ACTIVITY_STARTUP : 0) |
           (ctx->state == CONTEXT_HALTED ? ACTIVITY_HALT : 0);
}

static enum hv_status set_activity(struct context *ctx, uint64_t value)
{
    if (value & ~ACTIVITY_HALT || ctx->state == CONTEXT_WAITS_FOR_SIPI)
        return HV_INVALID_REGISTER_VALUE;
    ctx->state = value != 0 ? CONTEXT_HALTED : CONTEXT_RUNNABLE;
    return HV_SUCCESS;
}

/* HV_X64_PENDING_EXCEPTION_EVENT */
#define EVENT_PENDING   BIT(0)
#define EVENT_KIND      MASK(3, 1) /* 0: an exception */
#define EVENT_ERROR     BIT(8)
#define EVENT_RESERVED  (MASK(7, 4) | MASK(15, 9))
#define EVENT_VECTOR_OF MASK(31, 16)

#define WITH_ERROR_CODE                                                                            \
    (BIT(EXCEPTION_DF) | MASK(EXCEPTION_PF, EXCEPTION_TS) | BIT(EXCEPTION_AC) | BIT(EXCEPTION_CP))

/* It comes before the VTL's next instruction, and may combine with what is being delivered. */
static enum hv_status set_pending_event(const struct hv_register_access *access,
                                        const struct hv_value *value)
{
    struct context *ctx = access->ctx;
    uint64_t vector = field_get(value->low, EVENT_VECTOR_OF);
    struct vmx_exception exception = {
        .vector = (uint8_t)vector,
        .has_error = value->low & EVENT_ERROR,
        .error = (uint32_t)(value->low >> 32),
        .address = value->high,
    };

    if (value->low == 0 && value->high == 0)
        return HV_SUCCESS;
    if (!(value->low & EVENT_PENDING) || field_get(value->low, EVENT_KIND) != 0 ||
        value->low & EVENT_RESERVED || vector > 31 || vector == EXCEPTION_NMI ||
        exception.has_error != ((WITH_ERROR_CODE >> vector & 1) != 0))
        return HV_INVALID_REGISTER_VALUE;
    vmx_inject_exception(&ctx->vmx, &exception);
    if (ctx->state == CONTEXT_HALTED)
        ctx->state = CONTEXT_RUNNABLE;
    return HV_SUCCESS;
}

/* ---- The local APIC -------------------------------------------------------------------------- */

enum { APIC_EOI_REGISTER = 0x0b, APIC_ICR_REGISTER = 0x30, APIC_SELF_IPI_REGISTER = 0x3f };

static enum hv_status get_apic(struct context *ctx, uint32_t n, uint64_t *value)
{
    if (lapic_mode(&ctx->lapic) == APIC_X2APIC)
        return ok_or(lapic_rdmsr(&ctx->lapic, APIC_MSR_FIRST + n, value), HV_INVALID_PARAMETER);
    *value = lapic_read(&ctx->lapic, n << 4, 4);
    return HV_SUCCESS;
}

/* A register is set without what its write does besides: those that are nothing else have none. */
static enum hv_status set_apic(struct context *ctx, uint32_t n, uint64_t value)
{
    bool ok = true;

    if (n == APIC_EOI_REGISTER || n == APIC_ICR_REGISTER || n == APIC_SELF_IPI_REGISTER)
        return HV_INVALID_PARAMETER;
    epoch_enter();
    if (lapic_mode(&ctx->lapic) == APIC_X2APIC)
        ok = lapic_wrmsr(&ctx->lapic, APIC_MSR_FIRST + n, value);
    else
        lapic_write(&ctx->lapic, n << 4, 4, value);
    epoch_leave();
    return ok_or(ok, HV_INVALID_REGISTER_VALUE);
}

/* ---- MSRs --------------------------------------------------------------------------------------
 * Architectural ones besides those above, and the synthetic ones: each of the active VTL, which the
 * named one is for a moment.
 */

/* @own: those that belong to no processor but the one which runs; they are timers, too, or take
 * locks. */
static const struct msr_range {
    uint32_t name, count;
    uint32_t msr, step;
    bool own;
} msr_ranges[] = {
    {REG_MTRR_CAP, 1, MSR_IA32_MTRRCAP, 1, false},
    {REG_MTRR_DEF_TYPE, 1, MSR_IA32_MTRR_DEF_TYPE, 1, false},
    {REG_MTRR_BASE0, MTRR_VARIABLE, MSR_IA32_MTRR_PHYSBASE0, 2, false},
    {REG_MTRR_MASK0, MTRR_VARIABLE, MSR_IA32_MTRR_PHYSMASK0, 2, false},
    {REG_MTRR_FIXED, 1, MSR_IA32_MTRR_FIX64K_00000, 1, false},
    {REG_MTRR_FIXED + 1, 2, MSR_IA32_MTRR_FIX16K_80000, 1, false},
    {REG_MTRR_FIXED + 3, 8, MSR_IA32_MTRR_FIX4K_C0000, 1, false},
    {0x80003, 1, MSR_IA32_APIC_BASE, 1, false},
    {0x8007d, 1, MSR_IA32_DEBUGCTL, 1, false},
    {0x8008b, 1, MSR_IA32_XSS, 1, false},
    {0x800a0, 1, MSR_IA32_MISC_ENABLE, 1, false},
    {0x80000, 1, MSR_IA32_TSC, 1, true},
    {0x80095, 1, MSR_IA32_TSC_DEADLINE, 1, true},
    {0x80096, 1, MSR_IA32_TSC_ADJUST, 1, true},
    {REG_SYNTHETIC + 1, 1, HV_MSR_HYPERCALL, 1, true},
    {REG_SYNTHETIC + 2, 1, HV_MSR_GUEST_OS_ID, 1, true},
    {REG_SYNTHETIC + 3, 1, HV_MSR_VP_INDEX, 1, true},
    {REG_SYNTHETIC + 4, 1, HV_MSR_TIME_REF_COUNT, 1, true},
    {REG_SYNTHETIC + 0x11, 3, HV_MSR_ICR, 1, true}, /* TPR, VP_ASSIST_PAGE */
    {REG_SYNTHETIC + 0x17, 1, HV_MSR_REFERENCE_TSC, 1, true},
    {REG_SINT0, HV_SINTS, HV_MSR_SINT0, 1, true},
    {REG_SCONTROL, HV_MSR_EOM - HV_MSR_SCONTROL + 1, HV_MSR_SCONTROL, 1, true},
    {REG_STIMER0, 2 * HV_TIMERS, HV_MSR_STIMER0_CONFIG, 1, true},
    {REG_CRASH_P0, HV_CRASH_PARAMETERS + 1, HV_MSR_CRASH_P0, 1, true},
};

static const struct msr_range *range_of(uint32_t name)
{
    for (unsigned i = 0; i < ARRAY_SIZE(msr_ranges); i++)
        if (name - msr_ranges[i].name < msr_ranges[i].count)
            return &msr_ranges[i];
    return NULL;
}

/* The MSR, or 0. */
static uint32_t msr_of(uint32_t name)
{
    const struct msr_range *range = range_of(name);

    return range != NULL ? range->msr + (name - range->name) * range->step : 0;
}

static bool is_synthetic(uint32_t msr)
{
    return msr >= HV_MSR_FIRST && msr <= HV_MSR_LAST;
}

static enum hv_status read_msr(struct context *ctx, uint32_t msr, uint64_t *value)
{
    struct vcpu *vcpu = ctx->vcpu;
    struct context *active = vcpu->active;

    vcpu->active = ctx;
    enum vmx_action action = guest_rdmsr(vcpu, msr, value);
    vcpu->active = active;
    return ok_or(action == VMX_NEXT, HV_INVALID_PARAMETER);
}

/* ICR and EOM are commands, no registers. */
static enum hv_status write_msr(const struct hv_register_access *access, uint32_t name,
                                uint64_t value)
{
    struct vcpu *vcpu = access->ctx->vcpu;
    struct context *active = vcpu->active;
    uint32_t msr = msr_of(name);

    if (msr == HV_MSR_ICR || msr == HV_MSR_EOM ||
        (range_of(name)->own && vcpu != access->caller->vcpu))
        return HV_INVALID_PARAMETER;
    vcpu->active = access->ctx;
    enum vmx_action action = guest_wrmsr(vcpu, msr, value);
    vcpu->active = active;
    return ok_or(action == VMX_NEXT, HV_INVALID_REGISTER_VALUE);
}

/* ---- All of them ----------------------------------------------------------------------------- */

static enum vmx_table_register table_of(uint32_t name)
{
    return name == REG_IDTR ? VMX_TABLE_IDTR : VMX_TABLE_GDTR;
}

static bool is_gpr(uint32_t name)
{
    return name >= REG_RAX && name <= REG_R15 && name != REG_RAX + (uint32_t)VMX_GPR_RSP;
}

static enum hv_status get_rare(const struct hv_register_access *access, uint32_t name,
                               struct hv_value *value)
{
    struct context *ctx = access->ctx;
    const struct vm *vm = ctx->vcpu->vm;

    if (name >= REG_APIC && name <= REG_APIC_LAST)
        return get_apic(ctx, name - REG_APIC, &value->low);
    if (name == REG_VERSION || (name >= REG_FEATURES && name <= REG_FEATURES_LAST)) {
        struct cpuid leaf = hv_cpuid(
            vm, name == REG_VERSION ? HV_CPUID_VERSION : HV_CPUID_FEATURES + name - REG_FEATURES);

        memcpy(value, &leaf, sizeof(*value));
        return HV_SUCCESS;
    }
    switch (name) {
    case REG_EXPLICIT_SUSPEND:
    case REG_INTERCEPT_SUSPEND:
    case REG_PENDING_EVENT0:
    case REG_PENDING_EVENT1:
    case REG_PENDING_EVENT2:
    case REG_PENDING_EVENT3:
        return HV_SUCCESS;
    case REG_ACTIVITY:
        return hv_is(value, get_activity(ctx));
    case REG_TSC_FREQUENCY:
    case REG_APIC_FREQUENCY:
        return hv_is(value, vm->tsc_hz);
    case REG_PENDING_INTERRUPTION:
        return hv_is(value, get_interruption(ctx));
    case REG_INTERRUPT_STATE:
        return hv_is(value, get_interrupt_state(ctx));
    case REG_PENDING_DEBUG:
        return hv_is(value, get_pending_debug(ctx));
    case REG_CR8:
    case REG_INTERMEDIATE_CR8:
        return hv_is(value, lapic_read_cr8(&ctx->lapic));
    case REG_XFEM:
        return hv_is(value, vmx_get(&ctx->vmx, VMX_XCR0));
    case REG_INITIAL_APIC_ID:
        return hv_is(value, ctx->vcpu->apic_id);
    default:
        return HV_INVALID_PARAMETER;
    }
}

enum hv_status hv_get_register(const struct hv_register_access *access, uint32_t name,
                               struct hv_value *value)
{
    struct context *ctx = access->ctx;
    enum vmx_reg reg;

    if (name >= REG_VSM && name <= REG_VSM_LAST)
        return hv_get_vsm_register(access, name, value);
    if (msr_of(name) != 0)
        return read_msr(ctx, msr_of(name), &value->low);
    if (is_gpr(name)) {
        value->low = ctx->vcpu->regs.gpr[name - REG_RAX];
    } else if (find_number(name, &reg)) {
        value->low = vmx_get(&ctx->vmx, reg);
    } else if (is_fpu(name)) {
        memcpy(value, vmx_fpu_image(&ctx->vmx) + image_offset(name), sizeof(*value));
    } else if (name >= REG_ES && name <= REG_TR) {
        struct vmx_segment segment = vmx_get_segment(&ctx->vmx, name - REG_ES);
        struct hv_segment out = hv_segment_out(&segment);

        memcpy(value, &out, sizeof(*value));
    } else if (name == REG_IDTR || name == REG_GDTR) {
        struct vmx_table table = vmx_get_table(&ctx->vmx, table_of(name));

        *value = (struct hv_value){.low = (uint64_t)table.limit << 48, .high = table.base};
    } else {
        return get_rare(access, name, value);
    }
    return HV_SUCCESS;
}

static enum hv_status set_number(struct context *ctx, enum vmx_reg reg, uint64_t value)
{
    if (!vmx_value_allowed(&ctx->vmx, reg, value))
        return HV_INVALID_REGISTER_VALUE;
    vmx_set(&ctx->vmx, reg, value);
    return HV_SUCCESS;
}

static enum hv_status set_rare(const struct hv_register_access *access, uint32_t name,
                               const struct hv_value *value)
{
    struct context *ctx = access->ctx;

    if (name >= REG_APIC && name <= REG_APIC_LAST)
        return set_apic(ctx, name - REG_APIC, value->low);
    switch (name) {
    case REG_ACTIVITY:
        return set_activity(ctx, value->low);
    case REG_PENDING_EVENT0:
        return set_pending_event(access, value);
    case REG_PENDING_EVENT1: /* of events that are none of Event0's exceptions */
    case REG_PENDING_EVENT2:
    case REG_PENDING_EVENT3:
        return ok_or(value->low == 0 && value->high == 0, HV_INVALID_REGISTER_VALUE);
    case REG_PENDING_DEBUG:
        return set_pending_debug(ctx, value->low);
    case REG_PENDING_INTERRUPTION:
        return set_interruption(ctx, value->low);
    case REG_INTERRUPT_STATE:
        return set_interrupt_state(ctx, value->low);
    case REG_CR8:
    case REG_INTERMEDIATE_CR8:
        return ok_or(lapic_write_cr8(&ctx->lapic, value->low), HV_INVALID_REGISTER_VALUE);
    case REG_XFEM:
        return ok_or(vmx_write_xcr0(&ctx->vmx, value->low), HV_INVALID_REGISTER_VALUE);
    default:
        return HV_INVALID_PARAMETER;
    }
}

static enum hv_status set_table(struct context *ctx, uint32_t name, const struct hv_value *value)
{
    struct vmx_table table = {.base = value->high, .limit = (uint16_t)(value->low >> 48)};

    if ((uint64_t)((int64_t)(table.base << 16) >> 16) != table.base)
        return HV_INVALID_REGISTER_VALUE;
    vmx_set_table(&ctx->vmx, table_of(name), table);
    return HV_SUCCESS;
}

enum hv_judgement hv_judgement_of(uint32_t name)
{
    enum vmx_reg reg;

    if (find_number(name, &reg) &&
        (reg == VMX_CR0 || reg == VMX_CR3 || reg == VMX_CR4 || reg == VMX_EFER))
        return HV_JUDGED_PAGING;
    return name >= REG_PENDING_INTERRUPTION && name <= REG_GDTR && !is_gpr(name) && !is_fpu(name)
               ? HV_JUDGED
               : HV_NOT_JUDGED;
}

uint32_t hv_keeper_of(uint32_t name)
{
    return name == REG_PENDING_EVENT0 ? (uint32_t)REG_PENDING_INTERRUPTION : name;
}

bool hv_state_stands(struct context *ctx, enum hv_judgement judged)
{
    bool stands = true;

    if (judged >= HV_JUDGED_PAGING) {
        stands = vmx_reload_pdptes(&ctx->vmx);
        vmx_flush_linear(&ctx->vmx);
    }
    return stands && (judged == HV_NOT_JUDGED || vmx_state_error(&ctx->vmx) == NULL);
}

/* Each value is judged for itself; all of them by hv_state_stands(). */
enum hv_status hv_set_register(const struct hv_register_access *access, uint32_t name,
                               const struct hv_value *value)
{
    struct context *ctx = access->ctx;
    enum vmx_reg reg;

    if (name >= REG_VSM && name <= REG_VSM_LAST)
        return hv_set_vsm_register(access, name, value);
    if (is_synthetic(msr_of(name)))
        return write_msr(access, name, value->low);
    if (access->caller == ctx)
        return name == REG_PENDING_EVENT0 ? HV_INVALID_PARAMETER : HV_ACCESS_DENIED;
    if (msr_of(name) != 0)
        return write_msr(access, name, value->low);
    if (is_gpr(name)) {
        ctx->vcpu->regs.gpr[name - REG_RAX] = value->low;
        return HV_SUCCESS;
    }
    if (find_number(name, &reg))
        return set_number(ctx, reg, value->low);
    if (is_fpu(name))
        return set_fpu(ctx, name, *value);
    if (name >= REG_ES && name <= REG_TR) {
        struct hv_segment in;

        memcpy(&in, value, sizeof(in));
        struct vmx_segment segment = hv_segment_in(&in);
        vmx_set_segment(&ctx->vmx, name - REG_ES, &segment);
        return HV_SUCCESS;
    }
    if (name == REG_IDTR || name == REG_GDTR)
        return set_table(ctx, name, value);
    return set_rare(access, name, value);
}
