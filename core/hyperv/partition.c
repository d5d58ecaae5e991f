/* SPDX-License-Identifier: BSD-2-Clause */
/* Making and destroying the interface's state. */
#include "core/hyperv/state.h"
#include "core/memory.h"
#include "core/string.h"

#define PRIVILEGES (HV_ACCESS_HYPERCALL | HV_ACCESS_VP_INDEX)

/* VMCALL and RET at the start, INT3 where nobody should get to. */
static void fill_hypercall_page(uint8_t *page)
{
    static const uint8_t call[] = {0x0f, 0x01, 0xc1, 0xc3};

    memset(page, 0xcc, HV_PAGE_SIZE);
    memcpy(page, call, sizeof(call));
}

bool hv_partition_create(struct vm *vm)
{
    if (!vm->config->hyperv)
        return true;
    vm->hv = memory_alloc(sizeof(*vm->hv), MEMORY_GRANULE);
    if (vm->hv == NULL)
        return false;
    vm->hv->privileges = PRIVILEGES;
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
