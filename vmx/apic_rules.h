/* SPDX-License-Identifier: BSD-2-Clause */
/* The pure part of vmx/apic.c. */
#pragma once

#include "vmx/apic.h"

#define APIC_SET(help) (1u << VMX_APIC_##help)

/* The control behind it. */
enum vmx_feature apic_feature(enum vmx_apic_help help);

/* MSRs 800H to 83FH, a bit each, that need no exit. */
enum { APIC_MSR_BASE = 0x800, APIC_MSRS = 64, MSR_APIC_IRR0 = 0x20 };
uint64_t apic_direct_reads(vmx_apic_set set);
uint64_t apic_direct_writes(vmx_apic_set set);
