/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * CPUID as the guest sees it. Every feature is shown by an allow-list: what Lapwing does not know
 * it does not virtualize, so it hides it. Register layouts: SDM Vol 2A, "CPUID".
 */
#include "core/guest/cpuid.h"

#include "core/bits.h"
#include "core/guest/cpuid_hypervisor.h"
#include "core/vcpu.h"
#include "core/vm.h"
#include "core/x86.h"
#include "vmx/vmx.h"

enum {
    CPUID_LEAF_FEATURES = 1,
    CPUID_LEAF_EXTENDED_FEATURES = 7,
    CPUID_LEAF_XSAVE = 0xd,
    MAX_BASIC_LEAF = 0x1f,
    TOPOLOGY_SMT = 1,
    TOPOLOGY_CORE = 2,
};
#define CPUID_LEAF_ADDRESS_SIZE 0x80000008u
#define MAX_EXTENDED_LEAF       CPUID_LEAF_ADDRESS_SIZE

/* Leaf 1, ECX. */
#define L1C_PCID         BIT(17)
#define L1C_X2APIC       BIT(21)
#define L1C_TSC_DEADLINE BIT(24)
#define L1C_XSAVE        BIT(26)
#define L1C_OSXSAVE      BIT(27)
#define L1C_HYPERVISOR   BIT(31)
#define L1C_SHOWN                                                                                  \
    (BIT(0) /* SSE3 */ | BIT(1) /* PCLMULQDQ */ | BIT(9) /* SSSE3 */ | BIT(12) /* FMA */ |         \
     BIT(13) /* CMPXCHG16B */ | L1C_PCID | BIT(19) /* SSE4.1 */ | BIT(20) /* SSE4.2 */ |           \
     BIT(22) /* MOVBE */ | BIT(23) /* POPCNT */ | BIT(25) /* AES */ | L1C_XSAVE |                  \
     BIT(28) /* AVX */ | BIT(29) /* F16C */ | BIT(30) /* RDRAND */)

/* Leaf 1, EDX. */
#define L1D_APIC BIT(9)
#define L1D_HTT  BIT(28)
#define L1D_SHOWN                                                                                  \
    (BIT(0) /* FPU */ | BIT(1) /* VME */ | BIT(2) /* DE */ | BIT(3) /* PSE */ | BIT(4) /* TSC */ | \
     BIT(5) /* MSR */ | BIT(6) /* PAE */ | BIT(7) /* MCE */ | BIT(8) /* CX8 */ |                   \
     BIT(11) /* SEP */ | BIT(12) /* MTRR */ | BIT(13) /* PGE */ | BIT(14) /* MCA */ |              \
     BIT(15) /* CMOV */ | BIT(16) /* PAT */ | BIT(17) /* PSE-36 */ | BIT(19) /* CLFSH */ |         \
     BIT(23) /* MMX */ | BIT(24) /* FXSR */ | BIT(25) /* SSE */ | BIT(26) /* SSE2 */ |             \
     BIT(27) /* self snoop */)

/* Leaf 6, EAX. */
#define L6A_ARAT BIT(2)

/* Leaf 7. */
#define L7B_FSGSBASE   BIT(0)
#define L7B_TSC_ADJUST BIT(1)
#define L7B_SMEP       BIT(7)
#define L7B_INVPCID    BIT(10)
#define L7B_SMAP       BIT(20)
#define L7B_SHOWN                                                                                  \
    (L7B_FSGSBASE | BIT(3) /* BMI1 */ | BIT(5) /* AVX2 */ | BIT(6) /* FDP_EXCPTN_ONLY */ |         \
     L7B_SMEP | BIT(8) /* BMI2 */ | BIT(9) /* ERMS */ | L7B_INVPCID | BIT(13) /* no FCS, FDS */ |  \
     BIT(16) /* AVX512F */ | BIT(17) /* AVX512DQ */ | BIT(18) /* RDSEED */ | BIT(19) /* ADX */ |   \
     L7B_SMAP | BIT(21) /* AVX512_IFMA */ | BIT(23) /* CLFLUSHOPT */ | BIT(24) /* CLWB */ |        \
     BIT(26) /* AVX512PF */ | BIT(27) /* AVX512ER */ | BIT(28) /* AVX512CD */ |                    \
     BIT(29) /* SHA */ | BIT(30) /* AVX512BW */ | BIT(31) /* AVX512VL */)
