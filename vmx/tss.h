/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Task-state segments and descriptors as they lie in memory, and the checks on what a task switch
 * loads. Pure. Source: SDM Vol 3A, "Task Management".
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "vmx/vmx.h"

enum {
    TSS_SIZE_16 = 44,
    TSS_SIZE_32 = 104, /* both: the least a limit must allow, plus 1 */
    TSS_SIZE_MAX = TSS_SIZE_32,
    TASK_GPRS = 8,
    TASK_SELECTORS = 6, /* ES to GS, as enum vmx_segment_name */
};

/* Types of system descriptors. */
enum {
    TYPE_LDT = 2,
    TYPE_TSS_BUSY = 1 << 1,
    TYPE_TSS_32 = 1 << 3,
};

struct task_image {
    uint16_t link;
    uint32_t cr3; /* of 32-bit TSSs */
    uint32_t eip;
    uint32_t eflags;
    uint32_t gpr[TASK_GPRS]; /* as enum vmx_gpr; here RSP is one of them */
    uint16_t selector[TASK_SELECTORS];
    uint16_t ldt;
    bool trap; /* T flag */
};

/* bytes: TSS_SIZE_32 or TSS_SIZE_16 of them. What a 16-bit TSS lacks becomes 0. */
void tss_decode(struct task_image *image, const uint8_t *bytes, bool is_32bit);

/* The part of a TSS that is written when its task is left. */
struct tss_part {
    unsigned offset, size;
};
struct tss_part tss_saved_part(bool is_32bit);

/* Replaces that part of a whole TSS in bytes; the rest stays. */
void tss_encode(uint8_t *bytes, const struct task_image *image, bool is_32bit);

/* An 8-byte descriptor, as it would be loaded. */
struct vmx_segment segment_of_descriptor(uint16_t selector, uint64_t descriptor);

/* True for types 1, 3, 9 and 11. */
bool is_tss(const struct vmx_segment *segment);

/*
 * The exception that a task switch raises for loading a descriptor that is there into a register
 * CS to GS or LDTR; cpl is the new one. -1: none.
 */
int task_segment_fault(enum vmx_segment_name name, const struct vmx_segment *segment, unsigned cpl);
