/* SPDX-License-Identifier: BSD-2-Clause */
/* The table of hypercalls, and the calls that need no file of their own. */
#include "core/hyperv/hypercall.h"

#include "core/string.h"

#define REP_FAST (HV_REP | HV_FAST)

/* A hint for schedulers: spinning ends with the slice anyway. */
static enum hv_status notify_long_spin_wait(struct hv_hypercall *call)
{
    (void)call;
    return HV_SUCCESS;
}

const struct hv_call hv_calls[HV_CALLS] = {
    [HV_CALL_NOTIFY_LONG_SPIN_WAIT] = {notify_long_spin_wait, .flags = HV_FAST, .header = 8},
};
