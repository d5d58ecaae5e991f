/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which transient execution attacks concern a processor, and which measures it has against them.
 * A guest is given no device, so what reads device registers needs nothing, and neither do those
 * that microcode deals with by itself (SRBDS, GDS).
 */
#include "vmx/mitigations.h"

#include <stddef.h>

#include "core/x86.h"

/* IA32_ARCH_CAPABILITIES. */
#define RDCL_NO            BIT(0)
#define IBRS_ALL           BIT(1)
#define SKIP_L1DFL_VMENTRY BIT(3)
#define SSB_NO             BIT(4)
#define MDS_NO             BIT(5)
#define PSCHANGE_MC_NO     BIT(6)
#define TAA_NO             BIT(8)
#define BHI_NO             BIT(20)
#define PBRSB_NO           BIT(24)
#define RFDS_NO            BIT(27)
#define RFDS_CLEAR         BIT(28)
#define ITS_NO             BIT(62)

/* CPUID leaf 7. */
#define EBX_RTM               BIT(11)
#define EDX_MD_CLEAR          BIT(10)
#define EDX_IBRS              BIT(26) /* and IBPB */
#define EDX_STIBP             BIT(27)
#define EDX_L1D_FLUSH         BIT(28)
#define EDX_ARCH_CAPABILITIES BIT(29)
#define EDX_2_BHI_CTRL        BIT(4)

static const char *const names[VMX_THREATS] = {
    [VMX_L1TF] = "L1 terminal fault",
    [VMX_MDS] = "data sampling (MDS, TAA, RFDS)",
    [VMX_SIBLINGS] = "the same, from the core's other thread",
    [VMX_BTI] = "branch target injection",
    [VMX_RSB] = "return stack underflow, PBRSB",
    [VMX_BHI] = "branch history injection",
    [VMX_ITS] = "indirect target selection",
    [VMX_SSB] = "speculative store bypass",
    [VMX_MULTIHIT] = "instruction TLB multihit",
};

const char *vmx_threat_name(enum vmx_threat threat)
{
    return names[threat];
}

bool vmx_are_siblings(const uint32_t *apic_ids, uint32_t n, unsigned shift)
{
    for (uint32_t i = 0; shift > 0 && i < n; i++)
        for (uint32_t j = 0; j < i; j++)
            if (apic_ids[i] >> shift == apic_ids[j] >> shift)
                return true;
    return false;
}

void vmx_speculation_read(struct vmx_speculation *s, const struct vmx_caps *caps,
                          const uint32_t *apic_ids, uint32_t n, vmx_rdmsr_fn *read)
{
    struct cpuid threads = cpuid_checked(0xb, 0);
    struct cpuid leaf7 = cpuid_checked(7, 0);

    *s = (struct vmx_speculation){
        .signature = cpuid(1, 0).eax,
        .leaf7_ebx = leaf7.ebx,
        .leaf7_edx = leaf7.edx,
        .leaf7_2_edx = leaf7.eax >= 2 ? cpuid(7, 2).edx : 0,
        .siblings = (threads.ebx & MASK(15, 0)) > 1 &&
                    vmx_are_siblings(apic_ids, n, threads.eax & MASK(4, 0)),
        .emulated = vmx_caps_is_bochs(caps),
    };
    if (leaf7.edx & EDX_ARCH_CAPABILITIES)
        s->arch_capabilities = read(MSR_IA32_ARCH_CAPABILITIES);
}

/* SDM Vol 2A, "CPUID", leaf 1: 0 if it is not of family 6. */
static uint32_t model_of(uint32_t signature)
{
    bool family_6 = field_get(signature, MASK(11, 8)) == 6;
    return family_6 ? field_get(signature, MASK(19, 16)) << 4 | field_get(signature, MASK(7, 4))
                    : 0;
}

/* Goldmont and Goldmont Plus. */
static bool is_goldmont(uint32_t model)
{
    return model == 0x5c || model == 0x5f || model == 0x7a;
}

/* Atom processors and Xeon Phi, which are too old to say so themselves: not concerned by L1TF and
 * the iTLB. */
static bool is_small_core(uint32_t model)
{
    static const uint8_t others[] = {0x37, 0x4a, 0x4c, 0x4d, 0x57, 0x5a, 0x75, 0x85};

    for (size_t i = 0; i < sizeof(others); i++)
        if (others[i] == model)
            return true;
    return is_goldmont(model);
}

static bool samples_data(const struct vmx_speculation *s)
{
    uint64_t caps = s->arch_capabilities;
    bool mds = !(caps & MDS_NO) && !is_goldmont(model_of(s->signature));
    bool taa = !(caps & TAA_NO) && (s->leaf7_ebx & EBX_RTM);
    bool rfds = (caps & RFDS_CLEAR) && !(caps & RFDS_NO);
    return mds || taa || rfds;
}

