/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * CPUID as the guest sees it. Every feature is shown by an allow-list: what Lapwing does not know
 * it does not virtualize, so it hides it. Register layouts: SDM Vol 2A, "CPUID".
 */
#include "core/guest/cpuid.h"

#include "core/bits.h"
#include "core/guest/cpuid_hypervisor.h"
#include "core/string.h"
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

/* Leaf 6, EAX: the APIC timer never stops. */
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
#define L7C_SHOWN                                                                                  \
    (BIT(0) /* PREFETCHWT1 */ | BIT(1) /* AVX512_VBMI */ | L7C_UMIP | BIT(6) /* AVX512_VBMI2 */ |  \
     BIT(8) /* GFNI */ | BIT(9) /* VAES */ | BIT(10) /* VPCLMULQDQ */ |                            \
     BIT(11) /* AVX512_VNNI */ | BIT(12) /* AVX512_BITALG */ | BIT(14) /* AVX512_VPOPCNTDQ */ |    \
     BIT(22) /* RDPID */)
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

/* The processor's own answer; zeros where it has no such leaf. */
static void processor_cpuid(uint32_t leaf, uint32_t subleaf, uint32_t out[CPUID_REGISTERS])
{
    struct cpuid answer = cpuid_checked(leaf, subleaf);

    out[CPUID_EAX] = answer.eax;
    out[CPUID_EBX] = answer.ebx;
    out[CPUID_ECX] = answer.ecx;
    out[CPUID_EDX] = answer.edx;
}

static bool here_has(enum vmx_feature feature)
{
    return vmx_has(this_cpu()->vmx->caps, feature);
}

static void clear(uint32_t out[CPUID_REGISTERS])
{
    memset(out, 0, CPUID_REGISTERS * sizeof(out[0]));
}

static const struct config_topology *topology_of(const struct vcpu *vcpu)
{
    return &vcpu->vm->config->topology;
}

/* EBX[23:16]: the APIC IDs that a package has room for. */
static uint32_t logical_ids(const struct vcpu *vcpu)
{
    enum { MOST = 255 };

    return (uint32_t)min(BIT(topology_of(vcpu)->package_shift), (uint64_t)MOST);
}

static void leaf_features(struct vcpu *vcpu, uint32_t out[CPUID_REGISTERS])
{
    uint32_t logical = logical_ids(vcpu);

    out[CPUID_EBX] = (out[CPUID_EBX] & 0xffff) | logical << 16 | vcpu->apic_id << 24;
    out[CPUID_ECX] &= (uint32_t)L1C_SHOWN;
    out[CPUID_ECX] |= (uint32_t)(L1C_TSC_DEADLINE | L1C_HYPERVISOR);
    if (vcpu->vm->config->x2apic)
        out[CPUID_ECX] |= (uint32_t)L1C_X2APIC;
    if (!here_has(VMX_INVPCID))
        out[CPUID_ECX] &= (uint32_t)~L1C_PCID;
    out[CPUID_EDX] &= (uint32_t)L1D_SHOWN;
    if (logical > 1)
        out[CPUID_EDX] |= (uint32_t)L1D_HTT;
}

/*
 * Deterministic cache parameters. EAX[31:26] and EAX[25:14] count IDs, less one: those of cores in
 * a package, and those of logical processors that share the cache. A core has its own levels 1 and
 * 2, a package level 3.
 */
static void leaf_cache(struct vcpu *vcpu, uint32_t out[CPUID_REGISTERS])
{
    enum { CORES_MAX = 63, SHARERS_MAX = 4095, SHARED_LEVEL = 3 };
    const struct config_topology *t = topology_of(vcpu);
    uint32_t level = (uint32_t)field_get(out[CPUID_EAX], MASK(7, 5));
    uint64_t cores = BIT(t->package_shift - t->core_shift) - 1;
    uint64_t sharers = BIT(level < SHARED_LEVEL ? t->core_shift : t->package_shift) - 1;

    if ((out[CPUID_EAX] & MASK(4, 0)) == 0)
        return;
    out[CPUID_EAX] =
        (uint32_t)((out[CPUID_EAX] & MASK(13, 0)) | min(cores, (uint64_t)CORES_MAX) << 26 |
                   min(sharers, (uint64_t)SHARERS_MAX) << 14);
}

