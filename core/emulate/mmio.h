/* SPDX-License-Identifier: BSD-2-Clause */
/* Accesses to guest-physical addresses that no RAM backs: devices, APIC pages, nothing. */
#pragma once

#include "vmx/vmx.h"

struct vcpu;

/*
 * Answers an EPT violation of the active context by carrying out the instruction that caused it.
 * On the CPU that runs @vcpu. What cannot be carried out ends the VM with a message.
 */
enum vmx_action mmio_emulate(struct vcpu *vcpu, const struct vmx_ept_violation *violation);