#define L7C_UMIP BIT(2)
#define L7C_LA57 BIT(16)
#define L7C_SHOWN                                                                                  \
    (BIT(0) /* PREFETCHWT1 */ | BIT(1) /* AVX512_VBMI */ | L7C_UMIP | BIT(6) /* AVX512_VBMI2 */ |  \
     BIT(8) /* GFNI */ | BIT(9) /* VAES */ | BIT(10) /* VPCLMULQDQ */ |                            \
     BIT(11) /* AVX512_VNNI */ | BIT(12) /* AVX512_BITALG */ | BIT(14) /* AVX512_VPOPCNTDQ */ |    \
     L7C_LA57 | BIT(22) /* RDPID */)
#define L7C_RDPID BIT(22)

#define L7D_SHOWN                                                                                  \
    (BIT(2) /* AVX512_4VNNIW */ | BIT(3) /* AVX512_4FMAPS */ | BIT(4) /* FSRM */ |                 \
     BIT(8) /* AVX512_VP2INTERSECT */ | BIT(10) /* MD_CLEAR */ | BIT(14) /* SERIALIZE */)

/* Leaf 0DH, subleaf 1, EAX. */
#define LDA_XSAVEC    BIT(1)
#define LDA_XSAVES    BIT(3)
#define LDA_SHOWN     (BIT(0) /* XSAVEOPT */ | LDA_XSAVEC | BIT(2) /* XGETBV 1 */)
#define LDA_COMPACTED (LDA_XSAVEC | LDA_XSAVES)

/* AVX-512 state comes in three parts. Bound registers and protection keys are not offered. */
#define XCR0_AVX512 MASK(7, 5)
#define XCR0_SHOWN  (XCR0_X87 | XCR0_SSE | XCR0_AVX | XCR0_AVX512)

/* Leaf 80000001H. */
#define LE1C_SHOWN  (BIT(0) /* LAHF */ | BIT(5) /* LZCNT */ | BIT(8) /* PREFETCHW */)
#define LE1D_RDTSCP BIT(27)
#define LE1D_SHOWN                                                                                 \
    (BIT(11) /* SYSCALL */ | BIT(20) /* NX */ | BIT(26) /* 1-GByte pages */ | LE1D_RDTSCP |        \
     BIT(29) /* Intel 64 */)

/* Leaf 80000007H, EDX. */
#define LE7D_INVARIANT_TSC BIT(8)

static bool here_has(enum vmx_feature feature)
{
    return vmx_has(this_cpu()->vmx->caps, feature);
}

static const struct config_topology *topology_of(const struct vcpu *vcpu)
{
    return &vcpu->vm->config->topology;
}

static const struct cpuid nothing;

static struct cpuid features(const struct vcpu *vcpu, struct cpuid own)
{
    enum { IDS_MAX = 255 };
    /* EBX[23:16]: the APIC IDs that a package has room for. */
    uint32_t ids = (uint32_t)min(BIT(topology_of(vcpu)->package_shift), (uint64_t)IDS_MAX);

    own.ebx = (own.ebx & 0xffff) | ids << 16 | vcpu->apic_id << 24;
    own.ecx &= here_has(VMX_INVPCID) ? L1C_SHOWN : L1C_SHOWN & ~L1C_PCID;
    own.ecx |= L1C_TSC_DEADLINE | L1C_HYPERVISOR | (vcpu->vm->config->x2apic ? L1C_X2APIC : 0);
    own.edx = (own.edx & L1D_SHOWN) | (ids > 1 ? L1D_HTT : 0);
    return own;
}

/*
 * Deterministic cache parameters. EAX[31:26] and EAX[25:14] count IDs, less one: those of cores in
 * a package, and those of logical processors that share the cache. A core has its own levels 1 and
 * 2, a package level 3.
 */
static struct cpuid cache(const struct vcpu *vcpu, struct cpuid own)
{
    enum { CORES_MAX = 63, SHARERS_MAX = 4095, SHARED_LEVEL = 3 };
    const struct config_topology *t = topology_of(vcpu);
    uint64_t level = field_get(own.eax, MASK(7, 5));
    uint64_t cores = BIT(t->package_shift - t->core_shift) - 1;
    uint64_t sharers = BIT(level < SHARED_LEVEL ? t->core_shift : t->package_shift) - 1;

