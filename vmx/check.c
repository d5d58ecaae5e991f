/* SPDX-License-Identifier: BSD-2-Clause */
/* The checks of VM entry on guest state, one predicate per rule: true where it is broken. */
#include "vmx/check.h"

#include <stddef.h>

#include "vmx/control_rules.h"
#include "vmx/exit.h"
#include "vmx/msr_rules.h"

/* ---- Small questions ------------------------------------------------------------------------- */

static bool paging(const struct guest_state *s)
{
    return s->cr0 & CR0_PG;
}

static bool v86(const struct guest_state *s)
{
    return s->rflags & RFLAGS_VM;
}

static bool usable(const struct vmx_segment *segment)
{
    return !(segment->access & SEGMENT_UNUSABLE);
}

static unsigned type_of(const struct vmx_segment *segment)
{
    return segment->access & SEGMENT_TYPE;
}

static unsigned dpl_of(const struct vmx_segment *segment)
{
    return field_get(segment->access, SEGMENT_DPL);
}

static bool injects(const struct guest_state *s, enum event_type type)
{
    return (s->event & EVENT_VALID) && field_get(s->event, EVENT_TYPE) == type;
}

/* True if the predicate holds for CS or any usable data segment. */
static bool any_code_or_data(const struct guest_state *s,
                             bool (*broken)(const struct vmx_segment *))
{
    for (unsigned i = VMX_ES; i <= VMX_GS; i++) {
        if ((i == VMX_CS || usable(&s->segment[i])) && broken(&s->segment[i]))
            return true;
    }
    return false;
}

/* ---- Control registers, debug registers, MSRs ------------------------------------------------ */

static bool cr0_fixed(const struct guest_state *s)
{
    uint64_t fixed0 = s->cr0_fixed0 & ~(CR0_PE | CR0_PG);
    return (s->cr0 & fixed0) != fixed0 || (s->cr0 & ~s->cr0_fixed1);
}

static bool paging_without_protection(const struct guest_state *s)
{
    return paging(s) && !(s->cr0 & CR0_PE);
}

static bool cr4_fixed(const struct guest_state *s)
{
    return (s->cr4 & s->cr4_fixed0) != s->cr4_fixed0 || (s->cr4 & ~s->cr4_fixed1);
}

static bool ia32e_without_paging(const struct guest_state *s)
{
    return s->ia32e && !(paging(s) && (s->cr4 & CR4_PAE));
}

static bool pcid_without_ia32e(const struct guest_state *s)
{
    return !s->ia32e && (s->cr4 & CR4_PCIDE);
}

static bool cr3_width(const struct guest_state *s)
{
    return s->cr3 >> s->physical_bits;
}

static bool dr7_high(const struct guest_state *s)
{
    return s->dr7 >> 32;
}

static bool sysenter_canonical(const struct guest_state *s)
{
    return !is_canonical(s->sysenter_esp) || !is_canonical(s->sysenter_eip);
}

static bool pat_types(const struct guest_state *s)
{
    return !msr_value_allowed(MSR_IA32_PAT, s->pat);
}

static bool efer_reserved(const struct guest_state *s)
{
    return s->efer & ~(EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE);
}

static bool efer_lma(const struct guest_state *s)
{
    bool lma = s->efer & EFER_LMA;
    return lma != s->ia32e;
}

static bool efer_lme(const struct guest_state *s)
{
    bool lma = s->efer & EFER_LMA;
    bool lme = s->efer & EFER_LME;
    return paging(s) && lma != lme;
}

/* ---- Segments -------------------------------------------------------------------------------- */

enum { SELECTOR_TI = 1 << 2 };

static bool tr_in_ldt(const struct guest_state *s)
{
    return s->segment[VMX_TR].selector & SELECTOR_TI;
}

static bool ldtr_in_ldt(const struct guest_state *s)
{
    return usable(&s->segment[VMX_LDTR]) && (s->segment[VMX_LDTR].selector & SELECTOR_TI);
}

static bool v86_segment(const struct vmx_segment *segment)
{
    return segment->base != (uint64_t)segment->selector << 4 || segment->limit != 0xffff ||
           segment->access != 0xf3;
}

