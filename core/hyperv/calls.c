/* SPDX-License-Identifier: BSD-2-Clause */
/* The table of hypercalls, and the calls that need no file of their own. */
#include "core/hyperv/hypercall.h"
#include "core/hyperv/vtl.h"

#include "core/string.h"

#define REP_FAST (HV_REP | HV_FAST)

/* A hint for schedulers: spinning ends with the slice anyway. */
static enum hv_status notify_long_spin_wait(struct hv_hypercall *call)
{
    (void)call;
    return HV_SUCCESS;
}

#define VSM (HV_ACCESS_VSM | HV_ACCESS_VP_REGISTERS)

const struct hv_call hv_calls[HV_CALLS] = {
    [HV_CALL_ENABLE_PARTITION_VTL] = {hv_enable_partition_vtl, .flags = HV_FAST, .header = 16,
                                      .privilege = VSM},
    [HV_CALL_ENABLE_VP_VTL] = {hv_enable_vp_vtl, .header = 240, .privilege = VSM},
    [HV_CALL_VTL_CALL] = {hv_vtl_call, .flags = HV_RAW},
    [HV_CALL_VTL_RETURN] = {hv_vtl_return, .flags = HV_RAW},
    [HV_CALL_NOTIFY_LONG_SPIN_WAIT] = {notify_long_spin_wait, .flags = HV_FAST, .header = 8},
};