static void leaf_extended_features(uint32_t subleaf, uint32_t out[CPUID_REGISTERS])
{
    if (subleaf != 0) {
        clear(out);
        return;
    }
    out[CPUID_EAX] = 0;
    out[CPUID_EBX] = (out[CPUID_EBX] & (uint32_t)L7B_SHOWN) | (uint32_t)L7B_TSC_ADJUST;
    out[CPUID_ECX] &= (uint32_t)L7C_SHOWN;
    out[CPUID_EDX] &= (uint32_t)L7D_SHOWN;
    if (!here_has(VMX_INVPCID))
        out[CPUID_EBX] &= (uint32_t)~L7B_INVPCID;
    if (!here_has(VMX_RDTSCP))
        out[CPUID_ECX] &= (uint32_t)~L7C_RDPID;
}

/* The same whether x2APIC mode is offered or not: the full ID is what tells aliased APICs apart. */
static void leaf_topology(struct vcpu *vcpu, uint32_t subleaf, uint32_t out[CPUID_REGISTERS])
{
    const struct config_topology *t = topology_of(vcpu);

    clear(out);
    out[CPUID_ECX] = subleaf & 0xff;
    out[CPUID_EDX] = vcpu->apic_id;
    if (subleaf == 0) {
        out[CPUID_EAX] = t->core_shift;
        out[CPUID_EBX] = t->per_core;
        out[CPUID_ECX] |= TOPOLOGY_SMT << 8;
    } else if (subleaf == 1) {
        out[CPUID_EAX] = t->package_shift;
        out[CPUID_EBX] = t->per_package;
        out[CPUID_ECX] |= TOPOLOGY_CORE << 8;
    }
}

enum { XSAVE_LEGACY_AND_HEADER = 512 + 64, XSAVE_ALIGN = 64 };
#define XSAVE_ALIGNED BIT(1) /* subleaf of a component, ECX: starts at a multiple of 64 bytes */

/* Bytes of a standard-format XSAVE area for the components of @xcr0. */
static uint32_t xsave_standard_size(uint64_t xcr0)
{
    uint32_t size = XSAVE_LEGACY_AND_HEADER;

    for (unsigned i = 2; i < 63; i++) {
        uint32_t component[CPUID_REGISTERS];

        if (!(xcr0 & BIT(i)))
            continue;
        processor_cpuid(CPUID_LEAF_XSAVE, i, component);
        size = max(size, component[CPUID_EBX] + component[CPUID_EAX]);
    }
    return size;
}