static bool v86_segments(const struct guest_state *s)
{
    for (unsigned i = VMX_ES; v86(s) && i <= VMX_GS; i++) {
        if (v86_segment(&s->segment[i]))
            return true;
    }
    return false;
}

static bool base_canonical(const struct guest_state *s)
{
    const struct vmx_segment *ldtr = &s->segment[VMX_LDTR];
    return !is_canonical(s->segment[VMX_TR].base) || !is_canonical(s->segment[VMX_FS].base) ||
           !is_canonical(s->segment[VMX_GS].base) || (usable(ldtr) && !is_canonical(ldtr->base));
}

static bool base_high(const struct guest_state *s)
{
    if (s->segment[VMX_CS].base >> 32)
        return true;
    static const enum vmx_segment_name names[] = {VMX_SS, VMX_DS, VMX_ES};
    for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
        const struct vmx_segment *segment = &s->segment[names[i]];
        if (usable(segment) && segment->base >> 32)
            return true;
    }
    return false;
}

static bool cs_type(const struct guest_state *s)
{
    unsigned type = type_of(&s->segment[VMX_CS]);
    bool accessed_code = (type & SEGMENT_CODE) && (type & SEGMENT_ACCESSED);
    return !v86(s) && !accessed_code && type != (SEGMENT_WRITABLE | SEGMENT_ACCESSED);
}

static bool ss_type(const struct guest_state *s)
{
    unsigned type = type_of(&s->segment[VMX_SS]) & ~(unsigned)SEGMENT_DOWN;
    return !v86(s) && usable(&s->segment[VMX_SS]) && type != (SEGMENT_WRITABLE | SEGMENT_ACCESSED);
}

static bool data_type(const struct guest_state *s)
{
    static const enum vmx_segment_name names[] = {VMX_DS, VMX_ES, VMX_FS, VMX_GS};
    for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
        const struct vmx_segment *segment = &s->segment[names[i]];
        unsigned type = type_of(segment);
        bool unreadable_code = (type & SEGMENT_CODE) && !(type & SEGMENT_WRITABLE);
        if (usable(segment) && (!(type & SEGMENT_ACCESSED) || unreadable_code))
            return true;
    }
    return false;
}

static bool is_system(const struct vmx_segment *segment)
{
    return !(segment->access & SEGMENT_S);
}

static bool s_flag(const struct guest_state *s)
{
    return any_code_or_data(s, is_system);
}

static bool cs_dpl(const struct guest_state *s)
{
    const struct vmx_segment *cs = &s->segment[VMX_CS];
    unsigned ss_dpl = dpl_of(&s->segment[VMX_SS]);
    if (v86(s))
        return false;
    if (!(type_of(cs) & SEGMENT_CODE))
        return dpl_of(cs) != 0;
    bool conforming = type_of(cs) & SEGMENT_DOWN;
    return conforming ? dpl_of(cs) > ss_dpl : dpl_of(cs) != ss_dpl;
}

static bool ss_dpl(const struct guest_state *s)
{
    bool data_cs = !(type_of(&s->segment[VMX_CS]) & SEGMENT_CODE);
    bool must_be_0 = !v86(s) && (data_cs || !(s->cr0 & CR0_PE));
    return must_be_0 && dpl_of(&s->segment[VMX_SS]) != 0;
}

static bool is_absent(const struct vmx_segment *segment)
{
    return !(segment->access & SEGMENT_P);
}

static bool p_flag(const struct guest_state *s)
{
    return any_code_or_data(s, is_absent);
}

static bool has_reserved(const struct vmx_segment *segment)
{
    return segment->access & (MASK(11, 8) | MASK(31, 17));
}

static bool access_reserved(const struct guest_state *s)
{
    return any_code_or_data(s, has_reserved);
}

static bool cs_long_and_big(const struct guest_state *s)
{
    uint32_t both = SEGMENT_L | SEGMENT_DB;
    return s->ia32e && (s->segment[VMX_CS].access & both) == both;
}

