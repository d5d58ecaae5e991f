/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which rule a guest state breaks that VM entry refuses. Pure.
 * Source: SDM Vol 3C, "Checks on the Guest State Area", for unrestricted guests.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "vmx/vmx.h"

/* As the VMCS holds it: CR0 and CR4 are the real ones. */
struct guest_state {
    uint64_t cr0, cr3, cr4;
    uint64_t cr0_fixed0, cr0_fixed1, cr4_fixed0, cr4_fixed1; /* of the capability MSRs */
    uint64_t dr7, rip, rflags;
    uint64_t efer, pat;
    uint64_t sysenter_esp, sysenter_eip;
    uint64_t pdpte[4];
    uint64_t gdtr_base, idtr_base;
    uint32_t gdtr_limit, idtr_limit;
    struct vmx_segment segment[VMX_SEGMENTS];
    uint32_t activity, interruptibility;
    uint64_t pending_debug;
    uint64_t link_pointer;
    uint32_t event; /* VM-entry interruption information */
    bool ia32e;     /* the VM-entry control */
    uint8_t physical_bits, linear_bits;
};

/* The first rule that is broken, for people; NULL if none is. */
const char *check_guest_state(const struct guest_state *s);
