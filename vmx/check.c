/* SPDX-License-Identifier: BSD-2-Clause */
/* The checks of VM entry on guest state, rule by rule. */
#include "vmx/check.h"

#include <stddef.h>

#include "vmx/control_rules.h"
#include "vmx/exit.h"
#include "vmx/msr_rules.h"

/* Ends the function it stands in with the text of the rule that is broken. */
#define RULE(holds, text)                                                                          \
    do {                                                                                           \
        if (!(holds))                                                                              \
            return text;                                                                           \
    } while (0)

enum { SELECTOR_TI = 1 << 2 };
enum { TYPE_LDT = 2, TYPE_BUSY_TSS_16 = 3, TYPE_BUSY_TSS = 11 };
enum { ACTIVITY_ACTIVE = 0, ACTIVITY_HLT = 1, ACTIVITY_LAST = 3 };

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

static const char *check_control_registers(const struct guest_state *s)
{
    uint64_t cr0_fixed0 = s->cr0_fixed0 & ~(CR0_PE | CR0_PG);

    RULE((s->cr0 & cr0_fixed0) == cr0_fixed0 && !(s->cr0 & ~s->cr0_fixed1),
         "CR0 must have the bits fixed by IA32_VMX_CR0_FIXED0 and _FIXED1");
    RULE(!paging(s) || (s->cr0 & CR0_PE), "CR0.PG needs CR0.PE");
    RULE((s->cr4 & s->cr4_fixed0) == s->cr4_fixed0 && !(s->cr4 & ~s->cr4_fixed1),
         "CR4 must have the bits fixed by IA32_VMX_CR4_FIXED0 and _FIXED1");
    RULE(!s->ia32e || (paging(s) && (s->cr4 & CR4_PAE)),
         "an IA-32e mode guest needs CR0.PG and CR4.PAE");
    RULE(s->ia32e || !(s->cr4 & CR4_PCIDE), "CR4.PCIDE needs IA-32e mode");
    RULE(!(s->cr3 >> s->physical_bits), "CR3 must not exceed the physical-address width");
    RULE(!(s->dr7 >> 32), "DR7 bits 63:32 must be 0");
    return NULL;
}

static bool canonical(const struct guest_state *s, uint64_t address)
{
    return is_canonical(address, s->linear_bits);
}

static const char *check_msrs(const struct guest_state *s)
{
    bool lma = s->efer & EFER_LMA;
    bool lme = s->efer & EFER_LME;

    RULE(canonical(s, s->sysenter_esp) && canonical(s, s->sysenter_eip),
         "IA32_SYSENTER_ESP and _EIP must be canonical");
    RULE(msr_value_allowed(MSR_IA32_PAT, s->pat, s->linear_bits),
         "IA32_PAT must hold memory types");
    RULE(!(s->efer & ~(EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE)),
         "reserved bits of IA32_EFER must be 0");
    RULE(lma == s->ia32e, "IA32_EFER.LMA must equal the control \"IA-32e mode guest\"");
    RULE(!paging(s) || lma == lme, "IA32_EFER.LMA must equal LME while CR0.PG is set");
    return NULL;
}

static bool g_fits_limit(const struct vmx_segment *segment)
{
    if (segment->access & SEGMENT_G)
        return (segment->limit & MASK(11, 0)) == MASK(11, 0);
    return !(segment->limit & MASK(31, 20));
}

/* What holds for CS and every usable data segment. */
static const char *check_code_or_data(const struct guest_state *s, enum vmx_segment_name name)
{
    const struct vmx_segment *segment = &s->segment[name];
    bool has_low_base = name != VMX_FS && name != VMX_GS;

    RULE(!has_low_base || !(segment->base >> 32), "bases of CS, SS, DS and ES must be below 4 GiB");
    RULE(segment->access & SEGMENT_S, "CS, SS, DS, ES, FS and GS must be code or data");
    RULE(segment->access & SEGMENT_P, "CS, SS, DS, ES, FS and GS must be present");
    RULE(!(segment->access & SEGMENT_RESERVED),
         "reserved bits of segments' access rights must be 0");
    RULE(g_fits_limit(segment), "segments' G must fit their limits");
    return NULL;
}