static bool g_wrong(const struct vmx_segment *segment)
{
    bool g = segment->access & SEGMENT_G;
    bool not_full_pages = (segment->limit & MASK(11, 0)) != MASK(11, 0);
    bool large = segment->limit & MASK(31, 20);
    return g ? not_full_pages : large;
}

static bool g_flag(const struct guest_state *s)
{
    return any_code_or_data(s, g_wrong);
}

static bool system_wrong(const struct vmx_segment *segment)
{
    return !is_system(segment) || is_absent(segment) || has_reserved(segment) || g_wrong(segment);
}

static bool tr(const struct guest_state *s)
{
    const struct vmx_segment *segment = &s->segment[VMX_TR];
    bool type_ok = type_of(segment) == 11 || (!s->ia32e && type_of(segment) == 3);
    return !type_ok || !usable(segment) || system_wrong(segment);
}

static bool ldtr(const struct guest_state *s)
{
    const struct vmx_segment *segment = &s->segment[VMX_LDTR];
    return usable(segment) && (type_of(segment) != 2 || system_wrong(segment));
}

static bool tables(const struct guest_state *s)
{
    return !is_canonical(s->gdtr_base) || !is_canonical(s->idtr_base) ||
           (s->gdtr_limit | s->idtr_limit) >> 16;
}

/* ---- RIP, RFLAGS, non-register state --------------------------------------------------------- */

static bool rip(const struct guest_state *s)
{
    if (s->ia32e && (s->segment[VMX_CS].access & SEGMENT_L))
        return !is_canonical(s->rip);
    return s->rip >> 32;
}

static bool rflags_reserved(const struct guest_state *s)
{
    return (s->rflags & (MASK(63, 22) | BIT(15) | BIT(5) | BIT(3))) || !(s->rflags & RFLAGS_ONE);
}

static bool rflags_vm(const struct guest_state *s)
{
    return v86(s) && (s->ia32e || !(s->cr0 & CR0_PE));
}

static bool rflags_if(const struct guest_state *s)
{
    return injects(s, EVENT_EXTERNAL_INTERRUPT) && !(s->rflags & RFLAGS_IF);
}

#define BLOCKED_BY_INSTRUCTION (BIT(0) | BIT(1)) /* STI, MOV SS */

static bool activity(const struct guest_state *s)
{
    bool halted = s->activity == 1;
    return s->activity > 3 || (halted && dpl_of(&s->segment[VMX_SS]) != 0) ||
           (s->activity != 0 && (s->interruptibility & BLOCKED_BY_INSTRUCTION));
}

static bool interruptibility(const struct guest_state *s)
{
    bool sti = s->interruptibility & BIT(0);
    bool mov_ss = s->interruptibility & BIT(1);
    return (s->interruptibility & MASK(31, 5)) || (sti && mov_ss) ||
           (sti && !(s->rflags & RFLAGS_IF));
}

static bool blocked_interrupt(const struct guest_state *s)
{
    return injects(s, EVENT_EXTERNAL_INTERRUPT) && (s->interruptibility & BLOCKED_BY_INSTRUCTION);
}

static bool blocked_nmi(const struct guest_state *s)
{
    return injects(s, EVENT_NMI) && (s->interruptibility & (BIT(1) | BIT(3)));
}

static bool pending_debug_reserved(const struct guest_state *s)
{
    return s->pending_debug & (MASK(11, 4) | BIT(13) | BIT(15) | MASK(63, 17));
}

static bool pending_single_step(const struct guest_state *s)
{
    bool must_agree = (s->interruptibility & BLOCKED_BY_INSTRUCTION) || s->activity == 1;
    bool bs = s->pending_debug & BIT(14);
    bool tf = s->rflags & RFLAGS_TF;
    return must_agree && bs != tf;
}

static bool link_pointer(const struct guest_state *s)
{
    return s->link_pointer != UINT64_MAX;
}

static bool pdptes(const struct guest_state *s)
{
    if (!paging(s) || !(s->cr4 & CR4_PAE) || s->ia32e)
        return false;
    for (unsigned i = 0; i < ARRAY_SIZE(s->pdpte); i++) {
        if ((s->pdpte[i] & PTE_P) && (s->pdpte[i] & pdpte_reserved(s->physical_bits)))
            return true;
    }
    return false;
}

