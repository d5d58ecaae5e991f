/* SPDX-License-Identifier: BSD-2-Clause */
/* HvCallTranslateVirtualAddress and HvCallTranslateVirtualAddressEx. */
#include "core/emulate/linear.h"
#include "core/hyperv/secure.h"
#include "core/hyperv/vtl.h"
#include "core/remote.h"
#include "core/string.h"
#include "core/x86.h"

/* HV_TRANSLATE_GVA_CONTROL_FLAGS */
enum {
    VALIDATE_READ = 1 << 0,
    VALIDATE_WRITE = 1 << 1,
    VALIDATE_EXECUTE = 1 << 2,
    PRIVILEGE_EXEMPT = 1 << 3,
    SET_TABLE_BITS = 1 << 4,
    FLUSH_INHIBIT = 1 << 5,
    SUPERVISOR_ACCESS = 1 << 6,
    USER_ACCESS = 1 << 7,
    ENFORCE_SMAP = 1 << 8,
    OVERRIDE_SMAP = 1 << 9,
    FLAGS_KNOWN = (1 << 10) - 1,
};
#define FLAGS_VTL_SHIFT 56

/* HV_TRANSLATE_GVA_RESULT_CODE */
enum {
    GVA_SUCCESS = 0,
    GVA_PAGE_NOT_PRESENT = 1,
    GVA_PRIVILEGE_VIOLATION = 2,
    GVA_INVALID_PAGE_TABLE_FLAGS = 3,
    GVA_GPA_UNMAPPED = 4,
    GVA_GPA_NO_READ = 5,
    GVA_GPA_NO_WRITE = 6,
    GVA_INTERCEPT = 8,
};

enum { CACHE_UNCACHED = 0, CACHE_WRITE_BACK = 6 };
#define RESULT_CACHE_SHIFT 32
#define RESULT_OVERLAY     BIT(40)

struct translate {
    uint64_t partition;
    uint32_t vp;
    uint32_t reserved;
    uint64_t flags;
    uint64_t gva_page;
};

struct translation {
    struct context *ctx;
    struct context *locker; /* the caller's VTL on that processor, with FLUSH_INHIBIT */
    uint64_t flags;
    gva_t gva;
    gpa_t gpa;
    uint64_t result;
};

static void set_privilege(struct walk_env *env, uint64_t flags)
{
    if (flags & (SUPERVISOR_ACCESS | PRIVILEGE_EXEMPT))
        env->cpl = 0;
    else if (flags & USER_ACCESS)
        env->cpl = 3;
    if (flags & PRIVILEGE_EXEMPT)
        env->cr4 &= ~(uint64_t)(CR4_SMEP | CR4_SMAP);
    if (flags & ENFORCE_SMAP)
        env->ac = false;
    if (flags & OVERRIDE_SMAP)
        env->ac = true;
}

static unsigned code_of_walk(const struct translation *t, enum walk_result result,
                             const struct linear_walk *w, const struct walk_out *out)
{
    switch (result) {
    case WALK_OK:
        return GVA_SUCCESS;
    case WALK_PAGE_FAULT:
        if (!(out->error_code & WALK_ERROR_PRESENT))
            return GVA_PAGE_NOT_PRESENT;
        return out->error_code & WALK_ERROR_RESERVED ? GVA_INVALID_PAGE_TABLE_FLAGS
                                                     : GVA_PRIVILEGE_VIOLATION;
    case WALK_NO_TABLE:
        return context_has(t->ctx, w->entry) ? GVA_INTERCEPT : GVA_GPA_UNMAPPED;
    default:
        return GVA_PAGE_NOT_PRESENT;
    }
}

/* What the VTL may do with the page. */
static unsigned code_of_page(const struct context *ctx, gpa_t gpa, unsigned access, unsigned cpl)
{
    if (context_view(ctx, gpa, linear_right(ctx, access, cpl)) != NULL)
        return GVA_SUCCESS;
    if (!context_has(ctx, gpa))
        return GVA_GPA_UNMAPPED;
    return access & VMX_ACCESS_WRITE ? GVA_GPA_NO_WRITE : GVA_GPA_NO_READ;
}

