/* SPDX-License-Identifier: BSD-2-Clause */
/* Registers of a virtual processor by the names of the TLFS: HV_REGISTER_NAME and its values. */
#ifndef LAPWING_CORE_HYPERV_VP_REGISTERS_H
#define LAPWING_CORE_HYPERV_VP_REGISTERS_H

#include "core/hyperv/hypercall.h"

/* HV_REGISTER_VALUE. */
struct hv_value {
    uint64_t low, high;
};

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

/* Those of Virtual Secure Mode, 0xd0000 and 0xe0000 on: vp_registers_vsm.c. */
enum hv_status hv_get_vsm_register(const struct hv_register_access *access, uint32_t name,
                                   struct hv_value *value);
enum hv_status hv_set_vsm_register(const struct hv_register_access *access, uint32_t name,
                                   const struct hv_value *value);

/* The handlers of HvCallGetVpRegisters and HvCallSetVpRegisters: vp_registers_call.c. */
enum hv_status hv_get_vp_registers(struct hv_hypercall *call);
enum hv_status hv_set_vp_registers(struct hv_hypercall *call);

#endif
