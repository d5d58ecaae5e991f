/* SPDX-License-Identifier: BSD-2-Clause */
/* What each kind of help with the APIC needs, and which MSRs it answers. */
#include "vmx/apic_rules.h"

#include <stddef.h>

#include "core/bits.h"

#define SET APIC_SET

/* SDM Vol 3C, "VM-Execution Control Fields": what each needs. ACCESS alone would only exit. */
static const struct {
    enum vmx_feature feature;
    enum vmx_apic_help needs; /* itself: nothing */
    const char *needs_text;
} helps[VMX_APIC_HELPS] = {
    [VMX_APIC_TPR_SHADOW] = {VMX_TPR_SHADOW, VMX_APIC_TPR_SHADOW, NULL},
    [VMX_APIC_ACCESS] = {VMX_VIRTUALIZE_APIC_ACCESSES, VMX_APIC_TPR_SHADOW, "needs TPR shadow"},
    [VMX_APIC_X2APIC] = {VMX_VIRTUALIZE_X2APIC, VMX_APIC_TPR_SHADOW, "needs TPR shadow"},
    [VMX_APIC_REGISTERS] = {VMX_APIC_REGISTER_VIRTUALIZATION, VMX_APIC_TPR_SHADOW,
                            "needs TPR shadow"},
    [VMX_APIC_DELIVERY] = {VMX_VIRTUAL_INTERRUPT_DELIVERY, VMX_APIC_TPR_SHADOW, "needs TPR shadow"},
    [VMX_APIC_POSTED] = {VMX_POSTED_INTERRUPTS, VMX_APIC_DELIVERY,
                         "needs virtual-interrupt delivery"},
    [VMX_APIC_IPI] = {VMX_IPI_VIRTUALIZATION, VMX_APIC_POSTED, "needs posted interrupts"},
};

enum vmx_feature apic_feature(enum vmx_apic_help help)
{
    return helps[help].feature;
}

const char *vmx_apic_name(enum vmx_apic_help help)
{
    return vmx_feature_name(helps[help].feature);
}

vmx_apic_set vmx_apic_usable(const struct vmx_caps *caps, vmx_apic_set wanted)
{
    vmx_apic_set set = 0;
    for (unsigned help = 0; help < VMX_APIC_HELPS; help++) {
        bool free = helps[help].needs == help || vmx_apic_in(set, helps[help].needs);
        if (free && vmx_apic_in(wanted, help) && vmx_has(caps, helps[help].feature))
            set |= 1u << help;
    }
    return set;
}

const char *vmx_apic_refusal(const struct vmx_caps *caps, vmx_apic_set wanted,
                             enum vmx_apic_help help)
{
    if (vmx_apic_in(vmx_apic_usable(caps, wanted), help))
        return NULL;
    if (!vmx_has(caps, helps[help].feature))
        return "not in this processor";
    if (!vmx_apic_in(wanted, help))
        return "off in the configuration";
    return helps[help].needs_text;
}

/* ---- MSRs 800H to 83FH ------------------------------------------------------------------------
 * One bit each. What is not named here exits: it does not exist, or the page does not hold it (the
 * current count), or a write acts on more than the page. SDM Vol 3C, "Virtualizing MSR-Based APIC
 * Accesses".
 */

#define READ_FROM_PAGE                                                                             \
    (BIT(0x02) | BIT(0x03) | BIT(0x08) | BIT(0x0d) | BIT(0x0f) | MASK(0x27, 0x10) | BIT(0x28) |    \
     BIT(0x30) | MASK(0x38, 0x32) | BIT(0x3e))
#define TPR      BIT(0x08)
#define PPR      BIT(0x0a)
#define EOI      BIT(0x0b)
#define SELF_IPI BIT(0x3f)
#define ICR      BIT(0x30)

/* PPR is brought up to date by the processor only with virtual-interrupt delivery. */
uint64_t apic_direct_reads(vmx_apic_set set)
{
    if (!(set & SET(X2APIC)))
        return 0;
    if (!(set & SET(REGISTERS)))
        return TPR;
    return READ_FROM_PAGE | (set & SET(DELIVERY) ? PPR : 0);
}

uint64_t apic_direct_writes(vmx_apic_set set)
{
    if (!(set & SET(X2APIC)))
        return 0;
    return TPR | (set & SET(DELIVERY) ? EOI | SELF_IPI : 0) | (set & SET(IPI) ? ICR : 0);
}
