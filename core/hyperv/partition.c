/* SPDX-License-Identifier: BSD-2-Clause */
/* Making and destroying the interface's state. */
#include "core/hyperv/protect.h"
#include "core/hyperv/vp.h"
#include "core/memory.h"
#include "core/string.h"

#define PRIVILEGES                                                                                 \
    (HV_ACCESS_REFERENCE_COUNTER | HV_ACCESS_SYNIC | HV_ACCESS_TIMERS | HV_ACCESS_APIC |           \
     HV_ACCESS_HYPERCALL | HV_ACCESS_VP_INDEX | HV_ACCESS_RESET | HV_ACCESS_REFERENCE_TSC |        \
     HV_ACCESS_FREQUENCIES | HV_POST_MESSAGES | HV_SIGNAL_EVENTS | HV_EXTENDED_RANGES |            \
     HV_FAST_OUTPUT | HV_ACCESS_VP_REGISTERS | HV_START_VP)

/*
 * A hypercall at the start, then what HV_CODE_PAGE_OFFSETS_* say, INT3 where nobody should get to.
 * The control input comes in EAX or RCX. TLFS, "HvCallVtlCall".
 */
static void fill_hypercall_page(uint8_t *page)
{
    static const uint8_t code[] = {
        0x0f, 0x01, 0xc1, 0xc3, /* vmcall; ret */
        /* mov ecx, eax; mov eax, 11h; vmcall; ret */
        0x89, 0xc1, 0xb8, HV_CALL_VTL_CALL, 0, 0, 0, 0x0f, 0x01, 0xc1, 0xc3,
        /* mov rax, rcx; mov ecx, 11h; vmcall; ret */
        0x48, 0x89, 0xc8, 0xb9, HV_CALL_VTL_CALL, 0, 0, 0, 0x0f, 0x01, 0xc1, 0xc3,
        /* and both with 12h */
        0x89, 0xc1, 0xb8, HV_CALL_VTL_RETURN, 0, 0, 0, 0x0f, 0x01, 0xc1, 0xc3, 0x48, 0x89, 0xc8,
        0xb9, HV_CALL_VTL_RETURN, 0, 0, 0, 0x0f, 0x01, 0xc1, 0xc3};
    _Static_assert(sizeof(code) == 4 + 2 * (11 + 12), "HV_CODE_PAGE_OFFSETS_*");

    memset(page, 0xcc, HV_PAGE_SIZE);
    memcpy(page, code, sizeof(code));
}

static bool create_pages(struct hv_partition *hv, struct hv_vtl *vtl)
{
    const struct hv_reference_tsc time = {.sequence = 1, .scale = hv->time_scale};

    vtl->hypercall.page = page_alloc();
    vtl->reference_tsc.page = page_alloc();
    if (vtl->hypercall.page == NULL || vtl->reference_tsc.page == NULL)
        return false;
    fill_hypercall_page(vtl->hypercall.page);
    vtl->config = HV_PARTITION_CONFIG_RESET;
    memcpy(vtl->reference_tsc.page, &time, sizeof(time));
    return true;
}

bool hv_partition_create(struct vm *vm)
{
    if (!vm->config->hyperv)
        return true;
    vm->hv = memory_alloc(sizeof(*vm->hv), MEMORY_GRANULE);
    if (vm->hv == NULL)
        return false;
    vm->hv->privileges = PRIVILEGES | (vm->vtls > 1 ? HV_ACCESS_VSM : 0);
    vm->hv->enabled = 1;
    vm->hv->time_scale = hv_time_scale(vm->tsc_hz);
    for (unsigned vtl = 0; vtl < vm->vtls; vtl++)
        if (!create_pages(vm->hv, &vm->hv->vtl[vtl]))
            return false;
    return true;
}

void hv_partition_destroy(struct vm *vm)
{
    if (vm->hv == NULL)
        return;
    for (unsigned vtl = 0; vtl < vm->vtls; vtl++) {
        page_free(vm->hv->vtl[vtl].hypercall.page);
        page_free(vm->hv->vtl[vtl].reference_tsc.page);
    }
    memory_free(vm->hv, sizeof(*vm->hv));
}

bool hv_vp_create(struct vcpu *vcpu)
{
    if (vcpu->vm->hv == NULL)
        return true;
    vcpu->hv = memory_alloc(sizeof(*vcpu->hv), MEMORY_GRANULE);
    return vcpu->hv != NULL;
}

void hv_vp_destroy(struct vcpu *vcpu)
{
    if (vcpu->hv != NULL)
        memory_free(vcpu->hv, sizeof(*vcpu->hv));
}

bool hv_context_create(struct context *ctx)
{
    if (ctx->vcpu->vm->hv == NULL)
        return true;
    ctx->hv = memory_alloc(sizeof(*ctx->hv), MEMORY_GRANULE);
    if (ctx->hv == NULL)
        return false;
    ctx->hv->assist_page.page = page_alloc();
    ctx->hv->messages.page = page_alloc();
    ctx->hv->event_flags.page = page_alloc();
    hv_synic_init(ctx);
    return ctx->hv->assist_page.page && ctx->hv->messages.page && ctx->hv->event_flags.page;
}

void hv_context_destroy(struct context *ctx)
{
    if (ctx->hv == NULL)
        return;
    page_free(ctx->hv->assist_page.page);
    page_free(ctx->hv->messages.page);
    page_free(ctx->hv->event_flags.page);
    memory_free(ctx->hv, sizeof(*ctx->hv));
    ctx->hv = NULL;
}
