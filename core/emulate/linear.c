/* SPDX-License-Identifier: BSD-2-Clause */
/* Guest memory by linear address: translate page by page, then copy. */
#include "core/emulate/linear.h"

#include "core/assert.h"
#include "core/bits.h"
#include "core/emulate/walk.h"
#include "core/guest/apic.h"
#include "core/guest/machine.h"
#include "core/hyperv/intercept.h"
#include "core/log.h"
#include "core/memory.h"
#include "core/string.h"
#include "core/vcpu.h"
#include "core/x86.h"

/* Part of an access that lies in one page. */
struct span {
    gpa_t gpa;
    size_t size;
    uint8_t *ram; /* NULL: a device's, or nobody's */
};

enum { SPANS_MAX = 2 };
_Static_assert(LINEAR_MAX <= PAGE_SIZE, "an access touches at most two pages");

/* As context_view() has it. Tables and page often lie in one large page of the EPT. */
static void *view(struct linear_walk *w, gpa_t gpa, unsigned rights)
{
    const struct context *ctx = w->context;
    bool same_page = ((gpa ^ w->seen) & ~(w->mapping.size - 1)) == 0;

    if (!same_page || (w->mapping.rights & rights) != rights) {
        w->seen = gpa;
        ept_lookup(&ctx->vcpu->vm->ept[ctx->vtl], gpa, &w->mapping);
    }
    if ((w->mapping.rights & rights) != rights)
        return NULL;
    return phys_to_virt(w->mapping.hpa + (gpa - w->seen));
}

static bool read_entry(void *ctx, uint64_t gpa, unsigned size, uint64_t *value)
{
    struct linear_walk *w = ctx;
    const void *entry = view(w, gpa, EPT_R);

    *value = 0;
    w->entry = gpa;
    w->write = false;
    if (entry != NULL)
        memcpy(value, entry, size);
    return entry != NULL;
}