/* The same in compacted format. SDM Vol 1, "Extended Region of an XSAVE Area". */
static uint32_t xsave_compacted_size(uint64_t xcr0)
{
    uint32_t size = XSAVE_LEGACY_AND_HEADER;

    for (unsigned i = 2; i < 63; i++) {
        uint32_t component[CPUID_REGISTERS];

        if (!(xcr0 & BIT(i)))
            continue;
        processor_cpuid(CPUID_LEAF_XSAVE, i, component);
        if (component[CPUID_ECX] & XSAVE_ALIGNED)
            size = (uint32_t)align_up(size, XSAVE_ALIGN);
        size += component[CPUID_EAX];
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
    uint32_t out[CPUID_REGISTERS];
    uint64_t xcr0;

    if (allowed == 0)
        return false;
    xcr0 = xgetbv(0);
    xsetbv(0, allowed);
    processor_cpuid(CPUID_LEAF_XSAVE, 1, out);
    xsetbv(0, xcr0);
    return out[CPUID_EBX] == xsave_compacted_size(allowed);
}

static void leaf_xsave(struct vcpu *vcpu, uint32_t subleaf, uint32_t out[CPUID_REGISTERS])
{
    uint64_t allowed = vcpu->regs.xcr0_allowed;
    uint64_t xcr0 = vmx_get(&vcpu->active->vmx, VMX_XCR0);

    if (subleaf == 0) {
        out[CPUID_EAX] = (uint32_t)allowed;
        out[CPUID_EBX] = xsave_standard_size(xcr0);
        out[CPUID_ECX] = xsave_standard_size(allowed);
        out[CPUID_EDX] = (uint32_t)(allowed >> 32);
    } else if (subleaf == 1) {
        out[CPUID_EAX] &= (uint32_t)(LDA_SHOWN | (here_has(VMX_XSAVES) ? LDA_XSAVES : 0));
        if (!compacted_format_works(allowed))
            out[CPUID_EAX] &= (uint32_t)~LDA_COMPACTED;
        /* IA32_XSS is 0. */
        out[CPUID_EBX] = out[CPUID_EAX] & LDA_COMPACTED ? xsave_compacted_size(xcr0) : 0;
        out[CPUID_ECX] = 0;
        out[CPUID_EDX] = 0;
    } else if (subleaf >= 63 || !(allowed & BIT(subleaf))) {
        clear(out);
    }
}

/* The APIC timer and the TSC run at one rate, so the "crystal" is the TSC: ratio 1 to 1. */
static void leaf_tsc(struct vcpu *vcpu, uint32_t out[CPUID_REGISTERS])
{
    clear(out);
    out[CPUID_EAX] = 1;
    out[CPUID_EBX] = 1;
    out[CPUID_ECX] = (uint32_t)vcpu->vm->tsc_hz;
}

static void leaf_frequency(struct vcpu *vcpu, uint32_t out[CPUID_REGISTERS])
{
    enum { BUS_MHZ = 100 };

    clear(out);
    out[CPUID_EAX] = (uint32_t)(vcpu->vm->tsc_hz / 1000000) & 0xffff;
    out[CPUID_EBX] = out[CPUID_EAX];
    out[CPUID_ECX] = BUS_MHZ;
}

static void leaf_extended_signature(uint32_t out[CPUID_REGISTERS])
{
    out[CPUID_ECX] &= (uint32_t)LE1C_SHOWN;
    out[CPUID_EDX] &= (uint32_t)LE1D_SHOWN;
    if (!here_has(VMX_RDTSCP))
        out[CPUID_EDX] &= (uint32_t)~LE1D_RDTSCP;
}

/* EAX: physical and linear address bits. The EPT that Lapwing builds covers 48. */
static void leaf_address_size(uint32_t out[CPUID_REGISTERS])
{
    uint32_t linear = out[CPUID_EAX] & 0xff00;

    clear(out);
    out[CPUID_EAX] = linear | guest_maxphyaddr();
}

unsigned guest_maxphyaddr(void)
{
    enum { EPT_ADDRESS_BITS = 48 };
    uint32_t out[CPUID_REGISTERS];

    processor_cpuid(CPUID_LEAF_ADDRESS_SIZE, 0, out);
    out[CPUID_EAX] &= 0xff;
    return out[CPUID_EAX] < EPT_ADDRESS_BITS ? out[CPUID_EAX] : EPT_ADDRESS_BITS;
}

uint64_t guest_xcr0_allowed(void)
{
    uint32_t out[CPUID_REGISTERS];

    processor_cpuid(CPUID_LEAF_FEATURES, 0, out);
    if (!(out[CPUID_ECX] & L1C_XSAVE))
        return 0;
    processor_cpuid(CPUID_LEAF_XSAVE, 0, out);
    return (out[CPUID_EAX] | (uint64_t)out[CPUID_EDX] << 32) & XCR0_SHOWN;
}

/* A leaf above the highest of its range is answered like the highest basic leaf (SDM Vol 2A,
 * "CPUID"). */
static uint32_t effective_leaf(uint32_t leaf)
{
    uint32_t highest = leaf >= 0x80000000u ? MAX_EXTENDED_LEAF : MAX_BASIC_LEAF;

    return leaf <= highest ? leaf : MAX_BASIC_LEAF;
}

static void make_answer(struct vcpu *vcpu, uint32_t leaf, uint32_t subleaf,
                        uint32_t out[CPUID_REGISTERS])
{
    if (cpuid_is_hypervisor(leaf)) {
        guest_cpuid_hypervisor(vcpu, leaf, out);
        return;
    }
    leaf = effective_leaf(leaf);
    processor_cpuid(leaf, subleaf, out);
    switch (leaf) {
    case 0:
        out[CPUID_EAX] = MAX_BASIC_LEAF;
        break;
    case CPUID_LEAF_FEATURES:
        leaf_features(vcpu, out);
        break;
    case 2: /* cache and TLB descriptors */
    case 0x80000002:
    case 0x80000003:
    case 0x80000004: /* brand string */
    case 0x80000006: /* L2 cache */
        break;
    case 4:
        leaf_cache(vcpu, out);
        break;
    case 6:
        clear(out);
        out[CPUID_EAX] = (uint32_t)L6A_ARAT;
        break;
    case CPUID_LEAF_EXTENDED_FEATURES:
        leaf_extended_features(subleaf, out);
        break;
    case 0xb:
    case 0x1f:
        leaf_topology(vcpu, subleaf, out);
        break;
    case CPUID_LEAF_XSAVE:
        leaf_xsave(vcpu, subleaf, out);
        break;
    case 0x15:
        leaf_tsc(vcpu, out);
        break;
    case 0x16:
        leaf_frequency(vcpu, out);
        break;
    case 0x80000000:
        out[CPUID_EAX] = MAX_EXTENDED_LEAF;
        break;
    case 0x80000001:
        leaf_extended_signature(out);
        break;
    case 0x80000007:
        clear(out);
        out[CPUID_EDX] = (uint32_t)LE7D_INVARIANT_TSC;
        break;
    case CPUID_LEAF_ADDRESS_SIZE:
        leaf_address_size(out);
        break;
    default:
        clear(out);
        break;
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

    gpr[VMX_RAX] = answer->out[CPUID_EAX];
    gpr[VMX_RBX] = answer->out[CPUID_EBX];
    gpr[VMX_RCX] = answer->out[CPUID_ECX];
    gpr[VMX_RDX] = answer->out[CPUID_EDX];
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
    make_answer(vcpu, leaf, subleaf, answer->out);
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
    uint32_t features[CPUID_REGISTERS];
    uint32_t extended[CPUID_REGISTERS];

    processor_cpuid(CPUID_LEAF_FEATURES, 0, features);
    processor_cpuid(CPUID_LEAF_EXTENDED_FEATURES, 0, extended);
    leaf_extended_features(0, extended);
    *policy = (struct vmx_policy){
        .cr4_allowed = CR4_VME | CR4_PVI | CR4_TSD | CR4_DE | CR4_PSE | CR4_PAE | CR4_MCE |
                       CR4_PGE | CR4_PCE | CR4_OSFXSR | CR4_OSXMMEXCPT |
                       (features[CPUID_ECX] & L1C_PCID && here_has(VMX_INVPCID) ? CR4_PCIDE : 0) |
                       (features[CPUID_ECX] & L1C_XSAVE ? CR4_OSXSAVE : 0) |
                       (extended[CPUID_EBX] & L7B_FSGSBASE ? CR4_FSGSBASE : 0) |
                       (extended[CPUID_EBX] & L7B_SMEP ? CR4_SMEP : 0) |
                       (extended[CPUID_EBX] & L7B_SMAP ? CR4_SMAP : 0) |
                       (extended[CPUID_ECX] & L7C_UMIP ? CR4_UMIP : 0),
        .efer_allowed = EFER_SCE | EFER_LME | EFER_NXE,
        .physical_bits = (uint8_t)guest_maxphyaddr(),
        .stay = time_tsc_hz() / STAYS_PER_SECOND,
        .rdtscp = here_has(VMX_RDTSCP),
        .invpcid = extended[CPUID_EBX] & L7B_INVPCID,
        .xsaves = here_has(VMX_XSAVES) && compacted_format_works(guest_xcr0_allowed()),
    };
}
