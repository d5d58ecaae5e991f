/* SPDX-License-Identifier: BSD-2-Clause */
/* The controls, bitmaps and fields behind the processor's APIC virtualization. */
#include "vmx/apic.h"

#include "core/memory.h"
#include "vmx/apic_rules.h"
#include "vmx/internal.h"

/* No access gets as far as the page itself. */
static _Alignas(PAGE_SIZE) uint8_t access_page[PAGE_SIZE];

uint64_t vmx_apic_access_page(void)
{
    return virt_to_phys(access_page);
}

#define IPI_ENTRY_VALID BIT(0)

uint64_t vmx_apic_ipi_entry(const void *descriptor)
{
    return descriptor ? virt_to_phys(descriptor) | IPI_ENTRY_VALID : 0;
}

void vmx_apic_init(struct vmx_context *ctx, const struct vmx_apic *apic)
{
    ctx->apic = *apic;
    if (vmx_has(ctx->caps, VMX_TPR_SHADOW)) {
        vmwrite64(VIRTUAL_APIC_ADDRESS, virt_to_phys(apic->registers));
        vmwrite32(TPR_THRESHOLD, 0);
    }
    if (vmx_has(ctx->caps, VMX_VIRTUALIZE_APIC_ACCESSES))
        vmwrite64(APIC_ACCESS_ADDRESS, vmx_apic_access_page());
    if (vmx_has(ctx->caps, VMX_POSTED_INTERRUPTS)) {
        vmwrite64(POSTED_INTERRUPT_DESCRIPTOR, virt_to_phys(apic->descriptor));
        vmwrite16(POSTED_INTERRUPT_VECTOR, apic->notification_vector);
    }
    if (vmx_has(ctx->caps, VMX_IPI_VIRTUALIZATION) && apic->ipi_table) {
        vmwrite64(PID_POINTER_TABLE, virt_to_phys(apic->ipi_table));
        vmwrite16(LAST_PID_POINTER_INDEX, apic->ipi_last);
    }
}

/* ---- A defect of posted-interrupt processing ---------------------------------------------------
 * Bochs 3.0 takes the highest of no vectors for 255 when a notification finds PIR and VIRR empty,
 * which happens when what it told of was merged before it came. An entry that cannot succeed tells
 * this processor: it is alone in refusing a descriptor that is not page-aligned. Vector 0 in VIRR
 * then keeps the highest right: no priority is below its class, so that it is never delivered.
 */

enum {
    DESCRIPTOR_ALIGNMENT = 64,
    ERROR_INVALID_CONTROLS = 7,
    ERROR_INVALID_HOST = 8,
    APIC_IRR_INDEX = 0x200 / 4
};
#define NOT_CANONICAL BIT(63)

static bool refuses_aligned_descriptor(struct vmx_context *ctx)
{
    uint64_t descriptor = vmread64(POSTED_INTERRUPT_DESCRIPTOR);
    uint64_t rip = vmread(HOST_RIP);
    uint64_t rsp = ctx->host_rsp;
    vmwrite64(POSTED_INTERRUPT_DESCRIPTOR, descriptor + DESCRIPTOR_ALIGNMENT);
    vmwrite(HOST_RIP, NOT_CANONICAL);
    enum enter_result result = vmx_enter(ctx, ctx->regs, &ctx->host_rsp, ctx->launched);
    ASSERT(result == ENTRY_FAIL_VALID);
    vmwrite64(POSTED_INTERRUPT_DESCRIPTOR, descriptor);
    vmwrite(HOST_RIP, rip);
    vmwrite(HOST_RSP, rsp);
    ctx->host_rsp = rsp;
    uint32_t error = vmread32(INSTRUCTION_ERROR);
    ASSERT(error == ERROR_INVALID_CONTROLS || error == ERROR_INVALID_HOST);
    return error == ERROR_INVALID_CONTROLS;
}

static enum { POSTING_UNKNOWN, POSTING_RIGHT, POSTING_WRONG } posting;

static void work_around_posting(struct vmx_context *ctx, bool posted)
{
    if (posted && posting == POSTING_UNKNOWN)
        posting = refuses_aligned_descriptor(ctx) ? POSTING_WRONG : POSTING_RIGHT;
    if (posting != POSTING_WRONG)
        return;
    uint32_t *irr = &ctx->apic.registers[APIC_IRR_INDEX];
    *irr = posted ? *irr | 1 : *irr & ~1u;
}

static void intercept_msrs(struct vmx_context *ctx, vmx_apic_set set)
{
    uint64_t reads = apic_direct_reads(set), writes = apic_direct_writes(set);
    if (posting == POSTING_WRONG)
        reads &= ~BIT(MSR_APIC_IRR0);
    for (unsigned i = 0; i < APIC_MSRS; i++)
        vmx_intercept_msr(ctx, APIC_MSR_BASE + i, !(reads & BIT(i)), !(writes & BIT(i)));
}

/* ---- Controls -------------------------------------------------------------------------------- */

static uint32_t with(struct vmx_context *ctx, uint32_t controls, vmx_apic_set set,
                     enum vmx_apic_help help)
{
    uint32_t bit = vmx_feature_bit(ctx->caps, apic_feature(help));
    return vmx_apic_in(set, help) ? controls | bit : controls & ~bit;
}

