/* SPDX-License-Identifier: BSD-2-Clause */
/* What a VTL lets those below it do with memory. TLFS, "Virtual Secure Mode", "Memory Access
 * Protections". */
#pragma once

#include "core/hyperv/hypercall.h"

/* HvRegisterVsmPartitionConfig of the VTL of @ctx. */
enum hv_status hv_set_partition_config(const struct context *ctx, uint64_t value);

/* Its value at start. */
#define HV_PARTITION_CONFIG_RESET BIT(5) /* ZeroMemoryOnReset */

#define HV_PARTITION_CONFIG_DENY_STARTUP BIT(6)

/* Rights that an overlay page which goes away leaves behind: with the partition's lock held. */
unsigned hv_rights_at(struct vm *vm, unsigned vtl, gpa_t gpa);

/* HvCallModifyVtlProtectionMask. */
enum hv_status hv_modify_protection(struct hv_hypercall *call);