static bool exchange_entry(void *ctx, uint64_t gpa, unsigned size, uint64_t expected,
                           uint64_t desired, bool *swapped)
{
    struct linear_walk *w = ctx;
    void *entry = view(w, gpa, EPT_R | EPT_W);

    w->entry = gpa;
    w->write = true;
    if (entry == NULL)
        return false;
    if (size == 4) {
        uint32_t expected32 = (uint32_t)expected;

        *swapped = __atomic_compare_exchange_n((uint32_t *)entry, &expected32, (uint32_t)desired,
                                               false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
    } else {
        *swapped = __atomic_compare_exchange_n((uint64_t *)entry, &expected, desired, false,
                                               __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
    }
    return true;
}

void linear_walk_begin(struct context *ctx, struct linear_walk *w)
{
    struct vmx_context *vmx = &ctx->vmx;

    *w = (struct linear_walk){
        .context = ctx,
        .env =
            {
                .cr0 = vmx_get(vmx, VMX_CR0),
                .cr3 = vmx_get(vmx, VMX_CR3),
                .cr4 = vmx_get(vmx, VMX_CR4),
                .efer = vmx_get(vmx, VMX_EFER),
                .cpl = (uint8_t)vmx_cpl(vmx),
                .ac = vmx_get(vmx, VMX_RFLAGS) & RFLAGS_AC,
                .maxphyaddr = vmx->policy.physical_bits,
                .page_1g = true,
                .ctx = w,
                .read = read_entry,
                .compare_exchange = exchange_entry,
            },
    };
    if (w->env.efer & EFER_LMA)
        return;
    for (unsigned i = 0; i < 4; i++)
        w->env.pdpte[i] = vmx_get(vmx, (enum vmx_reg)(VMX_PDPTE0 + i));
}

static unsigned walk_access_of(unsigned access)
{
    return (access & VMX_ACCESS_WRITE ? WALK_WRITE : 0u) |
           (access & VMX_ACCESS_EXECUTE ? WALK_EXECUTE : 0u) |
           (access & VMX_ACCESS_SYSTEM ? WALK_IMPLICIT_SUPERVISOR : 0u);
}

/* What becomes of an access to @gpa that the active context may not make; false: there is nothing
 * that it could be allowed to do. */
static bool refused(struct vcpu *vcpu, gpa_t gpa, gva_t gla, unsigned access, bool table_walk,
                    enum vmx_action *action)
{
    const struct vmx_ept_violation violation = {
        .gpa = gpa, .gla = gla, .access = access, .gla_valid = true, .table_walk = table_walk};

    return vcpu->hv != NULL && hv_violation(vcpu, &violation, action);
}

static enum vmx_action no_table(const struct linear_walk *w, gva_t gla)
{
    struct vcpu *vcpu = w->context->vcpu;
    enum vmx_action action;

    if (refused(vcpu, w->entry, gla, w->write ? VMX_ACCESS_WRITE : 0, true, &action))
        return action;
    log_error("vm %s: vcpu %u: a paging structure for 0x%lx is not in the guest's RAM",
              vcpu->vm->config->name, vcpu->index, gla);
    vm_stop(vcpu->vm, VM_ERROR, 0);
    return VMX_STOP;
}

static enum vmx_action translate_page(const struct linear_walk *w, gva_t gla, unsigned access,
                                      gpa_t *gpa, struct vmx_exception *fault)
{
    struct walk_out out;

    switch (walk(&w->env, gla, walk_access_of(access), &out)) {
    case WALK_OK:
        *gpa = out.gpa;
        return VMX_NEXT;
    case WALK_PAGE_FAULT:
        *fault = (struct vmx_exception){
            .vector = EXCEPTION_PF, .has_error = true, .error = out.error_code, .address = gla};
        return VMX_RAISE;
    case WALK_NOT_CANONICAL:
        *fault = (struct vmx_exception){.vector = EXCEPTION_GP, .has_error = true};
        return VMX_RAISE;
    case WALK_RETRY:
        return VMX_AGAIN;
    case WALK_NO_TABLE:
        break;
    }
    return no_table(w, gla);
}

unsigned linear_right(const struct context *ctx, unsigned access, unsigned cpl)
{
    if (access & VMX_ACCESS_WRITE)
        return EPT_W;
    if (access & VMX_ACCESS_EXECUTE)
        return ctx->vmx.mbec && cpl == 3 ? EPT_UX : EPT_X;
    return EPT_R;
}

/* Linear addresses have 32 bits outside IA-32e mode. */
static gva_t wrap(const struct walk_env *env, gva_t gla)
{
    return env->efer & EFER_LMA ? gla : gla & 0xffffffff;
}

static enum vmx_action translate(struct vcpu *vcpu, gva_t gla, size_t size, unsigned access,
                                 struct span spans[SPANS_MAX], unsigned *count,
                                 struct vmx_exception *fault)
{
    struct linear_walk w;

    linear_walk_begin(vcpu->active, &w);
    ASSERT(size > 0 && size <= LINEAR_MAX);
    for (*count = 0; size > 0; (*count)++) {
        struct span *span = &spans[*count];

        gla = wrap(&w.env, gla);
        *span = (struct span){0};
        span->size = min(size, (size_t)(PAGE_SIZE - (gla & (PAGE_SIZE - 1))));
        enum vmx_action action = translate_page(&w, gla, access, &span->gpa, fault);
        if (action != VMX_NEXT)
            return action;
        span->ram = view(&w, span->gpa, linear_right(vcpu->active, access, w.env.cpl));
        if (span->ram == NULL && refused(vcpu, span->gpa, gla, access, false, &action))
            return action;
        gla += span->size;
        size -= span->size;
    }
    return VMX_NEXT;
}

/* The widest naturally aligned access that device bytes from @gpa on can be reached with. */
static unsigned device_width(gpa_t gpa, size_t size)
{
    unsigned width = 8;

    while (width > size || !is_aligned(gpa, width))
        width /= 2;
    return width;
}

static void read_device(struct vcpu *vcpu, gpa_t gpa, uint8_t *to, size_t size)
{
    while (size > 0) {
        unsigned width = device_width(gpa, size);
        uint64_t value =
            guest_apic_at(vcpu, gpa)
                ? lapic_read(&vcpu->active->lapic, (uint32_t)(gpa & (PAGE_SIZE - 1)), width)
                : machine_mmio_read(vcpu->vm, gpa, width);

        memcpy(to, &value, width);
        gpa += width;
        to += width;
        size -= width;
    }
}

static void write_device(struct vcpu *vcpu, gpa_t gpa, const uint8_t *from, size_t size)
{
    while (size > 0) {
        unsigned width = device_width(gpa, size);
        uint64_t value = 0;

        memcpy(&value, from, width);
        if (guest_apic_at(vcpu, gpa))
            guest_apic_write(vcpu, (uint32_t)(gpa & (PAGE_SIZE - 1)), width, value);
        else
            machine_mmio_write(vcpu->vm, gpa, width, value);
        gpa += width;
        from += width;
        size -= width;
    }
}

enum vmx_action linear_read(struct vcpu *vcpu, gva_t gla, void *to, size_t size, unsigned access,
                            struct vmx_exception *fault)
{
    struct span spans[SPANS_MAX];
    unsigned count;
    uint8_t *bytes = to;
    enum vmx_action action = translate(vcpu, gla, size, access, spans, &count, fault);

    if (action != VMX_NEXT)
        return action;
    for (unsigned i = 0; i < count; i++) {
        if (spans[i].ram != NULL)
            memcpy(bytes, spans[i].ram, spans[i].size);
        else
            read_device(vcpu, spans[i].gpa, bytes, spans[i].size);
        bytes += spans[i].size;
    }
    return VMX_NEXT;
}

enum vmx_action linear_write(struct vcpu *vcpu, gva_t gla, const void *from, size_t size,
                             unsigned access, struct vmx_exception *fault)
{
    struct span spans[SPANS_MAX];
    unsigned count;
    const uint8_t *bytes = from;
    enum vmx_action action =
        translate(vcpu, gla, size, access | VMX_ACCESS_WRITE, spans, &count, fault);

    if (action != VMX_NEXT)
        return action;
    for (unsigned i = 0; i < count; i++) {
        if (spans[i].ram != NULL)
            memcpy(spans[i].ram, bytes, spans[i].size);
        else
            write_device(vcpu, spans[i].gpa, bytes, spans[i].size);
        bytes += spans[i].size;
    }
    return VMX_NEXT;
}

enum vmx_action linear_fetch(struct vcpu *vcpu, uint8_t *bytes, size_t size, size_t *count,
                             struct vmx_exception *fault)
{
    struct vmx_context *vmx = &vcpu->active->vmx;
    gva_t gla = vmx_get_segment(vmx, VMX_CS).base + vmx_get(vmx, VMX_RIP);
    size_t first = min(size, (size_t)(PAGE_SIZE - (gla & (PAGE_SIZE - 1))));
    enum vmx_action action = linear_read(vcpu, gla, bytes, first, VMX_ACCESS_EXECUTE, fault);

    *count = first;
    if (action != VMX_NEXT || first == size)
        return action;
    if (linear_read(vcpu, gla + first, bytes + first, size - first, VMX_ACCESS_EXECUTE, fault) ==
        VMX_NEXT)
        *count = size;
    return VMX_NEXT;
}

/* As far as a page goes: the bytes at @gla that a fetch would get, without a trace of it. */
static size_t peek_page(struct vcpu *vcpu, gva_t gla, uint8_t *bytes, size_t size)
{
    struct linear_walk w;
    struct walk_out out;

    linear_walk_begin(vcpu->active, &w);
    size = min(size, (size_t)(PAGE_SIZE - (gla & (PAGE_SIZE - 1))));
    if (walk(&w.env, wrap(&w.env, gla), WALK_EXECUTE | WALK_KEEP_TABLES, &out) != WALK_OK)
        return 0;
    const void *ram = view(&w, out.gpa, linear_right(vcpu->active, VMX_ACCESS_EXECUTE, w.env.cpl));
    if (ram == NULL)
        return 0;
    memcpy(bytes, ram, size);
    return size;
}

size_t linear_peek_code(struct vcpu *vcpu, uint8_t *bytes, size_t size)
{
    struct vmx_context *vmx = &vcpu->active->vmx;
    gva_t gla = vmx_get_segment(vmx, VMX_CS).base + vmx_get(vmx, VMX_RIP);
    size_t count = peek_page(vcpu, gla, bytes, size);

    if (count > 0 && count < size)
        count += peek_page(vcpu, gla + count, bytes + count, size - count);
    return count;
}
