/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The protections that VTLs impose on those below them. Each VTL has its own tree of extended page
 * tables; its leaves keep what the next higher VTL denies, so that the rights in force are what no
 * VTL above denies.
 */
#include "core/hyperv/protect.h"

#include "core/hyperv/vtl.h"
#include "core/memory.h"
#include "core/remote.h"

/* HV_MAP_GPA_FLAGS, and the same bits in DefaultVtlProtectionMask. */
enum { MAP_READ = 1, MAP_WRITE = 2, MAP_KERNEL = 4, MAP_USER = 8, MAP_ALL = 15 };

/* HV_REGISTER_VSM_PARTITION_CONFIG */
#define CONFIG_ENABLE       BIT(0)
#define CONFIG_DEFAULT_MASK MASK(4, 1)
#define CONFIG_KNOWN                                                                               \
    (CONFIG_ENABLE | CONFIG_DEFAULT_MASK | HV_PARTITION_CONFIG_RESET |                             \
     HV_PARTITION_CONFIG_DENY_STARTUP)

/* ---- Masks ----------------------------------------------------------------------------------- */

/* Kernel execution without user execution is undefined by the TLFS, and refused. */
static bool is_legal(uint32_t flags, bool mbec)
{
    if (flags & ~(uint32_t)MAP_ALL || (flags != 0 && !(flags & MAP_READ)))
        return false;
    if (flags & MAP_KERNEL && !(flags & MAP_USER))
        return false;
    return mbec || !(flags & MAP_KERNEL) == !(flags & MAP_USER);
}

static unsigned denied_by(uint32_t flags)
{
    unsigned allowed = (flags & MAP_READ ? EPT_R : 0u) | (flags & MAP_WRITE ? EPT_W : 0u) |
                       (flags & MAP_KERNEL ? EPT_X : 0u) | (flags & MAP_USER ? EPT_UX : 0u);

    return EPT_RWX & ~allowed;
}

/* ---- The trees: with the partition's lock held ----------------------------------------------- */

/* Those of a VM, and where each was last looked at. */
struct trees {
    struct vm *vm;
    struct ept_near near[VM_VTLS_MAX];
};

static bool lookup(struct trees *t, unsigned vtl, gpa_t gpa, struct ept_mapping *mapping)
{
    return ept_lookup_near(&t->vm->ept[vtl], &t->near[vtl], gpa, mapping);
}

/* What the VTLs above @vtl leave it. */
static unsigned rights_at(struct trees *t, unsigned vtl, gpa_t gpa)
{
    unsigned denied = 0;

    for (; vtl + 1 < t->vm->vtls; vtl++) { /* nobody denies the highest anything */
        struct ept_mapping mapping;

        lookup(t, vtl, gpa, &mapping);
        denied |= mapping.denied;
    }
    return EPT_RWX & ~denied;
}

unsigned hv_rights_at(struct vm *vm, unsigned vtl, gpa_t gpa)
{
    struct trees t = {.vm = vm};

    return rights_at(&t, vtl, gpa);
}

/* How far the pages reach that map @gpa in all trees. */
static uint64_t step_at(struct trees *t, gpa_t gpa)
{
    uint64_t step = EPT_PAGE_1G;

    for (unsigned vtl = 0; vtl < t->vm->vtls; vtl++) {
        struct ept_mapping mapping;

        lookup(t, vtl, gpa, &mapping);
        step = min(step, mapping.size);
    }
    return step - (gpa & (step - 1));
}

/*
 * Makes the tree of VTL @vtl say what is denied there: *own by the next VTL, NULL: as before, and
 * what those above it do. An overlay keeps its rights; below it the page remembers.
 */
static bool update(struct trees *t, unsigned vtl, gpa_t gpa, const void *ram, uint64_t size,
                   const unsigned *own)
{
    struct ept *ept = &t->vm->ept[vtl];
    struct ept_mapping mapping;

    lookup(t, vtl, gpa, &mapping);
    unsigned denied = own != NULL ? *own : mapping.denied;
    unsigned rights = rights_at(t, vtl + 1, gpa) & ~denied;
    if (mapping.hpa != virt_to_phys(ram))
        rights = mapping.rights;
    return size == PAGE_SIZE ? ept_restrict_page(ept, &t->near[vtl], gpa, rights, denied)
                             : ept_restrict(ept, gpa, size, rights, denied);
}

/* Makes VTL @vtl deny @denied, and nothing else, of the RAM @ram, which each tree maps with pages
 * of at least @size. False when memory for tables is short. */
static bool deny(struct trees *t, unsigned vtl, gpa_t gpa, const void *ram, uint64_t size,
                 unsigned denied)
{
    for (unsigned below = vtl; below-- > 0;)
        if (!update(t, below, gpa, ram, size, below == vtl - 1 ? &denied : NULL))
            return false;
    return true;
}

static bool deny_slot(struct trees *t, unsigned vtl, const struct guest_slot *slot, unsigned denied)
{
    uint64_t step;

    for (uint64_t done = 0; done < slot->size; done += step) {
        step = min(slot->size - done, step_at(t, slot->gpa + done));
        if (!deny(t, vtl, slot->gpa + done, (uint8_t *)slot->hva + done, step, denied))
            return false;
    }
    return true;
}

