/* SPDX-License-Identifier: BSD-2-Clause */
/* Guest memory by linear address, as the guest's own instructions reach it: RAM and devices. */
#pragma once

#include "core/emulate/walk.h"
#include "core/types.h"
#include "vmx/vmx.h"

struct context;
struct vcpu;

enum { LINEAR_MAX = 256 };

/* A walk of the page tables of a context, as that may reach them. */
struct linear_walk {
    struct walk_env env;
    struct context *context;
    gpa_t entry; /* the one it came to last */
    bool write;
    gpa_t seen; /* what was looked up last in the EPT */
    struct ept_mapping mapping;
};

/* Makes the environment for walk() from the state of @ctx, which is current on this CPU. *w must
 * stay where it is. */
void linear_walk_begin(struct context *ctx, struct linear_walk *w);

/* The right in the EPT that an access (VMX_ACCESS_*) at @cpl takes. */
unsigned linear_right(const struct context *ctx, unsigned access, unsigned cpl);

/*
 * Copy @size bytes (1 to LINEAR_MAX) with the permissions that @access (VMX_ACCESS_*) and the
 * active context's paging mode ask for; all bytes or none. On the CPU that runs @vcpu.
 *
 * A VTL above the active one may deny any of it: VMX_AGAIN then, with that VTL told.
 *
 * VMX_NEXT: done. VMX_RAISE: *fault says what the guest would get. VMX_AGAIN: other processors
 * keep changing the page tables; run the instruction again. VMX_STOP: the VM was ended with a
 * message, because its paging structures lie outside its RAM.
 */
enum vmx_action linear_read(struct vcpu *vcpu, gva_t gla, void *to, size_t size, unsigned access,
                            struct vmx_exception *fault);
enum vmx_action linear_write(struct vcpu *vcpu, gva_t gla, const void *from, size_t size,
                             unsigned access, struct vmx_exception *fault);

/*
 * The bytes of the instruction at RIP: as many as are mapped, up to @size. VMX_NEXT with *count
 * at least 1, else as above.
 */
enum vmx_action linear_fetch(struct vcpu *vcpu, uint8_t *bytes, size_t size, size_t *count,
                             struct vmx_exception *fault);

/* How many of the @size bytes at RIP could be fetched, and these; no flag, fault or intercept comes
 * of it. */
size_t linear_peek_code(struct vcpu *vcpu, uint8_t *bytes, size_t size);
