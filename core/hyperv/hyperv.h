/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The interface of Microsoft's TLFS that a VM with "hyperv = on" offers its guest: docs/hyperv.md.
 * What the rest of core/ calls. vm->hv, vcpu->hv and context->hv are NULL in other VMs, and only
 * the functions that make and destroy them may be called then.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "core/guest/cpuid.h"
#include "vmx/vmx.h"

struct context;
struct vcpu;
struct vm;

/* Make the interface's state where the configuration asks for it. False when memory is short; the
 * matching destroy, which may always be called, then frees what there is. Before the VM runs. */
bool hv_partition_create(struct vm *vm);
bool hv_vp_create(struct vcpu *vcpu);
bool hv_context_create(struct context *ctx);
void hv_partition_destroy(struct vm *vm);
void hv_vp_destroy(struct vcpu *vcpu);
void hv_context_destroy(struct context *ctx);

/* A CPUID leaf from 40000000H on; zeros where there is none. Any CPU. */
struct cpuid hv_cpuid(const struct vm *vm, uint32_t leaf);

/* The rest: on the CPU that runs @vcpu, outside the epoch. */

/* RDMSR and WRMSR of HV_MSR_FIRST to HV_MSR_LAST. */
enum vmx_action hv_rdmsr(struct vcpu *vcpu, uint32_t msr, uint64_t *value);
enum vmx_action hv_wrmsr(struct vcpu *vcpu, uint32_t msr, uint64_t value);

/* VMCALL. */
enum vmx_action hv_vmcall(struct vcpu *vcpu);

/* Before it enters the guest: does what others have asked @vcpu for. */
void hv_settle(struct vcpu *vcpu);

/* The guest may have made room for a message that waits, by an EOI. */
void hv_retry(struct context *ctx);

/* Lets the synthetic timers run up to @now; inside the epoch. And when that has to be next: VM time
 * in TSC ticks. */
void hv_expire(struct context *ctx, uint64_t now);
uint64_t hv_deadline(const struct context *ctx);

/* Whether a source of @ctx wants no EOI: then each vector that the processor is given is told. */
bool hv_auto_eoi(const struct context *ctx);

/* Adds the vectors whose EOI may make room for a message. */
void hv_eoi_exits(const struct context *ctx, uint64_t bitmap[4]);

/* The APIC gave the processor this vector: ends it if its source wants no EOI. */
void hv_acknowledged(struct context *ctx, uint8_t vector);
