/* SPDX-License-Identifier: BSD-2-Clause */
/* Making and destroying the interface's state. */
#include "core/hyperv/state.h"
#include "core/memory.h"
#include "core/string.h"

#define PRIVILEGES (HV_ACCESS_HYPERCALL | HV_ACCESS_VP_INDEX | HV_ACCESS_VP_REGISTERS | HV_START_VP)

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

bool hv_partition_create(struct vm *vm)
{
    if (!vm->config->hyperv)
        return true;
    vm->hv = memory_alloc(sizeof(*vm->hv), MEMORY_GRANULE);
    if (vm->hv == NULL)
        return false;
    vm->hv->privileges = PRIVILEGES | (vm->vtls > 1 ? HV_ACCESS_VSM : 0);
    vm->hv->enabled = 1;
    for (unsigned vtl = 0; vtl < vm->vtls; vtl++) {
        vm->hv->vtl[vtl].hypercall.page = page_alloc();
        if (vm->hv->vtl[vtl].hypercall.page == NULL)
            return false;
        fill_hypercall_page(vm->hv->vtl[vtl].hypercall.page);
    }
    return true;
}

void hv_partition_destroy(struct vm *vm)
{
    if (vm->hv == NULL)
        return;
    for (unsigned vtl = 0; vtl < vm->vtls; vtl++)
        page_free(vm->hv->vtl[vtl].hypercall.page);
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
    return true;
}

void hv_context_destroy(struct context *ctx)
{
    if (ctx->hv != NULL)
        memory_free(ctx->hv, sizeof(*ctx->hv));
    ctx->hv = NULL;
}
