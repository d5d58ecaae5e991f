/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Pages of the hypervisor that lie over guest-physical memory in the view of one VTL. What is below
 * is hidden, not changed. TLFS, "Partitions", "GPA Overlay Pages".
 */
#pragma once

#include <stdbool.h>

#include "core/types.h"

struct vm;

/* Guarded by the partition's lock. The contents of the page stay, shown or not. */
struct hv_overlay {
    void *page;
    uint64_t msr; /* HV_PAGE_FRAME, HV_PAGE_ENABLE and HV_PAGE_LOCKED as they are in force */
    bool shown;   /* in the EPT of its VTL */
};

/* Whether @gpa is within the guest-physical address space, RAM or not. */
bool hv_gpa_exists(const struct vm *vm, gpa_t gpa);

/*
 * Takes @msr over and shows the page where it says with the rights @rights (vmx/ept.h), or hides
 * it. Beyond the guest-physical address space the page is merely not accessible. With the
 * partition's lock held; other processors see the change when they have left the guest. False when
 * memory for tables is short: the page is then hidden.
 */
bool hv_overlay_set(struct vm *vm, unsigned vtl, struct hv_overlay *overlay, uint64_t msr,
                    unsigned rights);

/* Whether an overlay page lies over @gpa for @vtl. With the partition's lock held. */
bool hv_is_overlay(const struct vm *vm, unsigned vtl, gpa_t gpa);
