/* SPDX-License-Identifier: BSD-2-Clause */
/* Guest MTRRs. Layouts and rules: SDM Vol 3A, "Memory Type Range Registers (MTRRs)". */
#include "core/guest/mtrr.h"

#include "core/bits.h"
#include "core/string.h"
#include "core/x86.h"

#define MTRRCAP_FIX    BIT(8)
#define MTRRCAP_WC     BIT(10)
#define DEF_TYPE_FE    BIT(10)
#define DEF_TYPE_E     BIT(11)
#define PHYSMASK_VALID BIT(11)
#define TYPE           MASK(7, 0) /* of DEF_TYPE and PHYSBASE */
#define ADDRESS        MASK(51, 12)

/* Places in struct mtrr. */
enum { DEF_TYPE = 0, FIXED = 1, VARIABLE = FIXED + MTRR_FIXED };

/* The place of all but IA32_MTRRCAP; -1 for an MSR that is none of them. */
static int place_of(uint32_t msr)
{
    if (msr == MSR_IA32_MTRR_DEF_TYPE)
        return DEF_TYPE;
    if (msr == MSR_IA32_MTRR_FIX64K_00000)
        return FIXED;
    if (msr == MSR_IA32_MTRR_FIX16K_80000 || msr == MSR_IA32_MTRR_FIX16K_A0000)
        return FIXED + 1 + (int)(msr - MSR_IA32_MTRR_FIX16K_80000);
    if (msr >= MSR_IA32_MTRR_FIX4K_C0000 && msr <= MSR_IA32_MTRR_FIX4K_F8000)
        return FIXED + 3 + (int)(msr - MSR_IA32_MTRR_FIX4K_C0000);
    if (msr - MSR_IA32_MTRR_PHYSBASE0 < 2 * MTRR_VARIABLE)
        return VARIABLE + (int)(msr - MSR_IA32_MTRR_PHYSBASE0);
    return -1;
}

void mtrr_reset(struct mtrr *mtrr)
{
    memset(mtrr, 0, sizeof(*mtrr));
    mtrr->reg[DEF_TYPE] = DEF_TYPE_E | MEMORY_TYPE_WB;
}

bool mtrr_has(uint32_t msr)
{
    return msr == MSR_IA32_MTRRCAP || place_of(msr) >= 0;
}

uint64_t mtrr_read(const struct mtrr *mtrr, uint32_t msr)
{
    if (msr == MSR_IA32_MTRRCAP)
        return MTRR_VARIABLE | MTRRCAP_FIX | MTRRCAP_WC;
    return mtrr->reg[place_of(msr)];
}

static bool type_valid(uint64_t type)
{
    return type == MEMORY_TYPE_UC || type == MEMORY_TYPE_WC || type == MEMORY_TYPE_WT ||
           type == MEMORY_TYPE_WP || type == MEMORY_TYPE_WB;
}

static bool fixed_valid(uint64_t value)
{
    for (unsigned i = 0; i < 8; i++)
        if (!type_valid(value >> (8 * i) & 0xff))
            return false;
    return true;
}

static bool value_valid(int place, uint64_t value, uint64_t address)
{
    uint64_t rest = place == DEF_TYPE ? DEF_TYPE_FE | DEF_TYPE_E : address;

    if (place >= FIXED && place < VARIABLE)
        return fixed_valid(value);
    if (place > VARIABLE && (place - VARIABLE) % 2 != 0)
        return !(value & ~(address | PHYSMASK_VALID));
    return !(value & ~(rest | TYPE)) && type_valid(value & TYPE);
}

bool mtrr_write(struct mtrr *mtrr, uint32_t msr, uint64_t value, unsigned maxphyaddr)
{
    int place = place_of(msr);

    if (msr == MSR_IA32_MTRRCAP || !value_valid(place, value, ADDRESS & MASK(maxphyaddr - 1, 0)))
        return false;
    mtrr->reg[place] = value;
    return true;
}
