/* SPDX-License-Identifier: BSD-2-Clause */
/* Loading a segment register from its descriptor. A context given is the current one. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "vmx/vmx.h"

enum {
    SELECTOR_LDT = 1 << 2,
    SELECTOR_INDEX = 0xfff8, /* bytes */
    DESCRIPTOR_SIZE = 8,
    DESCRIPTOR_ACCESS = 5, /* offset of its byte with type, S, DPL and P */
};

static inline bool selector_is_null(uint16_t selector)
{
    return (selector & (SELECTOR_INDEX | SELECTOR_LDT)) == 0;
}

struct segment_load {
    enum vmx_segment_name name; /* CS to GS, or LDTR in a task switch */
    uint16_t selector;          /* not a null one */
    unsigned cpl;
    uint8_t wrong;  /* the exception if the descriptor does not fit: #GP or #TS */
    uint32_t error; /* the error code of whatever exception it is */
};

/*
 * Reads the descriptor from GDT or LDT, marks it accessed and loads it. VMX_NEXT: done. Else
 * nothing was loaded, and *fault is the exception if it is VMX_RAISE.
 */
enum vmx_action segment_load_descriptor(struct vmx_context *ctx, const struct segment_load *load,
                                        struct vmx_exception *fault);