static const char *check_cs(const struct guest_state *s)
{
    const struct vmx_segment *cs = &s->segment[VMX_CS];
    unsigned type = type_of(cs);
    bool code = type & SEGMENT_CODE;
    bool conforming = code && (type & SEGMENT_DOWN);
    unsigned ss_dpl = dpl_of(&s->segment[VMX_SS]);
    uint32_t long_and_big = SEGMENT_L | SEGMENT_DB;

    RULE(code ? type & SEGMENT_ACCESSED : type == (SEGMENT_WRITABLE | SEGMENT_ACCESSED),
         "CS must be accessed code, or accessed writable data");
    RULE(dpl_of(cs) == (code ? ss_dpl : 0) || (conforming && dpl_of(cs) < ss_dpl),
         "CS.DPL must fit CS.type and SS.DPL");
    RULE((code && (s->cr0 & CR0_PE)) || ss_dpl == 0,
         "SS.DPL must be 0 in real-address mode, or if CS is data");
    RULE(!s->ia32e || (cs->access & long_and_big) != long_and_big,
         "CS.L and CS.D must not both be set in IA-32e mode");
    return NULL;
}

static const char *check_data(const struct guest_state *s, enum vmx_segment_name name)
{
    unsigned type = type_of(&s->segment[name]);
    bool writable = (type & ~(unsigned)SEGMENT_DOWN) == (SEGMENT_WRITABLE | SEGMENT_ACCESSED);
    bool readable = !(type & SEGMENT_CODE) || (type & SEGMENT_WRITABLE);

    RULE(name != VMX_SS || writable, "SS must be accessed writable data");
    RULE((type & SEGMENT_ACCESSED) && readable, "DS, ES, FS and GS must be accessed and readable");
    return NULL;
}

static bool v86_segment(const struct vmx_segment *segment)
{
    return segment->base == (uint64_t)segment->selector << 4 && segment->limit == 0xffff &&
           segment->access == 0xf3;
}

static const char *check_segment(const struct guest_state *s, enum vmx_segment_name name)
{
    const char *broken;

    if (v86(s)) {
        RULE(v86_segment(&s->segment[name]),
             "virtual-8086 mode: base = selector * 16, limit 0xffff, access 0xf3");
        return NULL;
    }
    if (name == VMX_CS)
        broken = check_cs(s);
    else
        broken = usable(&s->segment[name]) ? check_data(s, name) : NULL;
    if (broken == NULL && (name == VMX_CS || usable(&s->segment[name])))
        broken = check_code_or_data(s, name);
    return broken;
}

static bool system_segment(const struct vmx_segment *segment)
{
    return !(segment->access & (SEGMENT_S | SEGMENT_RESERVED)) && (segment->access & SEGMENT_P) &&
           g_fits_limit(segment);
}

static const char *check_tables(const struct guest_state *s)
{
    const struct vmx_segment *tr = &s->segment[VMX_TR];
    const struct vmx_segment *ldtr = &s->segment[VMX_LDTR];
    bool busy_tss = type_of(tr) == TYPE_BUSY_TSS || (!s->ia32e && type_of(tr) == TYPE_BUSY_TSS_16);

    RULE(!(tr->selector & SELECTOR_TI), "TR must select from the GDT");
    RULE(!usable(ldtr) || !(ldtr->selector & SELECTOR_TI), "LDTR must select from the GDT");
    RULE(canonical(s, tr->base) && canonical(s, s->segment[VMX_FS].base) &&
             canonical(s, s->segment[VMX_GS].base) && (!usable(ldtr) || canonical(s, ldtr->base)),
         "bases of TR, FS, GS and LDTR must be canonical");
    RULE(busy_tss && usable(tr) && system_segment(tr),
         "TR must be a busy, present TSS (in IA-32e mode of type 11) with a fitting G");
    RULE(!usable(ldtr) || (type_of(ldtr) == TYPE_LDT && system_segment(ldtr)),
         "LDTR must be a present LDT with a fitting G");
    RULE(canonical(s, s->gdtr_base) && canonical(s, s->idtr_base) &&
             !((s->gdtr_limit | s->idtr_limit) >> 16),
         "GDTR and IDTR: canonical base, limit up to 0xffff");
    return NULL;
}