static unsigned try_access(struct translation *t, uint64_t validate, unsigned access)
{
    struct linear_walk w;
    struct walk_out out = {0};

    if (!(t->flags & validate))
        return GVA_SUCCESS;
    linear_walk_begin(t->ctx, &w);
    set_privilege(&w.env, t->flags);
    unsigned wanted = (access & VMX_ACCESS_WRITE ? WALK_WRITE : 0u) |
                      (access & VMX_ACCESS_EXECUTE ? WALK_EXECUTE : 0u) |
                      (t->flags & SET_TABLE_BITS ? 0u : WALK_KEEP_TABLES);
    enum walk_result result = walk(&w.env, t->gva, wanted, &out);
    t->gpa = out.gpa;
    unsigned code = code_of_walk(t, result, &w, &out);
    return code != GVA_SUCCESS ? code : code_of_page(t->ctx, t->gpa, access, w.env.cpl);
}

/* By the CPU that owns the processor. */
static void translate(void *arg)
{
    struct translation *t = arg;
    const struct vm *vm = t->ctx->vcpu->vm;
    struct vmx_context *before = vcpu_borrow(t->ctx);
    unsigned code = try_access(t, VALIDATE_READ, 0);

    if (code == GVA_SUCCESS)
        code = try_access(t, VALIDATE_WRITE, VMX_ACCESS_WRITE);
    if (code == GVA_SUCCESS)
        code = try_access(t, VALIDATE_EXECUTE, VMX_ACCESS_EXECUTE);
    vcpu_give_back(before);
    t->result = code | (uint64_t)CACHE_UNCACHED << RESULT_CACHE_SHIFT;
    if (code != GVA_SUCCESS)
        return;
    t->result = (uint64_t)CACHE_WRITE_BACK << RESULT_CACHE_SHIFT;
    if (hv_is_overlay(vm, t->ctx->vtl, t->gpa))
        t->result |= RESULT_OVERLAY;
    if (t->locker != NULL)
        hv_lock_tlb(t->locker, t->ctx->vtl);
}

static enum hv_status carry_out(struct hv_hypercall *call, struct translation *t)
{
    const struct translate *in = (const void *)call->in;
    struct vcpu *vp;
    unsigned vtl, caller = hv_caller_vtl(call);
    enum hv_status status = hv_find_vp(call->vcpu, in->partition, in->vp, &vp);

    if (status == HV_SUCCESS)
        status = hv_input_vtl(call, (uint8_t)(in->flags >> FLAGS_VTL_SHIFT), &vtl);
    if (status != HV_SUCCESS)
        return status;
    if (in->reserved != 0 || (in->flags & ~MASK(63, FLAGS_VTL_SHIFT)) & ~(uint64_t)FLAGS_KNOWN ||
        !(in->flags & (VALIDATE_READ | VALIDATE_WRITE | VALIDATE_EXECUTE)) ||
        in->gva_page >> (64 - PAGE_SHIFT) != 0)
        return HV_INVALID_PARAMETER;
    if (in->flags & FLUSH_INHIBIT && (vtl == caller || !vcpu_has_vtl(vp, caller)))
        return HV_INVALID_PARAMETER;
    if (!vcpu_has_vtl(vp, vtl))
        return HV_INVALID_VTL_STATE;
    *t = (struct translation){
        .ctx = &vp->contexts[vtl],
        .locker = in->flags & FLUSH_INHIBIT ? &vp->contexts[caller] : NULL,
        .flags = in->flags,
        .gva = in->gva_page << PAGE_SHIFT,
    };
    remote_call(vp->sched.home, translate, t);
    return HV_SUCCESS;
}

static enum hv_status answer(struct hv_hypercall *call, unsigned page_offset)
{
    struct translation t;
    enum hv_status status = carry_out(call, &t);

    if (status != HV_SUCCESS)
        return status;
    uint64_t page = t.gpa >> PAGE_SHIFT;
    memcpy(call->out, &t.result, sizeof(t.result));
    memcpy(call->out + page_offset, &page, sizeof(page));
    return HV_SUCCESS;
}

enum hv_status hv_translate(struct hv_hypercall *call)
{
    return answer(call, 0x08);
}

/* The event that would be pending is left empty. */
enum hv_status hv_translate_ex(struct hv_hypercall *call)
{
    return answer(call, 0x30);
}
