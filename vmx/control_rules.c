/* SPDX-License-Identifier: BSD-2-Clause */
/* When a write of CR0, CR4 or EFER raises #GP. */
#include "vmx/control_rules.h"

static bool cr0_combination_allowed(uint64_t value)
{
    if (value >> 32)
        return false;
    if ((value & CR0_PG) && !(value & CR0_PE))
        return false;
    return !(value & CR0_NW) || (value & CR0_CD);
}

static bool paging_start_allowed(const struct control_state *s)
{
    if (!(s->efer & EFER_LME))
        return true;
    return (s->cr4 & CR4_PAE) && !s->cs_long && !s->tss_16bit;
}

static bool paging_stop_allowed(const struct control_state *s)
{
    bool in_64bit_mode = (s->efer & EFER_LMA) && s->cs_long;
    return !in_64bit_mode && !(s->cr4 & CR4_PCIDE);
}

bool cr0_write_allowed(const struct control_state *s, uint64_t value)
{
    if (!cr0_combination_allowed(value))
        return false;
    if (!(s->cr0 & CR0_PG) && (value & CR0_PG))
        return paging_start_allowed(s);
    if ((s->cr0 & CR0_PG) && !(value & CR0_PG))
        return paging_stop_allowed(s);
    return true;
}

bool cr4_write_allowed(const struct control_state *s, uint64_t value)
{
    if (value & ~s->cr4_allowed)
        return false;
    bool long_mode = s->efer & EFER_LMA;
    if (long_mode && (!(value & CR4_PAE) || ((value ^ s->cr4) & CR4_LA57)))
        return false;
    bool pcid_starts = (value & CR4_PCIDE) && !(s->cr4 & CR4_PCIDE);
    return !pcid_starts || (long_mode && (s->cr3 & CR3_PCID) == 0);
}

/* LMA is read-only: what is written to it does not matter. */
bool efer_write_allowed(const struct control_state *s, uint64_t value)
{
    if (value & ~(s->efer_allowed | EFER_LMA))
        return false;
    return !(s->cr0 & CR0_PG) || !((value ^ s->efer) & EFER_LME);
}

uint64_t efer_after_cr0(uint64_t efer, uint64_t cr0)
{
    bool active = (efer & EFER_LME) && (cr0 & CR0_PG);
    return (efer & ~EFER_LMA) | (active ? EFER_LMA : 0);
}

/* Table "Format of a PAE Page-Directory-Pointer-Table Entry". */
uint64_t pdpte_reserved(unsigned physical_bits)
{
    return MASK(2, 1) | MASK(8, 5) | (~0ull << physical_bits);
}