    if ((own.eax & MASK(4, 0)) != 0)
        own.eax = (uint32_t)((own.eax & MASK(13, 0)) | min(cores, (uint64_t)CORES_MAX) << 26 |
                             min(sharers, (uint64_t)SHARERS_MAX) << 14);
    return own;
}

/* Bochs cannot leave a guest that uses it: docs/errata.md. */
static bool can_run_la57(void)
{
    const struct vmx_caps *caps = this_cpu()->vmx->caps;

    return caps->cr4_fixed1 & CR4_LA57 && !vmx_caps_is_bochs(caps);
}

static struct cpuid extended_features(struct cpuid own)
{
    own.eax = 0;
    own.ebx &= here_has(VMX_INVPCID) ? L7B_SHOWN : L7B_SHOWN & ~L7B_INVPCID;
    own.ebx |= L7B_TSC_ADJUST;
    own.ecx &= here_has(VMX_RDTSCP) ? L7C_SHOWN : L7C_SHOWN & ~L7C_RDPID;
    own.ecx &= can_run_la57() ? ~UINT32_C(0) : ~L7C_LA57;
    own.edx &= L7D_SHOWN;
    return own;
}

/* The same whether x2APIC mode is offered or not: the full ID is what tells aliased APICs apart. */
static struct cpuid topology(const struct vcpu *vcpu, uint32_t subleaf)
{
    const struct config_topology *t = topology_of(vcpu);
    struct cpuid answer = {.ecx = subleaf & 0xff, .edx = vcpu->apic_id};

    if (subleaf == 0) {
        answer.eax = t->core_shift;
        answer.ebx = t->per_core;
        answer.ecx |= TOPOLOGY_SMT << 8;
    } else if (subleaf == 1) {
        answer.eax = t->package_shift;
        answer.ebx = t->per_package;
        answer.ecx |= TOPOLOGY_CORE << 8;
    }
    return answer;
}

/* Bytes of an XSAVE area in compacted format for the components of @xcr0. SDM Vol 1, "Extended
 * Region of an XSAVE Area". */
static uint32_t compacted_size(uint64_t xcr0)
{
    enum { LEGACY_AND_HEADER = 512 + 64, ALIGNMENT = 64, IS_ALIGNED = 1 << 1 /* in ECX */ };
    uint32_t size = LEGACY_AND_HEADER;

    for (unsigned i = 2; i < 63; i++) {
        if (!(xcr0 & BIT(i)))
            continue;
        struct cpuid component = cpuid(CPUID_LEAF_XSAVE, i);
        if (component.ecx & IS_ALIGNED)
            size = (uint32_t)align_up(size, ALIGNMENT);
        size += component.eax;
    }
    return size;
}

/*
 * Erratum of Bochs 2.7: XSAVEC and XSAVES put AVX state and what follows 160 bytes below the place
 * that XRSTOR takes it from. Its CPUID gives it away: the size of the compacted format is the
 * standard one's. Such a processor's compacted format is not offered.
 */
static bool compacted_format_works(uint64_t allowed)
{
    if (allowed == 0)
        return false;
    uint64_t xcr0 = xgetbv(0);
    xsetbv(0, allowed);
    uint32_t size = cpuid_checked(CPUID_LEAF_XSAVE, 1).ebx;
    xsetbv(0, xcr0);
    return size == compacted_size(allowed);
}

static struct cpuid xsave(struct vcpu *vcpu, uint32_t subleaf, struct cpuid own)
{
    uint64_t allowed = vcpu->regs.xcr0_allowed;
    uint64_t xcr0 = vmx_get(&vcpu->active->vmx, VMX_XCR0);

    if (allowed == 0)
        return nothing;
    if (subleaf == 0)
        return (struct cpuid){
            .eax = (uint32_t)allowed,
            .ebx = (uint32_t)vmx_fpu_size(xcr0),
            .ecx = (uint32_t)vmx_fpu_size(allowed),
            .edx = (uint32_t)(allowed >> 32),
        };
    if (subleaf > 1)
        return subleaf < 63 && allowed & BIT(subleaf) ? own : nothing;
    own.eax &= LDA_SHOWN | (here_has(VMX_XSAVES) ? LDA_XSAVES : 0);
    if (!compacted_format_works(allowed))
        own.eax &= ~LDA_COMPACTED;
    /* IA32_XSS is 0. */
    return (struct cpuid){
        .eax = own.eax,
        .ebx = own.eax & LDA_COMPACTED ? compacted_size(xcr0) : 0,
    };
}

