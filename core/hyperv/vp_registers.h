/* SPDX-License-Identifier: BSD-2-Clause */
/* Registers of a virtual processor by the names of the TLFS: HV_REGISTER_NAME and its values. */
#pragma once

#include "core/hyperv/hypercall.h"

/* HV_REGISTER_VALUE. */
struct hv_value {
    uint64_t low, high;
};

/* Reading a register that is @is. */
static inline enum hv_status hv_is(struct hv_value *value, uint64_t is)
{
    value->low = is;
    return HV_SUCCESS;
}

/*
 * One access, carried out by the CPU that owns the processor of @ctx, which is loaded there. @ctx
 * is the VTL that the caller names. *value is read or written; HV_INVALID_PARAMETER if there is no
 * such register, or it cannot be written.
 */
struct hv_register_access {
    struct context *ctx;
    const struct context *caller;
    bool long_mode; /* the caller is in 64-bit mode */
};

/* What a processor has, its private and its shared state: vp_registers.c. */
enum hv_status hv_get_register(const struct hv_register_access *access, uint32_t name,
                               struct hv_value *value);
enum hv_status hv_set_register(const struct hv_register_access *access, uint32_t name,
                               const struct hv_value *value);

/* Whether VM entry judges the register, too: together with the others, or as one that says how
 * addresses are translated. */
enum hv_judgement { HV_NOT_JUDGED, HV_JUDGED, HV_JUDGED_PAGING };
enum hv_judgement hv_judgement_of(uint32_t name);

/* Whether VM entry takes the state of @ctx now that registers of that judgement, the highest, have
 * been set: to be asked behind the last hv_set_register(). */
bool hv_state_stands(struct context *ctx, enum hv_judgement judged);

/* The register that says what setting @name changes: another one for an event that is injected. */
uint32_t hv_keeper_of(uint32_t name);

/* Those of Virtual Secure Mode, 0xd0000 and 0xe0000 on: vp_registers_vsm.c. */
enum hv_status hv_get_vsm_register(const struct hv_register_access *access, uint32_t name,
                                   struct hv_value *value);
enum hv_status hv_set_vsm_register(const struct hv_register_access *access, uint32_t name,
                                   const struct hv_value *value);

/* The handlers of HvCallGetVpRegisters and HvCallSetVpRegisters: vp_registers_call.c. */
enum hv_status hv_get_vp_registers(struct hv_hypercall *call);
enum hv_status hv_set_vp_registers(struct hv_hypercall *call);
