/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Virtual Trust Levels: which exist, which one a processor runs in, and the way between them.
 * TLFS, "Virtual Secure Mode". docs/vsm.md says of each rule whose it is.
 */
#pragma once

#include "core/hyperv/hypercall.h"

/* Why a VTL is entered: the VP assist page says it. */
enum hv_entry_reason {
    HV_ENTRY_CALL = 1,
    HV_ENTRY_INTERRUPT = 2,
};

/* HV_X64_SEGMENT_REGISTER and HV_X64_TABLE_REGISTER. */
struct hv_segment {
    uint64_t base;
    uint32_t limit; /* in bytes */
    uint16_t selector;
    uint16_t attributes; /* bits 8 to 23 of the descriptor's second word */
};

struct hv_table {
    uint16_t reserved[3];
    uint16_t limit;
    uint64_t base;
};

/* HV_INITIAL_VP_CONTEXT. */
struct hv_initial_context {
    uint64_t rip, rsp, rflags;
    struct hv_segment cs, ds, es, fs, gs, ss, tr, ldtr;
    struct hv_table idtr, gdtr;
    uint64_t efer, cr0, cr3, cr4, pat;
};
_Static_assert(sizeof(struct hv_segment) == 16 && sizeof(struct hv_table) == 16 &&
                   sizeof(struct hv_initial_context) == 0xe0,
               "HV_INITIAL_VP_CONTEXT is 224 bytes");

struct vmx_segment hv_segment_in(const struct hv_segment *segment);
struct hv_segment hv_segment_out(const struct vmx_segment *segment);

/*
 * Puts @ctx, which is loaded on this CPU and does not run, into power-up state with these
 * registers. False if they are such as no processor in protected or long mode can have.
 */
bool hv_set_initial_context(struct context *ctx, const struct hv_initial_context *initial);

/*
 * The processor that parameters name. HV_INVALID_PARTITION_ID unless @partition is the caller's
 * own; HV_INVALID_VP_INDEX if there is no such processor.
 */
enum hv_status hv_find_vp(struct vcpu *caller, uint64_t partition, uint32_t index,
                          struct vcpu **vp);

/* Makes @to the active context of the processor that runs here, and says why in its VP assist page.
 * At an exit, or before an entry. */
void hv_enter_vtl(struct context *to, enum hv_entry_reason reason);

/* The active VTL of a processor asked to hear of interrupts that wait for lower ones: raises its
 * VINA if there is one. On the CPU that runs it, outside the epoch. */
void hv_announce_lower(struct context *ctx);

/* Whether the vector is a VINA that wants no EOI. */
bool hv_vina_auto_eoi(const struct context *ctx, uint8_t vector);

/* Whether user and kernel execution can be told apart for guests like that of @ctx. */
bool hv_has_mbec(const struct context *ctx);

/* HvRegisterVsmCodePageOffsets: where the hypercall page has VTL call and VTL return. */
enum {
    HV_CODE_PAGE_OFFSETS_32 = 0x04 | 0x1b << 12,
    HV_CODE_PAGE_OFFSETS_64 = 0x0f | 0x26 << 12,
};

/* The handlers of the hypercalls, vtl.c. */
enum hv_status hv_enable_partition_vtl(struct hv_hypercall *call);
enum hv_status hv_enable_vp_vtl(struct hv_hypercall *call);
enum hv_status hv_translate(struct hv_hypercall *call);    /* translate.c */
enum hv_status hv_translate_ex(struct hv_hypercall *call); /* translate.c */
enum hv_status hv_start_vp(struct hv_hypercall *call);
enum hv_status hv_vtl_call(struct hv_hypercall *call);
enum hv_status hv_vtl_return(struct hv_hypercall *call);