static struct cpuid extended_signature(struct cpuid own)
{
    own.ecx &= LE1C_SHOWN;
    own.edx &= here_has(VMX_RDTSCP) ? LE1D_SHOWN : LE1D_SHOWN & ~LE1D_RDTSCP;
    return own;
}

/* The EPT that Lapwing builds covers 48 bits. */
unsigned guest_maxphyaddr(void)
{
    return min(cpuid_checked(CPUID_LEAF_ADDRESS_SIZE, 0).eax & 0xff, 48u);
}

uint64_t guest_xcr0_allowed(void)
{
    struct cpuid own = cpuid_checked(CPUID_LEAF_XSAVE, 0);

    if (!(cpuid_checked(CPUID_LEAF_FEATURES, 0).ecx & L1C_XSAVE))
        return 0;
    return (own.eax | (uint64_t)own.edx << 32) & XCR0_SHOWN;
}

/* A leaf above the highest of its range is answered like the highest basic leaf (SDM Vol 2A,
 * "CPUID"). */
static uint32_t effective_leaf(uint32_t leaf)
{
    uint32_t highest = leaf >= 0x80000000u ? MAX_EXTENDED_LEAF : MAX_BASIC_LEAF;

    return leaf <= highest ? leaf : MAX_BASIC_LEAF;
}

static struct cpuid make_answer(struct vcpu *vcpu, uint32_t leaf, uint32_t subleaf)
{
    enum { BUS_MHZ = 100 };
    uint32_t tsc_mhz = (uint32_t)(vcpu->vm->tsc_hz / 1000000) & 0xffff;

    if (cpuid_is_hypervisor(leaf))
        return guest_cpuid_hypervisor(vcpu, leaf);
    leaf = effective_leaf(leaf);
    struct cpuid own = cpuid_checked(leaf, subleaf);
    switch (leaf) {
    case 0:
        own.eax = MAX_BASIC_LEAF;
        return own;
    case CPUID_LEAF_FEATURES:
        return features(vcpu, own);
    case 2: /* cache and TLB descriptors */
    case 0x80000002:
    case 0x80000003:
    case 0x80000004: /* brand string */
    case 0x80000006: /* L2 cache */
        return own;
    case 4:
        return cache(vcpu, own);
    case 6: /* the APIC timer never stops */
        return (struct cpuid){.eax = L6A_ARAT};
    case CPUID_LEAF_EXTENDED_FEATURES:
        return subleaf == 0 ? extended_features(own) : nothing;
    case 0xb:
    case 0x1f:
        return topology(vcpu, subleaf);
    case CPUID_LEAF_XSAVE:
        return xsave(vcpu, subleaf, own);
    case 0x15: /* the APIC timer and the TSC run at one rate, so the "crystal" is the TSC */
        return (struct cpuid){.eax = 1, .ebx = 1, .ecx = (uint32_t)vcpu->vm->tsc_hz};
    case 0x16:
        return (struct cpuid){.eax = tsc_mhz, .ebx = tsc_mhz, .ecx = BUS_MHZ};
    case 0x80000000:
        own.eax = MAX_EXTENDED_LEAF;
        return own;
    case 0x80000001:
        return extended_signature(own);
    case 0x80000007:
        return (struct cpuid){.edx = LE7D_INVARIANT_TSC};
    case CPUID_LEAF_ADDRESS_SIZE: /* physical and linear address bits */
        return (struct cpuid){.eax = vmx_linear_bits(&vcpu->active->vmx) << 8 | guest_maxphyaddr()};
    default:
        return nothing;
    }
}

/* Tells answers in one place apart, which also says what the leaf's bit 0 is. Never 0. */
static uint64_t answer_key(uint32_t leaf, uint32_t subleaf)
{
    return (uint64_t)subleaf << 32 | leaf | 1;
}

