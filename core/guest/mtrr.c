/* SPDX-License-Identifier: BSD-2-Clause */
/* Guest MTRRs. Layouts and rules: SDM Vol 3A, "Memory Type Range Registers (MTRRs)". */
#include "core/guest/mtrr.h"

#include "core/bits.h"
#include "core/string.h"
#include "core/x86.h"

#define MTRRCAP_FIX      BIT(8)
#define MTRRCAP_WC       BIT(10)
#define DEF_TYPE_TYPE    MASK(7, 0)
#define DEF_TYPE_FE      BIT(10)
#define DEF_TYPE_E       BIT(11)
#define PHYSBASE_TYPE    MASK(7, 0)
#define PHYSBASE_ADDRESS MASK(51, 12)
#define PHYSMASK_VALID   BIT(11)

enum { VARIABLE_LAST = MSR_IA32_MTRR_PHYSBASE0 + 2 * MTRR_VARIABLE - 1 };

void mtrr_reset(struct mtrr *mtrr)
{
    memset(mtrr, 0, sizeof(*mtrr));
    mtrr->def_type = DEF_TYPE_E | MEMORY_TYPE_WB;
}

/* Place of a fixed-range register among the eleven, or -1. */
static int fixed_index(uint32_t msr)
{
    if (msr == MSR_IA32_MTRR_FIX64K_00000)
        return 0;
    if (msr == MSR_IA32_MTRR_FIX16K_80000 || msr == MSR_IA32_MTRR_FIX16K_A0000)
        return 1 + (int)(msr - MSR_IA32_MTRR_FIX16K_80000);
    if (msr >= MSR_IA32_MTRR_FIX4K_C0000 && msr <= MSR_IA32_MTRR_FIX4K_F8000)
        return 3 + (int)(msr - MSR_IA32_MTRR_FIX4K_C0000);
    return -1;
}

static bool is_variable(uint32_t msr)
{
    return msr >= MSR_IA32_MTRR_PHYSBASE0 && msr <= VARIABLE_LAST;
}

bool mtrr_has(uint32_t msr)
{
    return msr == MSR_IA32_MTRRCAP || msr == MSR_IA32_MTRR_DEF_TYPE || is_variable(msr) ||
           fixed_index(msr) >= 0;
}

uint64_t mtrr_read(const struct mtrr *mtrr, uint32_t msr)
{
    if (msr == MSR_IA32_MTRRCAP)
        return MTRR_VARIABLE | MTRRCAP_FIX | MTRRCAP_WC;
    if (msr == MSR_IA32_MTRR_DEF_TYPE)
        return mtrr->def_type;
    if (is_variable(msr)) {
        uint32_t n = (msr - MSR_IA32_MTRR_PHYSBASE0) / 2;

        return msr & 1 ? mtrr->mask[n] : mtrr->base[n];
    }
    return mtrr->fixed[fixed_index(msr)];
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

static bool write_variable(struct mtrr *mtrr, uint32_t msr, uint64_t value, uint64_t address)
{
    uint32_t n = (msr - MSR_IA32_MTRR_PHYSBASE0) / 2;

    if (msr & 1) {
        if (value & ~(address | PHYSMASK_VALID))
            return false;
        mtrr->mask[n] = value;
        return true;
    }
    if (value & ~(address | PHYSBASE_TYPE) || !type_valid(value & PHYSBASE_TYPE))
        return false;
    mtrr->base[n] = value;
    return true;
}

bool mtrr_write(struct mtrr *mtrr, uint32_t msr, uint64_t value, unsigned maxphyaddr)
{
    int fixed = fixed_index(msr);

    if (msr == MSR_IA32_MTRRCAP)
        return false;
    if (is_variable(msr))
        return write_variable(mtrr, msr, value, PHYSBASE_ADDRESS & MASK(maxphyaddr - 1, 0));
    if (fixed >= 0) {
        if (!fixed_valid(value))
            return false;
        mtrr->fixed[fixed] = value;
        return true;
    }
    if (value & ~(DEF_TYPE_TYPE | DEF_TYPE_FE | DEF_TYPE_E) || !type_valid(value & DEF_TYPE_TYPE))
        return false;
    mtrr->def_type = value;
    return true;
}