static bool deny_everywhere(struct vm *vm, unsigned vtl, unsigned denied)
{
    struct trees t = {.vm = vm};

    for (uint32_t i = 0; i < vm->memory.count; i++)
        if (!deny_slot(&t, vtl, &vm->memory.slots[i], denied))
            return false;
    return true;
}

/* ---- The partition's configuration ----------------------------------------------------------- */

/* The TLFS: the enable bit is set once, and the mask stands from then on. A mask without read or
 * write access would take the VTL below its own code and stack. */
static enum hv_status set_config(struct vm *vm, unsigned vtl, uint64_t value)
{
    struct hv_vtl *state = &vm->hv->vtl[vtl];
    uint32_t mask = (uint32_t)field_get(value, CONFIG_DEFAULT_MASK);
    uint64_t fixed = state->config & CONFIG_ENABLE ? CONFIG_ENABLE | CONFIG_DEFAULT_MASK : 0;

    if (value & ~CONFIG_KNOWN || (value ^ state->config) & fixed)
        return HV_INVALID_REGISTER_VALUE;
    if (value & CONFIG_ENABLE && !(state->config & CONFIG_ENABLE)) {
        if (!is_legal(mask, state->mbec) ||
            (mask & (MAP_READ | MAP_WRITE)) != (MAP_READ | MAP_WRITE))
            return HV_INVALID_REGISTER_VALUE;
        if (!deny_everywhere(vm, vtl, denied_by(mask)))
            return HV_INSUFFICIENT_MEMORY;
    }
    state->config = value;
    return HV_SUCCESS;
}

enum hv_status hv_set_partition_config(const struct context *ctx, uint64_t value)
{
    struct vm *vm = ctx->vcpu->vm;

    spin_lock(&vm->hv->lock);
    enum hv_status status = set_config(vm, ctx->vtl, value);
    spin_unlock(&vm->hv->lock);
    return status;
}

/* ---- HvCallModifyVtlProtectionMask ----------------------------------------------------------- */

struct modify {
    uint64_t partition;
    uint32_t flags;
    uint8_t vtl; /* HV_INPUT_VTL: who imposes */
    uint8_t reserved[3];
};

static enum hv_status check(struct hv_hypercall *call, unsigned *vtl)
{
    const struct modify *in = (const void *)call->in;
    const struct hv_partition *hv = call->vcpu->vm->hv;

    if (in->partition != HV_PARTITION_SELF)
        return HV_INVALID_PARTITION_ID;
    enum hv_status status = hv_input_vtl(call, in->vtl, vtl);
    if (status != HV_SUCCESS)
        return status;
    if (*vtl == 0 || (in->reserved[0] | in->reserved[1] | in->reserved[2]) != 0)
        return HV_INVALID_PARAMETER;
    if (!(hv->enabled >> *vtl & 1))
        return HV_INVALID_VTL_STATE;
    if (!(hv->vtl[*vtl].config & CONFIG_ENABLE))
        return HV_ACCESS_DENIED;
    return is_legal(in->flags, hv->vtl[*vtl].mbec) ? HV_SUCCESS : HV_INVALID_REGISTER_VALUE;
}

/* The RAM of a page that the asking VTL sees: not where that has an overlay page. NULL: none. */
static const void *plain(struct trees *t, unsigned caller, uint64_t page)
{
    if (page >> (64 - PAGE_SHIFT) != 0)
        return NULL;
    const void *ram = gm_ptr(&t->vm->memory, page << PAGE_SHIFT, PAGE_SIZE);
    struct ept_mapping mapping;

    if (ram == NULL || !lookup(t, caller, page << PAGE_SHIFT, &mapping))
        return NULL;
    return mapping.hpa == virt_to_phys(ram) ? ram : NULL;
}

static enum hv_status modify(struct hv_hypercall *call, unsigned vtl)
{
    const uint64_t *pages = (const uint64_t *)call->elements;
    unsigned denied = denied_by(((const struct modify *)call->in)->flags);
    struct trees t = {.vm = call->vcpu->vm};

    for (; hv_more(call); call->index++) {
        uint64_t page = pages[call->index];
        const void *ram = plain(&t, hv_caller_vtl(call), page);

        if (ram == NULL)
            return HV_INVALID_PARAMETER;
        if (!deny(&t, vtl, page << PAGE_SHIFT, ram, PAGE_SIZE, denied))
            return HV_INSUFFICIENT_MEMORY;
    }
    return HV_SUCCESS;
}

/* Nobody uses the old rights any more when it returns. */
enum hv_status hv_modify_protection(struct hv_hypercall *call)
{
    struct hv_partition *hv = call->vcpu->vm->hv;
    unsigned vtl;
    enum hv_status status = check(call, &vtl);

    if (status != HV_SUCCESS)
        return status;
    spin_lock(&hv->lock);
    status = modify(call, vtl);
    spin_unlock(&hv->lock);
    if (status != HV_SUCCESS || call->index == call->count)
        remote_pass_all();
    return status;
}