static const struct {
    bool (*broken)(const struct guest_state *s);
    const char *rule;
} rules[] = {
    {cr0_fixed, "CR0 must have the bits fixed by IA32_VMX_CR0_FIXED0 and _FIXED1"},
    {paging_without_protection, "CR0.PG needs CR0.PE"},
    {cr4_fixed, "CR4 must have the bits fixed by IA32_VMX_CR4_FIXED0 and _FIXED1"},
    {ia32e_without_paging, "an IA-32e mode guest needs CR0.PG and CR4.PAE"},
    {pcid_without_ia32e, "CR4.PCIDE needs IA-32e mode"},
    {cr3_width, "CR3 must not exceed the physical-address width"},
    {dr7_high, "DR7 bits 63:32 must be 0"},
    {sysenter_canonical, "IA32_SYSENTER_ESP and _EIP must be canonical"},
    {pat_types, "IA32_PAT must hold memory types"},
    {efer_reserved, "reserved bits of IA32_EFER must be 0"},
    {efer_lma, "IA32_EFER.LMA must equal the control \"IA-32e mode guest\""},
    {efer_lme, "IA32_EFER.LMA must equal LME while CR0.PG is set"},
    {tr_in_ldt, "TR must select from the GDT"},
    {ldtr_in_ldt, "LDTR must select from the GDT"},
    {v86_segments, "virtual-8086 mode: base = selector * 16, limit 0xffff, access 0xf3"},
    {base_canonical, "bases of TR, FS, GS and LDTR must be canonical"},
    {base_high, "bases of CS, SS, DS and ES must be below 4 GiB"},
    {cs_type, "CS must be accessed code, or accessed writable data"},
    {ss_type, "SS must be accessed writable data"},
    {data_type, "DS, ES, FS and GS must be accessed and readable"},
    {s_flag, "CS, SS, DS, ES, FS and GS must be code or data"},
    {cs_dpl, "CS.DPL must fit CS.type and SS.DPL"},
    {ss_dpl, "SS.DPL must be 0 in real-address mode, or if CS is data"},
    {p_flag, "CS, SS, DS, ES, FS and GS must be present"},
    {access_reserved, "reserved bits of segments' access rights must be 0"},
    {cs_long_and_big, "CS.L and CS.D must not both be set in IA-32e mode"},
    {g_flag, "segments' G must fit their limits"},
    {tr, "TR must be a busy, present TSS (in IA-32e mode of type 11) with a fitting G"},
    {ldtr, "LDTR must be a present LDT with a fitting G"},
    {tables, "GDTR and IDTR: canonical base, limit up to 0xffff"},
    {rip, "RIP must be below 4 GiB, in 64-bit mode canonical"},
    {rflags_reserved, "RFLAGS: reserved bits must be 0, bit 1 must be 1"},
    {rflags_vm, "RFLAGS.VM needs protected mode outside IA-32e mode"},
    {rflags_if, "RFLAGS.IF must be 1 to inject an external interrupt"},
    {activity, "activity state: known; HLT only at CPL 0; active under blocking by STI or MOV SS"},
    {interruptibility, "interruptibility: reserved bits 0; STI needs IF and excludes MOV SS"},
    {blocked_interrupt, "an external interrupt cannot be injected under blocking"},
    {blocked_nmi, "an NMI cannot be injected under blocking"},
    {pending_debug_reserved, "reserved bits of the pending debug exceptions must be 0"},
    {pending_single_step, "pending debug exceptions: BS must equal RFLAGS.TF under blocking"},
    {link_pointer, "the VMCS link pointer must be all ones"},
    {pdptes, "PAE paging: reserved bits of present PDPTEs must be 0"},
};

const char *check_guest_state(const struct guest_state *s)
{
    for (unsigned i = 0; i < ARRAY_SIZE(rules); i++) {
        if (rules[i].broken(s))
            return rules[i].rule;
    }
    return NULL;
}
