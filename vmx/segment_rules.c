/* SPDX-License-Identifier: BSD-2-Clause */
/* Whether a memory operand lies in its segment. */
#include "vmx/segment_rules.h"

#include "core/bits.h"
#include "vmx/msr_rules.h"

static bool type_allows(const struct vmx_segment *segment, const struct segment_use *use)
{
    if (use->real_mode)
        return true;
    bool code = segment->access & SEGMENT_CODE;
    bool flag = segment->access & SEGMENT_WRITABLE; /* of code: readable */
    return use->write ? !code && flag : !code || flag;
}

static bool limit_allows(const struct vmx_segment *segment, const struct segment_use *use)
{
    uint64_t last = use->offset + use->size - 1;
    bool expands_down =
        (segment->access & (SEGMENT_CODE | SEGMENT_DOWN)) == SEGMENT_DOWN && !use->real_mode;
    if (!expands_down)
        return last <= segment->limit;
    uint64_t top = segment->access & SEGMENT_DB ? MASK(31, 0) : MASK(15, 0);
    return use->offset > segment->limit && last <= top;
}

bool segment_linear(const struct vmx_segment *segment, const struct segment_use *use,
                    uint64_t *linear)
{
    if (use->long_mode) {
        *linear = use->offset + (use->has_base ? segment->base : 0);
        unsigned bits = use->la57 ? 57 : 48;
        return is_canonical(*linear, bits) && is_canonical(*linear + use->size - 1, bits);
    }
    if (segment->access & SEGMENT_UNUSABLE)
        return false;
    if (!type_allows(segment, use) || !limit_allows(segment, use))
        return false;
    *linear = (uint32_t)(segment->base + use->offset);
    return true;
}