static struct cpuid_answer *answer_place(struct vcpu *vcpu, uint32_t leaf, uint32_t subleaf)
{
    /* The basic, hypervisor and extended leaves lie apart; subleaves 0 to 3 do, too. */
    return &vcpu->cpuid[(leaf ^ leaf >> 26 ^ subleaf << 3) % ARRAY_SIZE(vcpu->cpuid)];
}

/* XCR0 shows through in the one, the other counts exits. */
static bool holds_still(uint32_t leaf)
{
    return leaf != CPUID_LEAF_XSAVE &&
           !(cpuid_is_hypervisor(leaf) && (leaf & MASK(7, 0)) == CPUID_EXITS);
}

static void give(struct vcpu *vcpu, const struct cpuid_answer *answer)
{
    uint64_t *gpr = vcpu->regs.gpr;

    gpr[VMX_RAX] = answer->out.eax;
    gpr[VMX_RBX] = answer->out.ebx;
    gpr[VMX_RCX] = answer->out.ecx;
    gpr[VMX_RDX] = answer->out.edx;
}

/* What of leaf 1 follows the guest's state. */
static __attribute__((noinline)) void patch_features(struct vcpu *vcpu)
{
    uint64_t *gpr = vcpu->regs.gpr;

    if (vcpu_cr4(vcpu) & CR4_OSXSAVE)
        gpr[VMX_RCX] |= L1C_OSXSAVE;
    if (vcpu->active->lapic.base & APIC_BASE_EN)
        gpr[VMX_RDX] |= L1D_APIC;
}

static __attribute__((noinline)) void answer_afresh(struct vcpu *vcpu, struct cpuid_answer *answer,
                                                    uint32_t leaf, uint32_t subleaf)
{
    answer->out = make_answer(vcpu, leaf, subleaf);
    answer->key = holds_still(leaf) ? answer_key(leaf, subleaf) : 0;
    give(vcpu, answer);
    if (leaf == CPUID_LEAF_FEATURES)
        patch_features(vcpu);
}

void guest_cpuid(struct vcpu *vcpu)
{
    uint32_t leaf = (uint32_t)vcpu->regs.gpr[VMX_RAX];
    uint32_t subleaf = (uint32_t)vcpu->regs.gpr[VMX_RCX];
    struct cpuid_answer *answer = answer_place(vcpu, leaf, subleaf);

    if (answer->key != answer_key(leaf, subleaf)) {
        answer_afresh(vcpu, answer, leaf, subleaf);
        return;
    }
    give(vcpu, answer);
    if (leaf == CPUID_LEAF_FEATURES)
        patch_features(vcpu);
}

void guest_policy(struct vmx_policy *policy)
{
    enum { STAYS_PER_SECOND = 1000 };
    struct cpuid basic = cpuid_checked(CPUID_LEAF_FEATURES, 0);
    struct cpuid extended = extended_features(cpuid_checked(CPUID_LEAF_EXTENDED_FEATURES, 0));

    *policy = (struct vmx_policy){
        .cr4_allowed =
            CR4_VME | CR4_PVI | CR4_TSD | CR4_DE | CR4_PSE | CR4_PAE | CR4_MCE | CR4_PGE | CR4_PCE |
            CR4_OSFXSR | CR4_OSXMMEXCPT |
            (basic.ecx & L1C_PCID && here_has(VMX_INVPCID) ? CR4_PCIDE : 0) |
            (basic.ecx & L1C_XSAVE ? CR4_OSXSAVE : 0) |
            (extended.ebx & L7B_FSGSBASE ? CR4_FSGSBASE : 0) |
            (extended.ebx & L7B_SMEP ? CR4_SMEP : 0) | (extended.ebx & L7B_SMAP ? CR4_SMAP : 0) |
            (extended.ecx & L7C_UMIP ? CR4_UMIP : 0) | (extended.ecx & L7C_LA57 ? CR4_LA57 : 0),
        .efer_allowed = EFER_SCE | EFER_LME | EFER_NXE,
        .physical_bits = (uint8_t)guest_maxphyaddr(),
        .stay = time_tsc_hz() / STAYS_PER_SECOND,
        .rdtscp = here_has(VMX_RDTSCP),
        .invpcid = extended.ebx & L7B_INVPCID,
        .xsaves = here_has(VMX_XSAVES) && compacted_format_works(guest_xcr0_allowed()),
    };
}