static void use_tpr_shadow(struct vmx_context *ctx, vmx_apic_set set)
{
    uint32_t cr8 = vmx_feature_bit(ctx->caps, VMX_CR8_LOAD_EXITING) |
                   vmx_feature_bit(ctx->caps, VMX_CR8_STORE_EXITING);
    ctx->primary = with(ctx, ctx->primary, set, VMX_APIC_TPR_SHADOW);
    ctx->primary = set & APIC_SET(TPR_SHADOW) ? ctx->primary & ~cr8 : ctx->primary | cr8;
    vmwrite32(PRIMARY_CONTROLS, ctx->primary);
}

/* SDM Vol 3C, "Tertiary Processor-Based VM-Execution Controls". */
static void use_ipi(struct vmx_context *ctx, vmx_apic_set set)
{
    uint64_t bit = vmx_feature_bit(ctx->caps, VMX_IPI_VIRTUALIZATION);
    uint32_t tertiary = vmx_feature_bit(ctx->caps, VMX_TERTIARY_CONTROLS);
    if (bit == 0)
        return;
    vmwrite64(TERTIARY_CONTROLS, set & APIC_SET(IPI) ? bit : 0);
    ctx->primary |= tertiary;
    vmwrite32(PRIMARY_CONTROLS, ctx->primary);
}

static void use_view(struct vmx_context *ctx, bool wanted)
{
    uint64_t pointer = wanted ? ctx->ept->view.pointer : ctx->ept->pointer;
    ASSERT(pointer != 0);
    if (pointer == ctx->ept_pointer)
        return;
    ctx->ept_pointer = pointer;
    vmwrite64(EPT_POINTER, pointer);
    invept(ctx->caps, pointer);
}

void vmx_apic_use(struct vmx_context *ctx, vmx_apic_set set)
{
    ASSERT(vmx_apic_usable(ctx->caps, set) == set);
    ASSERT((set & (APIC_SET(ACCESS) | APIC_SET(X2APIC))) != (APIC_SET(ACCESS) | APIC_SET(X2APIC)));
    ctx->apic_help = set;
    use_tpr_shadow(ctx, set);
    use_ipi(ctx, set);
    for (unsigned help = VMX_APIC_ACCESS; help <= VMX_APIC_DELIVERY; help++)
        ctx->secondary = with(ctx, ctx->secondary, set, help);
    vmwrite32(SECONDARY_CONTROLS, ctx->secondary);
    vmwrite32(PIN_CONTROLS, with(ctx, vmread32(PIN_CONTROLS), set, VMX_APIC_POSTED));
    use_view(ctx, set & APIC_SET(ACCESS));
    work_around_posting(ctx, set & APIC_SET(POSTED));
    intercept_msrs(ctx, set);
    if (set & APIC_SET(DELIVERY))
        vmx_want_interrupt_window(ctx, false); /* it would hold back what is delivered */
    else if (set & APIC_SET(TPR_SHADOW))
        vmwrite32(TPR_THRESHOLD, 0);
}

void vmx_apic_set_pending(struct vmx_context *, uint8_t irr, uint8_t isr)
{
    vmwrite16(GUEST_INTERRUPT_STATUS, (uint16_t)(isr << 8 | irr));
}

void vmx_apic_set_eoi_exits(struct vmx_context *, const uint64_t bitmap[4])
{
    vmwrite64(EOI_EXIT_BITMAP0, bitmap[0]);
    vmwrite64(EOI_EXIT_BITMAP1, bitmap[1]);
    vmwrite64(EOI_EXIT_BITMAP2, bitmap[2]);
    vmwrite64(EOI_EXIT_BITMAP3, bitmap[3]);
}

void vmx_apic_set_threshold(struct vmx_context *, uint8_t class)
{
    vmwrite32(TPR_THRESHOLD, class);
}

/* ---- Exits -----------------------------------------------------------------------------------
 * All but the first are trap-like: RIP is behind the instruction.
 */

/* An access that the processor does not virtualize is one to a page where there is no RAM. */
enum vmx_outcome exit_apic_access(struct vmx_context *ctx)
{
    struct vmx_ept_violation access = decode_apic_access(vmread(EXIT_QUALIFICATION));
    access.gpa += ctx->ept->view.gpa;
    event_requeue(ctx);
    return vmx_act(ctx, ctx->client->ept_violation(ctx->owner, &access), NULL);
}

enum vmx_outcome exit_apic_write(struct vmx_context *ctx)
{
    ctx->client->apic_written(ctx->owner, vmread(EXIT_QUALIFICATION) & MASK(11, 0));
    return VMX_RESUME;
}

enum vmx_outcome exit_virtualized_eoi(struct vmx_context *ctx)
{
    ctx->client->apic_eoi(ctx->owner, vmread(EXIT_QUALIFICATION));
    return VMX_RESUME;
}

enum vmx_outcome exit_tpr_below_threshold(struct vmx_context *ctx)
{
    ctx->leave |= VMX_ATTEND;
    return VMX_RESUME;
}
