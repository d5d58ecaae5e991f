/* SPDX-License-Identifier: BSD-2-Clause */
/* Overlay pages. */
#include "core/hyperv/overlay.h"

#include "core/bits.h"
#include "core/hyperv/protect.h"
#include "core/memory.h"

bool hv_gpa_exists(const struct vm *vm, gpa_t gpa)
{
    return gpa >> vm->vcpus[0]->contexts[0].vmx.policy.physical_bits == 0;
}

/* What lies below an overlay comes back, as RAM or as a hole. */
static bool uncover(struct vm *vm, unsigned vtl, gpa_t gpa)
{
    const void *ram = gm_ptr(&vm->memory, gpa, PAGE_SIZE);

    if (ram == NULL)
        return ept_unmap(&vm->ept[vtl], gpa, PAGE_SIZE);
    return ept_map(&vm->ept[vtl], gpa, virt_to_phys(ram), PAGE_SIZE, hv_rights_at(vm, vtl, gpa),
                   EPT_WRITE_BACK);
}

bool hv_overlay_set(struct vm *vm, unsigned vtl, struct hv_overlay *overlay, uint64_t msr,
                    unsigned rights)
{
    bool ok = true;
    gpa_t gpa = msr & HV_PAGE_FRAME;

    if (overlay->shown)
        ok = uncover(vm, vtl, overlay->msr & HV_PAGE_FRAME);
    overlay->shown = ok && (msr & HV_PAGE_ENABLE) && hv_gpa_exists(vm, gpa);
    overlay->msr = msr;
    if (overlay->shown)
        ok = ept_map(&vm->ept[vtl], gpa, virt_to_phys(overlay->page), PAGE_SIZE, rights,
                     EPT_WRITE_BACK);
    return ok;
}

bool hv_is_overlay(const struct vm *vm, unsigned vtl, gpa_t gpa)
{
    const void *ram = gm_ptr(&vm->memory, align_down(gpa, PAGE_SIZE), PAGE_SIZE);
    struct ept_mapping mapping;

    if (!ept_lookup(&vm->ept[vtl], align_down(gpa, PAGE_SIZE), &mapping))
        return false;
    return ram == NULL || mapping.hpa != virt_to_phys(ram);
}
