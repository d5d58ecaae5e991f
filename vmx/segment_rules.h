/* SPDX-License-Identifier: BSD-2-Clause */
/* Whether a memory operand lies in its segment. Pure. SDM Vol 3A, "Limit Checking", "Type
 * Checking".
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "vmx/vmx.h"

struct segment_use {
    uint64_t offset; /* cut to the address size */
    unsigned size;   /* bytes, not 0 */
    bool write;
    bool long_mode; /* 64-bit mode */
    bool la57;      /* CR4.LA57 */
    bool has_base;  /* FS or GS: bases that 64-bit mode does not ignore */
    bool real_mode; /* or virtual-8086 mode: no type checks */
};

/* False: #GP(0), #SS(0) if the segment is SS. */
bool segment_linear(const struct vmx_segment *segment, const struct segment_use *use,
                    uint64_t *linear);