static uint64_t affected_by(const struct vmx_speculation *s)
{
    uint64_t caps = s->arch_capabilities;
    bool small = is_small_core(model_of(s->signature));
    bool enhanced_ibrs = caps & IBRS_ALL;
    bool bhi_control = s->leaf7_2_edx & EDX_2_BHI_CTRL;
    bool l1tf = !(caps & RDCL_NO) && !small;

    if (s->emulated)
        return 0;
    return (l1tf && !(caps & SKIP_L1DFL_VMENTRY) ? BIT(VMX_L1TF) : 0) |
           (samples_data(s) ? BIT(VMX_MDS) : 0) |
           (s->siblings && (l1tf || samples_data(s)) ? BIT(VMX_SIBLINGS) : 0) | BIT(VMX_BTI) |
           (enhanced_ibrs && (caps & PBRSB_NO) ? 0 : BIT(VMX_RSB)) |
           (caps & BHI_NO ? 0 : BIT(VMX_BHI)) |
           (enhanced_ibrs && !bhi_control && !(caps & ITS_NO) ? BIT(VMX_ITS) : 0) |
           (caps & SSB_NO ? 0 : BIT(VMX_SSB)) |
           (caps & PSCHANGE_MC_NO || small ? 0 : BIT(VMX_MULTIHIT));
}

static void applied(struct vmx_mitigations *m, enum vmx_threat threat, uint32_t guards,
                    const char *how)
{
    m->of[threat].state = VMX_MITIGATED;
    m->of[threat].how = how;
    m->guards |= guards;
}

static void apply_ibrs(struct vmx_mitigations *m, const struct vmx_speculation *s)
{
    m->spec_ctrl = SPEC_CTRL_IBRS;
    if (s->arch_capabilities & IBRS_ALL) {
        m->spec_ctrl_guest = SPEC_CTRL_IBRS;
        applied(m, VMX_BTI, VMX_GUARD_IBPB, "enhanced IBRS, IBPB between virtual processors");
        return;
    }
    if (s->siblings && (s->leaf7_edx & EDX_STIBP)) {
        m->spec_ctrl |= SPEC_CTRL_STIBP;
        m->spec_ctrl_guest = SPEC_CTRL_STIBP;
    }
    applied(m, VMX_BTI, VMX_GUARD_IBRS | VMX_GUARD_IBPB,
            "IBRS at each VM exit, IBPB between virtual processors");
}

/* Takes the measure against one threat if the processor, or its microcode, has it. */
static void apply(struct vmx_mitigations *m, const struct vmx_speculation *s,
                  enum vmx_threat threat, bool always)
{
    uint32_t edx = s->leaf7_edx;

    if (threat == VMX_L1TF && (edx & EDX_L1D_FLUSH))
        applied(m, threat, VMX_GUARD_L1D, "the L1 data cache is flushed before each VM entry");
    else if (threat == VMX_MDS &&
             ((edx & EDX_MD_CLEAR) || (s->arch_capabilities & RFDS_CLEAR) || always))
        applied(m, threat, VMX_GUARD_VERW, "buffers are cleared (VERW) before each VM entry");
    else if (threat == VMX_BTI && (edx & EDX_IBRS))
        apply_ibrs(m, s);
    else if (threat == VMX_RSB)
        applied(m, threat, VMX_GUARD_RSB, "the return stack buffer is filled after VM exits");
    else if (threat == VMX_BHI && (s->leaf7_2_edx & EDX_2_BHI_CTRL) && m->spec_ctrl != 0) {
        m->spec_ctrl |= SPEC_CTRL_BHI_DIS_S;
        m->spec_ctrl_guest |= SPEC_CTRL_BHI_DIS_S;
        applied(m, threat, 0, "BHI_DIS_S");
    } else if (threat == VMX_MULTIHIT) {
        m->small_pages = true;
        applied(m, threat, 0, "guests' memory is mapped by pages of 4 KiB");
    }
}

static const char *const reasons[VMX_THREATS] = {
    [VMX_L1TF] = "the microcode cannot flush the L1 data cache; update the firmware",
    [VMX_MDS] = "the microcode cannot clear the buffers; update the firmware",
    [VMX_SIBLINGS] = "turn hyper-threading off in the firmware's setup",
    [VMX_BTI] = "the microcode has no IBRS; update the firmware",
    [VMX_BHI] = "the processor has no BHI_DIS_S",
    [VMX_ITS] = "Lapwing has nothing against it",
    [VMX_SSB] = "guests cannot turn it off (SSBD) for themselves",
};

void vmx_mitigations_decide(struct vmx_mitigations *m, const struct vmx_speculation *s,
                            enum vmx_mitigate mode)
{
    uint64_t affected = affected_by(s);

    *m = (struct vmx_mitigations){0};
    for (unsigned i = 0; i < VMX_THREATS; i++) {
        if (affected & BIT(i)) {
            m->of[i].state = VMX_NOT_MITIGATED;
            m->of[i].how = mode == VMX_MITIGATE_OFF ? "mitigations = off" : reasons[i];
        }
        if (mode == VMX_MITIGATE_ON || (mode == VMX_MITIGATE_AUTO && (affected & BIT(i))))
            apply(m, s, i, mode == VMX_MITIGATE_ON);
    }
}
