/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Virtual Trust Levels for tests: enabling them, and running functions in the next higher one. All
 * levels run this program, with the same paging and descriptor tables unless a test says otherwise.
 */
#pragma once

#include "tests/guest/lib/hv.h"

enum {
    HV_CALL_MODIFY_PROTECTION = 0x0c,
    HV_CALL_ENABLE_PARTITION_VTL = 0x0d,
    HV_CALL_ENABLE_VP_VTL = 0x0f,
    HV_CALL_VTL_CALL = 0x11,
    HV_CALL_VTL_RETURN = 0x12,
    HV_CALL_GET_VP_REGISTERS = 0x50,
    HV_CALL_SET_VP_REGISTERS = 0x51,
    HV_CALL_TRANSLATE_VA = 0x52,
    HV_CALL_START_VP = 0x99,

    HV_INVALID_REGISTER_VALUE = 0x50,
    HV_INVALID_VTL_STATE = 0x51,
    HV_VTL_ALREADY_ENABLED = 0x86,

    HV_VP_SELF = -2, /* as 32 bits */
    HV_USE_TARGET_VTL = 0x10,

    ENTRY_CALL = 1,
    ENTRY_INTERRUPT = 2,

    VSM_CPUS = 4,
    VSM_LEVELS = 3,
    VSM_AREA_SIZE = 0x4000,
};

struct hv_segment {
    uint64_t base;
    uint32_t limit;
    uint16_t selector, attributes;
};

struct hv_table {
    uint16_t reserved[3], limit;
    uint64_t base;
};

struct hv_initial_context {
    uint64_t rip, rsp, rflags;
    struct hv_segment cs, ds, es, fs, gs, ss, tr, ldtr;
    struct hv_table idtr, gdtr;
    uint64_t efer, cr0, cr3, cr4, pat;
};

/* HvCallEnableVpVtl and HvCallStartVirtualProcessor. */
struct hv_vp_context {
    uint64_t partition;
    uint32_t vp;
    uint8_t vtl, reserved[3];
    struct hv_initial_context initial;
};

/* What a level above 0 has on one processor; its stack lies behind. */
struct vsm_level {
    unsigned vtl;
    volatile unsigned entries[4]; /* by reason; 0: the assist page does not say */
    void (*volatile function)(uintptr_t);
    volatile uintptr_t argument;
    volatile bool fast;    /* how to return */
    uint8_t *assist;       /* its VP assist page, when vsm_use_assist() has made one */
    void (*entered)(void); /* NULL, or called for each entry by interrupt instead of STI */
};

/* The level the caller is in on its processor; NULL: VTL0. */
struct vsm_level *vsm_self(void);

/* The level @vtl, 1 or 2, of processor @cpu. */
struct vsm_level *vsm_level(unsigned cpu, unsigned vtl);

/* Takes an identity, as every guest of the interface must. */
void vsm_begin(void);

/* Fills in the parameters that make processor @cpu run in @vtl as this processor does now. */
void vsm_fill_context(struct hv_vp_context *parameters, unsigned cpu, unsigned vtl);

/* The hypercalls' statuses. */
unsigned vsm_enable_partition(unsigned vtl, uint8_t flags);
unsigned vsm_enable_vp(const struct hv_vp_context *parameters);

/* Enables @vtl for the partition and on the processor of the caller. Bails out if refused. */
void vsm_enable(unsigned vtl);

/* Runs function(argument) in the next higher level of this processor: VTL call, VTL return. */
void vsm_run(void (*function)(uintptr_t), uintptr_t argument);

/* VTL call as the code page's stub does it. */
static inline void vtl_call(void)
{
    uint64_t rax = 0, rcx = HV_CALL_VTL_CALL;
    asm volatile("vmcall" : "+a"(rax), "+c"(rcx) : : "memory");
}

/* A register of the TLFS's numbering, of the processor @vp (or HV_VP_SELF) in the HV_INPUT_VTL
 * @vtl. The hypercalls' statuses. */
unsigned vsm_get(uint32_t vp, uint8_t vtl, uint32_t name, uint64_t value[2]);
unsigned vsm_set(uint32_t vp, uint8_t vtl, uint32_t name, uint64_t low, uint64_t high);

/* Several registers by one call, at most VSM_SET_MAX; the hypercall's result value. */
struct hv_assignment {
    uint32_t name, reserved[3];
    uint64_t value[2];
};
enum { VSM_SET_MAX = 127 };
uint64_t vsm_set_all(uint32_t vp, uint8_t vtl, const struct hv_assignment *list, unsigned count);

/* A segment register as a value. */
struct hv_assignment vsm_segment(uint32_t name, uint64_t base, uint32_t limit, uint16_t selector,
                                 uint16_t attributes);

/* HvCallModifyVtlProtectionMask of @count pages from @page on, with the caller's VTL imposing. */
unsigned vsm_protect(const void *page, unsigned count, uint32_t flags);
enum { VSM_NONE = 0, VSM_R = 1, VSM_W = 2, VSM_KX = 4, VSM_UX = 8, VSM_RWX = 15 };

/* In a level above 0: enables its VP assist page on this processor. */
void vsm_use_assist(void);

/* In a level above 0: enables its local APIC, assist page and SynIC; SINT0 interrupts at
 * VSM_INTERCEPT_VECTOR. Returns the SynIC's message page. */
enum { VSM_INTERCEPT_VECTOR = 0x60 };
uint8_t *vsm_use_synic(void);