static const char *check_rip_and_rflags(const struct guest_state *s)
{
    bool long_code = s->ia32e && (s->segment[VMX_CS].access & SEGMENT_L);

    RULE(long_code ? canonical(s, s->rip) : !(s->rip >> 32),
         "RIP must be below 4 GiB, in 64-bit mode canonical");
    RULE(!(s->rflags & (MASK(63, 22) | BIT(15) | BIT(5) | BIT(3))) && (s->rflags & RFLAGS_ONE),
         "RFLAGS: reserved bits must be 0, bit 1 must be 1");
    RULE(!v86(s) || (!s->ia32e && (s->cr0 & CR0_PE)),
         "RFLAGS.VM needs protected mode outside IA-32e mode");
    RULE(!injects(s, EVENT_EXTERNAL_INTERRUPT) || (s->rflags & RFLAGS_IF),
         "RFLAGS.IF must be 1 to inject an external interrupt");
    return NULL;
}

static bool has_error_code(uint32_t vector)
{
    return vector < 32 &&
           (BIT(EXCEPTION_DF) | MASK(EXCEPTION_PF, EXCEPTION_TS) | BIT(EXCEPTION_AC)) >> vector & 1;
}

/* SDM Vol 3C, "VM-Entry Control Fields". */
static const char *check_event(const struct guest_state *s)
{
    bool expected =
        (s->cr0 & CR0_PE) && has_error_code((uint32_t)field_get(s->event, EVENT_VECTOR));

    RULE(!injects(s, EVENT_HARDWARE_EXCEPTION) || expected == ((s->event & EVENT_HAS_ERROR) != 0),
         "an exception must be injected with an error code where its vector has one, not in real "
         "mode");
    return NULL;
}

static const char *check_non_register_state(const struct guest_state *s)
{
    bool sti = s->interruptibility & BLOCKING_BY_STI;
    bool mov_ss = s->interruptibility & BLOCKING_BY_MOV_SS;
    bool halted = s->activity == ACTIVITY_HLT;
    bool bs = s->pending_debug & PENDING_DEBUG_BS;
    bool tf = s->rflags & RFLAGS_TF;

    RULE(s->activity <= ACTIVITY_LAST && !(halted && dpl_of(&s->segment[VMX_SS]) != 0) &&
             (s->activity == ACTIVITY_ACTIVE || !(sti || mov_ss)),
         "activity state: known; HLT only at CPL 0; active under blocking by STI or MOV SS");
    RULE(!(s->interruptibility & MASK(31, 5)) && !(sti && mov_ss) &&
             !(sti && !(s->rflags & RFLAGS_IF)),
         "interruptibility: reserved bits 0; STI needs IF and excludes MOV SS");
    RULE(!injects(s, EVENT_EXTERNAL_INTERRUPT) || !(sti || mov_ss),
         "an external interrupt cannot be injected under blocking");
    RULE(!injects(s, EVENT_NMI) || !(mov_ss || (s->interruptibility & BLOCKING_BY_NMI)),
         "an NMI cannot be injected under blocking");
    RULE(!(s->pending_debug & (MASK(11, 4) | BIT(13) | BIT(15) | MASK(63, 17))),
         "reserved bits of the pending debug exceptions must be 0");
    RULE(!(sti || mov_ss || halted) || bs == tf,
         "pending debug exceptions: BS must equal RFLAGS.TF under blocking");
    RULE(s->link_pointer == UINT64_MAX, "the VMCS link pointer must be all ones");
    return NULL;
}

static const char *check_pdptes(const struct guest_state *s)
{
    bool pae = paging(s) && (s->cr4 & CR4_PAE) && !s->ia32e;

    for (unsigned i = 0; pae && i < ARRAY_SIZE(s->pdpte); i++)
        RULE(!(s->pdpte[i] & PTE_P) || !(s->pdpte[i] & pdpte_reserved(s->physical_bits)),
             "PAE paging: reserved bits of present PDPTEs must be 0");
    return NULL;
}

const char *check_guest_state(const struct guest_state *s)
{
    static const char *(*const groups[])(const struct guest_state *s) = {
        check_control_registers,  check_msrs,   check_tables, check_rip_and_rflags,
        check_non_register_state, check_pdptes, check_event,
    };
    const char *broken = NULL;

    for (unsigned i = 0; broken == NULL && i < ARRAY_SIZE(groups); i++)
        broken = groups[i](s);
    for (unsigned i = VMX_ES; broken == NULL && i <= VMX_GS; i++)
        broken = check_segment(s, i);
    return broken;
}
