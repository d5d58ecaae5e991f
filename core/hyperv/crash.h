/* SPDX-License-Identifier: BSD-2-Clause */
/* The crash MSRs. */
#pragma once

#include "core/hyperv/state.h"

/* What reading HV_MSR_CRASH_CTL gives. */
uint64_t hv_crash_capabilities(void);

/* Writing it by @vcpu: tells the log, with the parameters in vm->hv->crash. With the partition's
 * lock held. */
void hv_crash(struct vcpu *vcpu, uint64_t control);
